/** Carries released units to workers. May deliver a unit twice, and may lose one; the records say what is true. */

import type { JobPriority } from '../../jobs/job.js';

export interface UnitName {
	readonly jobId: string;
	readonly part: number;
}

export interface Parcel extends UnitName {
	/** Id. */
	readonly model: string;
	readonly class: JobPriority;
}

/** A unit that this process has been given, for as long as it extends it in time. */
export interface UnitDelivery extends UnitName {
	/** False: it has been given to another, or is no longer there. */
	extend(): Promise<boolean>;
	/** It needs no more deliveries. */
	finish(): Promise<void>;
	/** It is delivered again, after `delayMs`. */
	again(delayMs: number): Promise<void>;
}

export interface Transport {
	/** Changes nothing if it is there already. */
	add(parcel: Parcel): Promise<void>;
	/** Interactive ones first, then in the order in which they were added; undefined: there is none now. */
	next(model: string): Promise<UnitDelivery | undefined>;
	has(parcel: Pick<Parcel, 'jobId' | 'part' | 'model'>): Promise<boolean>;
	/** Where it is not under way; else it is dropped by who has it. */
	remove(parcel: Pick<Parcel, 'jobId' | 'part' | 'model'>): Promise<void>;
	close(): Promise<void>;
}

/** A unit whose worker says nothing for this long is given to another; looked for as often. */
export const lockMs = 5000;
export const stalledEveryMs = 5000;
