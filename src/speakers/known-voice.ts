/** Converts enrolled voices to known voices for diarization. */

import type { KnownVoice } from '../core/speech/speakers.js';
import type { EnrolledVoice } from './voice-store.js';

/** `param`: the request field that names the voice; absent = all voices are requested, and this one is skipped
 * if it was enrolled with another model. */
export function knownVoice({ name, voice, fingerprint }: EnrolledVoice, param?: string): KnownVoice {
	return { name, reference: { voice, fingerprint }, ...(param !== undefined && { param }) };
}
