/** The queue of units of work: a unit may be delivered more than once, but only one result is accepted. */

import type { WireError } from '../core/errors.js';
import type { ClipEvent, ClipGroup } from '../core/speech/events.js';
import type { BlobRef } from './blobs.js';
import type { JobPriority } from './job.js';

/** Highest schema version of units that this build understands. */
export const unitSchema = 3;

/** Schema version of each kind of unit: workers of earlier versions lease only the kinds that they understand. */
export const wholeSchema = 1;
export const groupSchema = 2;
export const requestSchema = 3;

/** A unit of work: a job's whole recording, or a part of it. */
export interface Unit {
	readonly jobId: string;
	/** 0: the whole recording, which a worker may divide into groups; the groups are parts 1, 2, … */
	readonly part: number;
	/** Id of the model. */
	readonly model: string;
	readonly class: JobPriority;
	/** The job's owner; tenants share the workers fairly. */
	readonly tenant: string;
	/** Estimated seconds of audio. */
	readonly seconds: number;
	readonly schema: number;
	/** When the unit was first queued, Unix seconds. */
	readonly queuedAt: number;
	/** Whether the worker may divide the unit into groups; absent = no. */
	readonly mayDivide?: boolean;
	/** Position of a group in the recording; absent for other units. */
	readonly group?: UnitGroup;
	/** For divided jobs: identifies the workers that compute bit-identical results; others do not lease the unit. */
	readonly numerics?: string;
	/** For a synchronous request, whose client waits for the response; the store has no job with this id. */
	readonly request?: UnitRequest;
}

/** The blobs of a synchronous request. */
export interface UnitRequest {
	/** The recording. */
	readonly audio: BlobRef;
	/** The output of `encodeOptions`. */
	readonly options: BlobRef;
}

export interface UnitGroup extends ClipGroup {
	/** The audio of its clips. */
	readonly blob: BlobRef;
}

/** Division of a recording into groups. */
export interface UnitDivision {
	/** The groups that earlier leases have queued, in order from the first. */
	readonly groups: readonly UnitGroup[];
	/** Queues the next group as a unit, which another worker may lease at once. False: the lease is lost. */
	add(group: UnitGroup): Promise<boolean>;
}

/** Which units a worker can lease. */
export interface LeaseCaps {
	/** Ids of models; absent = any. */
	readonly models?: readonly string[];
	/** Highest unit schema that the worker understands. */
	readonly schema: number;
	/** Pairs of model and tenant to exclude, since the worker already runs units of them; absent = none. */
	readonly except?: readonly Pick<Unit, 'model' | 'tenant'>[];
}

export interface LeaseWait {
	/** Longest wait for a unit; default 0: no wait. */
	readonly waitMs?: number;
	readonly signal?: AbortSignal;
}

/**
 * The right to work on a unit. A lease is lost when it is not renewed in time, when the job is cancelled, and when the
 * queue is closed. Calls on a lost lease change nothing and return `false`.
 */
export interface UnitLease {
	readonly unit: Unit;
	/** The fencing token: higher than that of any earlier lease of this unit. */
	readonly number: number;
	/** Number of leases of this unit since its last finished clip: this one included, those that were released or failed
	 * excluded; 1 or more. */
	readonly attempt: number;
	/** The clips that earlier leases have finished, in order from the first. */
	readonly clips: readonly ClipEvent[];
	/** Absent if the unit may not be divided, or if no other worker could lease a group. */
	readonly division?: UnitDivision;
	/** Aborts when the lease is lost. Its reason is an EarshotError: `cancelled` if the job was cancelled, else
	 * `conflict` or `closed`. */
	readonly signal: AbortSignal;
	/** Extends the lease. Queues whose leases expire call it themselves; workers need not. */
	renew(): Promise<boolean>;
	/** Checkpoints the next finished clip for a later lease, and publishes it to watchers. May resolve before the clip is
	 * on disk, since a clip can be transcribed again. */
	checkpoint(clip: ClipEvent): Promise<boolean>;
	/** Reports progress: processed seconds of the recording, and its duration in seconds; null = unknown. */
	progress(processed: number, duration: number | null): Promise<boolean>;
	/** Compare-and-set: true for the first result of this unit while this is its latest lease. */
	done(result: BlobRef): Promise<boolean>;
	/** `retryable`: the unit is queued again, with a backoff by `secondsUntilRetry`. */
	fail(error: WireError, retryable: boolean): Promise<boolean>;
	/** Returns the unit to the queue unfinished, as at a shutdown; this does not count as an attempt. */
	release(): Promise<boolean>;
}

