/** Derives the state of a job from the states of its units. Pure. */

import type { BlobRef } from './blobs.js';
import { type Job, type JobPatch, partPrefix } from './job.js';
import { type Unit, type UnitState, wholeSchema } from './queue.js';

/** Retention times, seconds. */
export interface JobRetention {
	/** A result, from its completion. */
	readonly result: number;
	/** A result, from the first time that it was read completely. */
	readonly read: number;
	/** A failed job with its recording, which a retry needs. */
	readonly failed: number;
	/** The remaining data of a job whose result was deleted. */
	readonly expired: number;
	/** An `Idempotency-Key`. */
	readonly idempotency: number;
	/** Window in which equal requests of one API key give the same job; 0 = no deduplication. */
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
		schema: wholeSchema,
		queuedAt: job.createdAt,
		...(job.mayDivide && { mayDivide: true }),
	};
}

/** The results of a job's units: the transcript, or the division and groups from which it is joined; undefined while
 * one is missing. */
export type FinishedUnits =
	| { readonly whole: BlobRef }
	| { readonly division: BlobRef; readonly groups: readonly BlobRef[] };

export function finishedUnits(job: Pick<Job, 'id'>, units: readonly UnitState[]): FinishedUnits | undefined {
	const [first, ...others] = [...units].sort((a, b) => a.part - b.part);
	if (first?.part !== 0 || first.state !== 'done') return undefined;
	// A divided recording may have been transcribed as a whole by a later lease.
	if (!first.result.key.startsWith(`${job.id}/${partPrefix}`)) return { whole: first.result };
	const groups = others.flatMap((unit) => (unit.state === 'done' ? [unit.result] : []));
	return groups.length === others.length ? { division: first.result, groups } : undefined;
}

/** The transcript of all units. */
export interface JoinedResult {
	/** `ResultBlob`. */
	readonly ref: BlobRef;
	/** Duration of the recording. */
	readonly durationSeconds: number;
}

/** The next change of an unfinished job; undefined if it matches its units. `result`: the complete transcript, once
 * available. */
export function changeBy(
	job: Job,
	units: readonly UnitState[],
	result: JoinedResult | undefined,
	{ now, retention }: { readonly now: number; readonly retention: JobRetention },
): JobPatch | undefined {
	if (result && job.status === 'in_progress')
		return {
			status: 'completed',
			result: result.ref,
			durationSeconds: result.durationSeconds,
			completedAt: now,
			expiresAt: now + retention.result,
			...(!retention.keepAudio && { audio: null }),
		};
	const failed = units.find((unit) => unit.state === 'failed');
	if (failed?.state === 'failed' && result === undefined)
		return {
			status: 'failed',
			error: failed.error,
			completedAt: now,
			expiresAt: now + retention.failed,
		};
	const isStarted = units.some(({ state }) => state !== 'waiting');
	if (isStarted && job.status === 'queued')
		return { status: 'in_progress', startedAt: now, attempts: job.attempts + 1 };
	if (!isStarted && job.status === 'in_progress') return { status: 'queued' };
	return undefined;
}

/** Number of times that a job's results may be missing until the job fails. */
const maxLosses = 3;

/** The change of a job whose units are done but whose results are missing: it is queued again, or fails. */
export function changeByLoss(
	job: Job,
	{ now, retention }: { readonly now: number; readonly retention: JobRetention },
): JobPatch {
	const losses = (job.losses ?? 0) + 1;
	if (losses < maxLosses) return { status: 'queued', losses };
	return {
		status: 'failed',
		losses,
		error: {
			code: 'internal',
			message: `What was transcribed was missing from the store of recordings ${losses} times: see that nothing else removes files there, then try the job again`,
		},
		completedAt: now,
		expiresAt: now + retention.failed,
	};
}
