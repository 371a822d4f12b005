/**
 * A unit's state and every change of it. Pure: what is stored changes only by these functions, and only if nothing else
 * has changed it meanwhile. The lease's number fences: what a worker tells whose unit has gone to another changes nothing.
 */

import type { WireError } from '../../errors.js';
import type { BlobRef } from '../../jobs/blobs.js';
import { maxAttempts, type Unit } from '../../jobs/queue.js';

/** `held`: it waits for the turn of its tenant; `released`: any worker may take it. */
export type UnitStage = 'held' | 'released' | 'leased' | 'done' | 'failed' | 'cancelled';

export interface UnitRecord {
	readonly unit: Unit;
	readonly stage: UnitStage;
	/** Of the latest lease; 0 = there was none. */
	readonly number: number;
	/** Leases that ended neither in a result nor by being given back. */
	readonly spent: number;
	/** The same since the last clip was finished. */
	readonly spentOnClip: number;
	/** Clips that are finished. */
	readonly clips: number;
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
		spent: 0,
		spentOnClip: 0,
		clips: 0,
		processed: 0,
		duration: null,
	};
}

export const isOver = ({ stage }: UnitRecord): boolean =>
	stage === 'done' || stage === 'failed' || stage === 'cancelled';

/** A failed or cancelled unit waits again, with the clips that it has; null: it is there already. */
export function requeued(record: UnitRecord): UnitRecord | null {
	if (record.stage !== 'failed' && record.stage !== 'cancelled') return null;
	const { error: _, ...rest } = record;
	return { ...rest, stage: 'held', spent: 0, spentOnClip: 0 };
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
	const lost = record.stage === 'leased' ? 1 : 0;
	const spent = record.spent + lost;
	const spentOnClip = record.spentOnClip + lost;
	if (spentOnClip >= maxAttempts) return { ...record, spent, spentOnClip, stage: 'failed', error: poison(record) };
	return { ...record, stage: 'leased', number: record.number + 1, spent, spentOnClip, worker };
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
		spentOnClip: 0,
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

export function finished(record: UnitRecord, number: number, result: BlobRef): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'done', result } : null;
}

/** It waits for another try, or has failed for good. */
export function failed(
	record: UnitRecord,
	number: number,
	error: WireError,
	retryable: boolean,
): UnitRecord | null {
	if (!holds(record, number)) return null;
	// What the unit needs cannot be reached, which is no fault of the recording: it waits for as long as that takes.
	if (retryable && error.code === 'closed') return { ...record, stage: 'released' };
	const spent = record.spent + 1;
	const spentOnClip = record.spentOnClip + 1;
	if (retryable && spentOnClip < maxAttempts) return { ...record, stage: 'released', spent, spentOnClip };
	return { ...record, stage: 'failed', spent, spentOnClip, error };
}

export function givenBack(record: UnitRecord, number: number): UnitRecord | null {
	return holds(record, number) ? { ...record, stage: 'released' } : null;
}

export function cancelled(record: UnitRecord): UnitRecord | null {
	return isOver(record) ? null : { ...record, stage: 'cancelled' };
}

/** Before another try, ms: half a minute after the first failure, then longer. */
export function retryDelayMs({ spentOnClip }: UnitRecord): number {
	return Math.min(30_000 * 2 ** Math.max(0, spentOnClip - 1), 600_000);
}
