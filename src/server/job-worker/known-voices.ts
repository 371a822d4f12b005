/** The enrolled voices that a request names. */

import type { KnownVoice, SpeakerOptions } from '../../core/speech/speakers.js';
import { knownVoice } from '../../speakers/known-voice.js';
import { checkedVoiceName, noVoice, type VoiceStore } from '../../speakers/voice-store.js';
import type { SpeakerRequest } from '../request/fields/speaker-fields.js';

/** The request's speaker options, with the enrolled voices that it names. Throws `not_found`. */
export async function speakerOptionsFor(
	request: SpeakerRequest | null,
	voices: VoiceStore,
): Promise<SpeakerOptions> {
	return request === null ? { known: [] } : withEnrolled(request, await enrolledFor(request, voices));
}

/** The speaker options of a job, with the voices stored at its creation, since the worker may have other voices or
 * none. `enrolled`: absent in jobs of earlier versions, which use those of `voices`. */
export async function speakerOptionsOfJob(
	request: SpeakerRequest | null,
	enrolled: readonly KnownVoice[] | undefined,
	voices: VoiceStore,
): Promise<SpeakerOptions> {
	return request === null || enrolled === undefined
		? await speakerOptionsFor(request, voices)
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
