/** Leases the diarization model for a transcription request. */

import type { Lease, ModelPool } from '../../pool/model-pool.js';
import { noDiarizer } from '../request/fields/speaker-fields.js';

/** Throws `unsupported_value` naming `param` if none is installed, and the errors of the pool. */
export async function leaseDiarizer(pool: ModelPool, param: string, signal: AbortSignal): Promise<Lease> {
	if (pool.diarizer === undefined) throw noDiarizer(param);
	return await pool.lease(pool.diarizer, signal);
}
