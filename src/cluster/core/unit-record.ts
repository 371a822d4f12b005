/**
 * A unit's state and its transitions. Pure: a stored record changes only by these functions, and only if it has
 * not changed in the meantime. The lease number is a fencing token: updates by a worker whose unit was given to
 * another one have no effect.
 */

import type { WireError } from '../../core/errors.js';
import type { BlobRef } from '../../jobs/blobs.js';
import { groupSchema, maxAttempts, secondsUntilRetry, type Unit, type UnitGroup } from '../../jobs/queue.js';

/** `held`: it waits for its tenant's turn; `released`: any worker may lease it. */
export type UnitStage = 'held' | 'released' | 'leased' | 'done' | 'failed' | 'cancelled';

export interface UnitRecord {
	readonly unit: Unit;
	readonly stage: UnitStage;
	/** Number of the latest lease (fencing token); 0 = never leased. */
	readonly number: number;
	/** Workers that have died while holding it, since the last finished clip. */
	readonly deaths: number;
	/** Retryable failures since the last finished clip. */
	readonly failures: number;
	/** Time of the first of these failures, by the server's clock, ms. */
	readonly failingSince: number;
	/** Number of finished clips. */
	readonly clips: number;
	/** For part 0: number of groups that were divided off; absent = none. */
	readonly groups?: number;
	/** Seconds of the recording that are processed. */
	readonly processed: number;
	readonly duration: number | null;
	/** Id of the worker with the latest lease. */
	readonly worker?: string;
	readonly result?: BlobRef;
	readonly error?: WireError;
}

/** Checks a value that was read; undefined if it is not the record of a unit. */
export function asUnitRecord(value: Readonly<Record<string, unknown>> | undefined): UnitRecord | undefined {
	const { unit, stage, number } = (value ?? {}) as Partial<Record<keyof UnitRecord, unknown>>;
	const { jobId, part, model, tenant } = (unit ?? {}) as Partial<Record<keyof Unit, unknown>>;
	const isOne =
		[jobId, model, tenant, stage].every((each) => typeof each === 'string') &&
		[part, number].every((each) => typeof each === 'number');
	return isOne ? (value as unknown as UnitRecord) : undefined;
}

export function newRecord(unit: Unit): UnitRecord {
	return {
		unit,
		stage: 'held',
		number: 0,
		deaths: 0,
		failures: 0,
		failingSince: 0,
		clips: 0,
		processed: unit.group?.start ?? 0,
		duration: null,
	};
}

/** The records of the recording and of its next group, to be committed together. Null: the lease is lost, or the
 * group is not the next one. */
export function withGroup(
	record: UnitRecord,
	number: number,
	group: UnitGroup,
	numerics: string | undefined,
): { readonly whole: UnitRecord; readonly group: UnitRecord } | null {
	if (!holds(record, number) || group.group !== (record.groups ?? 0)) return null;
	const { mayDivide: _, ...unit } = record.unit;
	const ofGroup = {
		...{ ...unit, part: group.group + 1, seconds: group.end - group.start, group, schema: groupSchema },
		...(numerics !== undefined && { numerics }),
	};
	return {
		whole: {
			...record,
			// A worker that resumes the recording must compute the same groups.
			unit: { ...record.unit, ...(numerics !== undefined && { numerics }) },
			groups: group.group + 1,
			deaths: 0,
			failures: 0,
			processed: group.end,
		},
		group: newRecord(ofGroup),
	};
}

export const isTerminal = ({ stage }: UnitRecord): boolean =>
	stage === 'done' || stage === 'failed' || stage === 'cancelled';

/** Queues a failed or cancelled unit again, with its finished clips. Null: it is neither. */
export function requeued(record: UnitRecord): UnitRecord | null {
	if (record.stage !== 'failed' && record.stage !== 'cancelled') return null;
	const { error: _, ...rest } = record;
	return { ...rest, stage: 'held', deaths: 0, failures: 0 };
}

/** Null: the unit is not held. */
export function released(record: UnitRecord): UnitRecord | null {
	return record.stage === 'held' ? { ...record, stage: 'released' } : null;
}

/**
 * The unit as a worker leases it. If it was leased already, that worker has died; after too many deaths during one
 * clip the unit fails instead. Null: the unit is finished.
 */
export function leased(record: UnitRecord, worker: string): UnitRecord | null {
	if (isTerminal(record)) return null;
	const deaths = record.deaths + (record.stage === 'leased' ? 1 : 0);
	if (deaths >= maxAttempts) return { ...record, deaths, stage: 'failed', error: poison(record) };
	return { ...record, stage: 'leased', number: record.number + 1, deaths, worker };
}

function poison({ processed }: UnitRecord): WireError {
	return {
		code: 'engine_failed',
		message: `${maxAttempts} workers have died on this recording, at second ${Math.round(processed)}`,
	};
}

/** Whether the lease of this number is the latest and has not ended. */
export const holds = (record: UnitRecord, number: number): boolean =>
	record.stage === 'leased' && record.number === number;

/** Adds the next finished clip. Null: the lease is lost, or the clip is not the next one. */
export function checkpointed(
	record: UnitRecord,
	number: number,
	clip: { readonly clip: number; readonly processed: number },
): UnitRecord | null {
	if (!holds(record, number) || clip.clip !== record.clips) return null;
	return {
		...record,
		clips: record.clips + 1,
		deaths: 0,
		failures: 0,
		processed: Math.max(record.processed, clip.processed),
	};
}

export function progressed(
	record: UnitRecord,
	number: number,
	processed: number,
	duration: number | null,
): UnitRecord | null {
	if (!holds(record, number)) return null;
	// A worker that resumes the unit after another may report less than its predecessor.
	return {
		...record,
		processed: Math.max(record.processed, processed),
		duration: duration ?? record.duration,
	};
}

export function completed(record: UnitRecord, number: number, result: BlobRef): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'done', result } : null;
}

export interface AfterFailure {
	readonly record: UnitRecord;
	/** Delay before the next attempt, ms; null = failed for good. */
	readonly retryMs: number | null;
}

/** The unit after a failure: released again, or failed for good. Null: the lease is lost. `nowMs`: the server's
 * time. */
export function failed(
	record: UnitRecord,
	number: number,
	error: WireError,
	{ retryable, nowMs }: { readonly retryable: boolean; readonly nowMs: number },
): AfterFailure | null {
	if (!holds(record, number)) return null;
	const failures = record.failures + 1;
	const failingSince = record.failures === 0 ? nowMs : record.failingSince;
	const seconds = retryable
		? secondsUntilRetry(failures, (nowMs - failingSince) / 1000, error.retryAfterSeconds)
		: null;
	if (seconds === null) return { record: { ...record, stage: 'failed', failures, error }, retryMs: null };
	return { record: { ...record, stage: 'released', failures, failingSince }, retryMs: seconds * 1000 };
}

export function returned(record: UnitRecord, number: number): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'released' } : null;
}

export function cancelled(record: UnitRecord): UnitRecord | null {
	return isTerminal(record) ? null : { ...record, stage: 'cancelled' };
}
