/** Who speaks in a recording that is transcribed: the diarization model beside the one that transcribes. */

import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { KnownVoice, SpeakerOptions } from '../../speech/speakers.js';
import { knownVoice } from '../../voices/known.js';
import { checkedVoiceName, noVoice, type VoiceStore } from '../../voices/store.js';
import { noDiarizer, type SpeakerRequest } from '../request/fields/speaker-fields.js';

/** Throws `unsupported_value` naming `param` where none is installed, and as the pool does. */
export async function leaseDiarizer(pool: ModelPool, param: string, signal: AbortSignal): Promise<Lease> {
	if (pool.diarizer === undefined) throw noDiarizer(param);
	return await pool.lease(pool.diarizer, signal);
}

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
