/** Enrolled voices as those that may be heard in a recording. */

import type { KnownVoice } from '../speech/speakers.js';
import type { EnrolledVoice } from './store.js';

/** `param`: the field that names it; absent = it is one of all, and left out where it was enrolled with another model. */
export function knownVoice({ name, voice, fingerprint }: EnrolledVoice, param?: string): KnownVoice {
	return { name, reference: { voice, fingerprint }, ...(param !== undefined && { param }) };
}
