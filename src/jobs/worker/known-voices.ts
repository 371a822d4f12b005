/** Whose voices a request wants to be told by name. */

import type { SpeakerRequest } from '../../server/request/fields/speaker-fields.js';
import type { KnownVoice, SpeakerOptions } from '../../speech/speakers.js';
import { knownVoice } from '../../voices/known.js';
import { checkedVoiceName, noVoice, type VoiceStore } from '../../voices/store.js';

/** With the enrolled voices that the request names. Throws `not_found`. */
export async function knownBy(request: SpeakerRequest | null, voices: VoiceStore): Promise<SpeakerOptions> {
	return request === null ? { known: [] } : withEnrolled(request, await enrolledFor(request, voices));
}

/** Of a job, as they were when it was made: who works on it has other voices, or none. `enrolled`: absent in jobs of earlier
 * versions, which take those of `voices`. */
export async function knownOfJob(
	request: SpeakerRequest | null,
	enrolled: readonly KnownVoice[] | undefined,
	voices: VoiceStore,
): Promise<SpeakerOptions> {
	return request === null || enrolled === undefined
		? await knownBy(request, voices)
		: withEnrolled(request, enrolled);
}

/** The enrolled voices that the request names. Throws `not_found`. */
export async function enrolledFor(request: SpeakerRequest, voices: VoiceStore): Promise<KnownVoice[]> {
	if (request.enrolled === 'all') return (await voices.list()).map((voice) => knownVoice(voice));
	const param = 'known_speakers';
	const found: KnownVoice[] = [];
	for (const given of request.enrolled) {
		const name = checkedVoiceName(given, param);
		const voice = await voices.find(name);
		if (voice === undefined) throw noVoice(name, param);
		found.push(knownVoice(voice, param));
	}
	return found;
}

function withEnrolled({ options }: SpeakerRequest, enrolled: readonly KnownVoice[]): SpeakerOptions {
	return { ...options, known: [...options.known, ...enrolled] };
}
