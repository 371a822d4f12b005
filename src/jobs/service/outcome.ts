/** What the units of a job make of it. Pure. */

import type { Job, JobPatch } from '../job.js';
import { type Unit, type UnitState, unitSchema } from '../queue.js';

/** How long things are kept, seconds. */
export interface JobRetention {
	/** A result, from its completion. */
	readonly result: number;
	/** A result, from when it was first read as a whole. */
	readonly read: number;
	/** A failed job with its recording, so that it can be tried again. */
	readonly failed: number;
	/** The rest of a job whose result was deleted. */
	readonly expired: number;
	/** An `Idempotency-Key`. */
	readonly idempotency: number;
	/** For which the same request of the same key is the same job; 0 = it never is. */
	readonly dedupe: number;
	/** Whether recordings are kept as long as results. */
	readonly keepAudio: boolean;
}

const hour = 3600;

export const defaultJobRetention: JobRetention = {
	result: 24 * hour,
	read: hour,
	failed: 7 * 24 * hour,
	expired: 24 * hour,
	idempotency: 24 * hour,
	dedupe: 600,
	keepAudio: false,
};

/** The whole recording as one unit. */
export function unitOf(job: Job): Unit {
	return {
		jobId: job.id,
		part: 0,
		model: job.model,
		class: job.priority,
		tenant: job.owner,
		seconds: job.estimatedSeconds,
		schema: unitSchema,
		queuedAt: job.createdAt,
	};
}

/** The next change of an unfinished job; undefined where it is as its units are. All of a job's units are `done` only where
 * `result` is the whole transcript. */
export function changeBy(
	job: Job,
	units: readonly UnitState[],
	now: number,
	retention: JobRetention,
): JobPatch | undefined {
	const failed = units.find((unit) => unit.state === 'failed');
	if (failed?.state === 'failed')
		return {
			status: 'failed',
			error: failed.error,
			completedAt: now,
			expiresAt: now + retention.failed,
		};
	const [first] = units;
	const isDone = units.every(({ state }) => state === 'done');
	if (isDone && first?.state === 'done' && job.status === 'in_progress')
		return {
			status: 'completed',
			result: first.result,
			completedAt: now,
			expiresAt: now + retention.result,
			...(!retention.keepAudio && { audio: null }),
		};
	const isWorkedOn = units.some(({ state }) => state !== 'waiting');
	if (isWorkedOn && job.status === 'queued')
		return { status: 'in_progress', startedAt: now, attempts: job.attempts + 1 };
	if (!isWorkedOn && job.status === 'in_progress') return { status: 'queued' };
	return undefined;
}
