/** Who speaks in a recording that is transcribed: the diarization model beside the one that transcribes. */

import type { Lease, ModelPool } from '../../pool/model-pool.js';
import { noDiarizer } from '../request/fields/speaker-fields.js';

/** Throws `unsupported_value` naming `param` where none is installed, and as the pool does. */
export async function leaseDiarizer(pool: ModelPool, param: string, signal: AbortSignal): Promise<Lease> {
	if (pool.diarizer === undefined) throw noDiarizer(param);
	return await pool.lease(pool.diarizer, signal);
}
