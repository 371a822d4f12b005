/** Whose voices a request wants to be told by name. */

import type { SpeakerRequest } from '../../server/request/fields/speaker-fields.js';
import type { KnownVoice, SpeakerOptions } from '../../speech/speakers.js';
import { knownVoice } from '../../voices/known.js';
import { checkedVoiceName, noVoice, type VoiceStore } from '../../voices/store.js';

/** With the enrolled voices that the request names. Throws `not_found`. */
export async function knownBy(request: SpeakerRequest | null, voices: VoiceStore): Promise<SpeakerOptions> {
	if (request === null) return { known: [] };
	const param = 'known_speakers';
	const found: KnownVoice[] = [];
	if (request.enrolled === 'all') found.push(...(await voices.list()).map((voice) => knownVoice(voice)));
	else {
		for (const given of request.enrolled) {
			const name = checkedVoiceName(given, param);
			const voice = await voices.find(name);
			if (voice === undefined) throw noVoice(name, param);
			found.push(knownVoice(voice, param));
		}
	}
	return { ...request.options, known: [...request.options.known, ...found] };
}
