/** What the units of a job make of it. Pure. */

import type { BlobRef } from '../blobs.js';
import { type Job, type JobPatch, partPrefix } from '../job.js';
import { type Unit, type UnitState, wholeSchema } from '../queue.js';

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
		schema: wholeSchema,
		queuedAt: job.createdAt,
		...(job.mayDivide && { mayDivide: true }),
	};
}

/** What is finished of a job: its transcript, or all that it is joined from; undefined while something is missing. */
export type FinishedUnits =
	| { readonly whole: BlobRef }
	| { readonly division: BlobRef; readonly groups: readonly BlobRef[] };

export function finishedUnits(job: Pick<Job, 'id'>, units: readonly UnitState[]): FinishedUnits | undefined {
	const [first, ...others] = [...units].sort((a, b) => a.part - b.part);
	if (first?.part !== 0 || first.state !== 'done') return undefined;
	// Whoever had divided it may have transcribed all of it after all.
	if (!first.result.key.startsWith(`${job.id}/${partPrefix}`)) return { whole: first.result };
	const groups = others.flatMap((unit) => (unit.state === 'done' ? [unit.result] : []));
	return groups.length === others.length ? { division: first.result, groups } : undefined;
}

/** The transcript of all units. */
export interface JoinedResult {
	/** `ResultBlob`. */
	readonly ref: BlobRef;
	/** Of the recording. */
	readonly durationSeconds: number;
}

/** The next change of an unfinished job; undefined where it is as its units are. `result`: the whole transcript, once it is
 * there. */
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
	const isWorkedOn = units.some(({ state }) => state !== 'waiting');
	if (isWorkedOn && job.status === 'queued')
		return { status: 'in_progress', startedAt: now, attempts: job.attempts + 1 };
	if (!isWorkedOn && job.status === 'in_progress') return { status: 'queued' };
	return undefined;
}

/** Times that a job is begun whose results are lost. */
const maxLosses = 3;

/** The change of a job whose units are finished, and whose results are lost: it is begun anew, or has failed. */
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
