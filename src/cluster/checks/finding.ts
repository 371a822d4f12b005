/** A finding of `earshot doctor` about something that machines share. */

import type { Records } from '../records/records.js';

export interface SharedFinding {
	readonly ok: boolean;
	readonly what: 'queue' | 'clock' | 'workers' | 'blobs';
	readonly detail: string;
}

export interface CheckedQueue {
	readonly findings: readonly SharedFinding[];
	/** undefined if nothing can be read, for example before the first start. */
	readonly records: Records | undefined;
	close(): Promise<void>;
}

/** S3 signatures, webhooks and delays of jobs tolerate clock drift up to this, ms. */
const maxClockDriftMs = 5000;

/** `serverMs`: the queue's time, read between the local times `beforeMs` and `afterMs`. Pure. */
export function clockFinding(serverMs: number, beforeMs: number, afterMs: number): SharedFinding {
	const drift = serverMs < beforeMs ? beforeMs - serverMs : Math.max(0, serverMs - afterMs);
	if (drift <= maxClockDriftMs)
		return { ok: true, what: 'clock', detail: "agrees with the queue's within 5 s" };
	const way = serverMs < beforeMs ? 'ahead of' : 'behind';
	return {
		ok: false,
		what: 'clock',
		detail: `this machine's is ${Math.round(drift / 1000)} s ${way} the queue's: set both by NTP`,
	};
}
