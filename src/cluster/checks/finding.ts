/** What `earshot doctor` says of something that machines share. */

import type { Records } from '../records/records.js';

export interface SharedFinding {
	readonly ok: boolean;
	readonly what: 'queue' | 'clock' | 'workers' | 'blobs';
	readonly detail: string;
}

export interface CheckedQueue {
	readonly findings: readonly SharedFinding[];
	/** undefined where nothing can be read, such as before the first start. */
	readonly records: Records | undefined;
	close(): Promise<void>;
}

/** Signatures of S3, webhooks and delays of jobs bear less than this, ms. */
const mostClockDriftMs = 5000;

/** `serverMs`: the queue's time, told at some moment between two of this machine's. Pure. */
export function clockFinding(serverMs: number, beforeMs: number, afterMs: number): SharedFinding {
	const drift = serverMs < beforeMs ? beforeMs - serverMs : Math.max(0, serverMs - afterMs);
	if (drift <= mostClockDriftMs)
		return { ok: true, what: 'clock', detail: "agrees with the queue's within 5 s" };
	const way = serverMs < beforeMs ? 'ahead of' : 'behind';
	return {
		ok: false,
		what: 'clock',
		detail: `this machine's is ${Math.round(drift / 1000)} s ${way} the queue's: set both by NTP`,
	};
}