/** Number of successive worker crashes on the same clip after which the unit fails. */
export const maxAttempts = 3;

const firstDelaySeconds = 5;
const maxDelaySeconds = 300;
/** Retries stop after an hour, which leaves time to fix a full disk or a store that is down. */
const giveUpSeconds = 3600;

/** Exponential backoff after a retryable failure, seconds; null = no more retries. `failures`: successive failures,
 * this one included. `sinceSeconds`: since the first of them. `askedSeconds`: the error's own retry delay. Pure. */
export function secondsUntilRetry(failures: number, sinceSeconds: number, askedSeconds = 0): number | null {
	if (sinceSeconds > giveUpSeconds) return null;
	return Math.max(askedSeconds, Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** (failures - 1)));
}

export type UnitState =
	| { readonly part: number; readonly state: 'waiting' | 'leased' }
	| { readonly part: number; readonly state: 'done'; readonly result: BlobRef }
	| { readonly part: number; readonly state: 'failed'; readonly error: WireError };

/** Progress of an unfinished job. */
export interface JobProgress {
	/** Processed seconds of the recording, all parts together. */
	readonly processed: number;
	/** Declared duration of the recording, seconds; null if unknown. */
	readonly duration: number | null;
	/** While the job waits: the number of units ahead of it, and their seconds of audio; null otherwise. */
	readonly ahead: { readonly units: number; readonly seconds: number } | null;
}

/** The waiting units of one model and class. */
export interface QueueDepth {
	readonly model: string;
	readonly class: JobPriority;
	readonly units: number;
	/** Estimated seconds of audio. */
	readonly seconds: number;
	/** When the oldest of the units was queued, Unix seconds. */
	readonly oldestQueuedAt: number;
}

export type JobEvent =
	/** Clips are numbered from the start of the recording. */
	| { readonly type: 'clip'; readonly clip: ClipEvent }
	| { readonly type: 'progress'; readonly processed: number; readonly duration: number | null }
	/** The job or its units have changed: the watcher must read them again. */
	| { readonly type: 'changed' };

export interface JobQueue {
	/** Changes nothing if the unit is in the queue already, unless it has failed: then it waits again, and so do all
	 * unfinished groups of its job. */
	enqueue(unit: Unit): Promise<void>;
	/** Leases the next unit in scheduling order that `caps` permit; null if there is none. */
	lease(caps: LeaseCaps, wait?: LeaseWait): Promise<UnitLease | null>;
	/** Drops the job's waiting units and revokes its leases: at once, or within 5 s for a worker in another process. */
	cancel(jobId: string): Promise<void>;
	/** The states of all parts, in order; empty if the queue does not know the job. */
	units(jobId: string): Promise<readonly UnitState[]>;
	progress(jobId: string): Promise<JobProgress | null>;
	/** The finished clips before the first unfinished one, numbered in order. Available until `forget`, also after the
	 * job has finished. */
	clips(jobId: string): Promise<readonly ClipEvent[]>;
	/** The waiting units of jobs. */
	depth(): Promise<readonly QueueDepth[]>;
	/** Subscribes to events from now on. The iteration ends without an error when `signal` aborts. */
	watch(jobId: string, signal: AbortSignal): AsyncIterable<JobEvent>;
	/** Publishes a `changed` event to the job's watchers. */
	announce(jobId: string): Promise<void>;
	/** Removes the job's units, clips and part results, and revokes its leases. */
	forget(jobId: string): Promise<void>;
	/** Revokes all leases with `closed`. */
	close(): Promise<void>;
}
