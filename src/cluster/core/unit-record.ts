/**
 * A unit's state and every change of it. Pure: what is stored changes only by these functions, and only if nothing else
 * has changed it meanwhile. The lease's number fences: what a worker tells whose unit has gone to another changes nothing.
 */

import type { WireError } from '../../errors.js';
import type { BlobRef } from '../../jobs/blobs.js';
import { groupSchema, maxAttempts, secondsUntilRetry, type Unit, type UnitGroup } from '../../jobs/queue.js';

/** `held`: it waits for the turn of its tenant; `released`: any worker may take it. */
export type UnitStage = 'held' | 'released' | 'leased' | 'done' | 'failed' | 'cancelled';

export interface UnitRecord {
	readonly unit: Unit;
	readonly stage: UnitStage;
	/** Of the latest lease; 0 = there was none. */
	readonly number: number;
	/** Workers that have died on it since the last clip was finished. */
	readonly deaths: number;
	/** Retryable failures since then, */
	readonly failures: number;
	/** and when the first of them came, ms of the server. */
	readonly failingSince: number;
	/** Clips that are finished. */
	readonly clips: number;
	/** Of part 0: groups that were divided off; absent = none. */
	readonly groups?: number;
	/** Seconds of the recording. */
	readonly processed: number;
	readonly duration: number | null;
	/** Who has the latest lease. */
	readonly worker?: string;
	readonly result?: BlobRef;
	readonly error?: WireError;
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

/** The recording and its next group, which become true together. Null: the lease is lost, or it is not the next group. */
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
			// Whoever goes on with it must come to the same groups.
			unit: { ...record.unit, ...(numerics !== undefined && { numerics }) },
			groups: group.group + 1,
			deaths: 0,
			failures: 0,
			processed: group.end,
		},
		group: newRecord(ofGroup),
	};
}

export const isOver = ({ stage }: UnitRecord): boolean =>
	stage === 'done' || stage === 'failed' || stage === 'cancelled';

/** A failed or cancelled unit waits again, with the clips that it has; null: it is there already. */
export function requeued(record: UnitRecord): UnitRecord | null {
	if (record.stage !== 'failed' && record.stage !== 'cancelled') return null;
	const { error: _, ...rest } = record;
	return { ...rest, stage: 'held', deaths: 0, failures: 0 };
}

/** Null: it does not wait for its turn. */
export function released(record: UnitRecord): UnitRecord | null {
	return record.stage === 'held' ? { ...record, stage: 'released' } : null;
}

/**
 * The unit as a worker takes it. One that was leased before has lost its worker. After too many losses during one clip it
 * fails instead. Null: nothing is to be done for it.
 */
export function leased(record: UnitRecord, worker: string): UnitRecord | null {
	if (isOver(record)) return null;
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

/** Whether a lease of this number is the latest and has not ended. */
export const holds = (record: UnitRecord, number: number): boolean =>
	record.stage === 'leased' && record.number === number;

/** The next clip is finished. Null: the lease is lost, or it is not the next. */
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
	return holds(record, number) ? { ...record, processed, duration } : null;
}

export function completed(record: UnitRecord, number: number, result: BlobRef): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'done', result } : null;
}

export interface AfterFailure {
	readonly record: UnitRecord;
	/** Until another try; null = it has failed for good. */
	readonly retryMs: number | null;
}

/** It waits for another try, or has failed for good. `nowMs`: of the server. */
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

export function givenBack(record: UnitRecord, number: number): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'released' } : null;
}

export function cancelled(record: UnitRecord): UnitRecord | null {
	return isOver(record) ? null : { ...record, stage: 'cancelled' };
}
