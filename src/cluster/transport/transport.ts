/** Delivers released units to workers. It may deliver a unit twice or lose one; the records are authoritative. */

import type { JobPriority } from '../../jobs/job.js';

export interface UnitName {
	readonly jobId: string;
	readonly part: number;
}

export interface QueueItem extends UnitName {
	/** Id of the model. */
	readonly model: string;
	readonly class: JobPriority;
}

/** A unit delivered to this process, which keeps it as long as it extends the lock in time. */
export interface UnitDelivery extends UnitName {
	/** Extends the lock. False: the unit was given to another process, or no longer exists. */
	extend(): Promise<boolean>;
	/** Removes the unit from the queue. */
	finish(): Promise<void>;
	/** Returns the unit to the queue, to be delivered again after `delayMs`. */
	again(delayMs: number): Promise<void>;
}

export interface Transport {
	/** No effect if the unit is already queued. */
	add(item: QueueItem): Promise<void>;
	/** Takes the next unit: by class, then in the order in which they were added; undefined: the queue is empty. */
	next(model: string): Promise<UnitDelivery | undefined>;
	has(item: Pick<QueueItem, 'jobId' | 'part' | 'model'>): Promise<boolean>;
	/** Removes a unit that no worker holds; otherwise its holder removes it. */
	remove(item: Pick<QueueItem, 'jobId' | 'part' | 'model'>): Promise<void>;
	close(): Promise<void>;
}

/** A unit whose worker does not extend its lock for this long is given to another one; stalled units are looked
 * for at the same interval. */
export const lockMs = 5000;
export const stalledEveryMs = 5000;
