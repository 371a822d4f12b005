/** The work of jobs, and who does it: a queue that may hand out the same twice, and counts one result. */

import type { WireError } from '../errors.js';
import type { ClipEvent, ClipGroup } from '../speech/events.js';
import type { BlobRef } from './blobs.js';
import type { JobPriority } from './job.js';

/** Of what is in a unit: a worker gives back those with a higher one. */
export const unitSchema = 3;

/** What a version must understand to take each kind of unit, so that earlier ones take what they can. */
export const wholeSchema = 1;
export const groupSchema = 2;
export const requestSchema = 3;

/** A piece of work: a job's whole recording, or a part of it. */
export interface Unit {
	readonly jobId: string;
	/** 0: the whole recording, which a worker may divide into groups; these are 1, 2, … */
	readonly part: number;
	/** Id of the model. */
	readonly model: string;
	readonly class: JobPriority;
	/** Among whom turns are shared out: the job's owner. */
	readonly tenant: string;
	/** Of audio, as estimated. */
	readonly seconds: number;
	readonly schema: number;
	/** When it was first queued, Unix seconds. */
	readonly queuedAt: number;
	/** Whether whoever takes it may divide it; absent = no. */
	readonly mayDivide?: boolean;
	/** What a group is of the recording. */
	readonly group?: UnitGroup;
	/** Of a job that is divided: names the workers whose results are equal to the last bit. Others leave it to them. */
	readonly numerics?: string;
	/** Of a request whose client waits for the answer: the store has no job of this id. */
	readonly request?: UnitRequest;
}

/** What is transcribed for a client that waits. */
export interface UnitRequest {
	/** The recording. */
	readonly audio: BlobRef;
	/** As `encodeOptions` writes them. */
	readonly options: BlobRef;
}

export interface UnitGroup extends ClipGroup {
	/** Its clips. */
	readonly blob: BlobRef;
}

/** How a recording is divided. */
export interface UnitDivision {
	/** Groups that earlier leases have divided off, in order from the first. */
	readonly groups: readonly UnitGroup[];
	/** The next group becomes a unit of its own, which another worker may take at once. False: the lease is lost. */
	add(group: UnitGroup): Promise<boolean>;
}

/** What a worker can take. */
export interface LeaseCaps {
	/** Ids; absent = any. */
	readonly models?: readonly string[];
	/** Of units: the highest that it understands. */
	readonly schema: number;
	/** Whose units of which models do not fit, since the worker is at some of them; absent = all fit. */
	readonly except?: readonly Pick<Unit, 'model' | 'tenant'>[];
}

export interface LeaseWait {
	/** Until there is one; default 0: not at all. */
	readonly waitMs?: number;
	readonly signal?: AbortSignal;
}

/**
 * The right to work on a unit. It is lost when it is not renewed in time, when the job is cancelled, and when the queue
 * is closed; whatever is told through a lost one changes nothing, and the methods say so by `false`.
 */
export interface UnitLease {
	readonly unit: Unit;
	/** The fencing number: higher than that of any earlier lease of this unit. */
	readonly number: number;
	/** Leases of this unit since its last finished clip, this one included, without those that were released or failed;
	 * 1 or more. */
	readonly attempt: number;
	/** Clips that earlier leases have finished, in order from the first. */
	readonly clips: readonly ClipEvent[];
	/** Absent where it may not be divided, or nobody else could take a group. */
	readonly division?: UnitDivision;
	/** Aborts when the lease is lost; its reason is an EarshotError: `cancelled` if the job was, else `conflict` or `closed`. */
	readonly signal: AbortSignal;
	/** Queues call it themselves where a lease needs it; workers need not. */
	renew(): Promise<boolean>;
	/** The next clip is finished: kept for a later lease, and told to those who watch. May return before it is on disk,
	 * since a clip can be transcribed again. */
	checkpoint(clip: ClipEvent): Promise<boolean>;
	/** How far it is, seconds of the recording, and how long that is; null = unknown. */
	progress(processed: number, duration: number | null): Promise<boolean>;
	/** Compare-and-set: true for the first result of this unit while this is its latest lease. */
	done(result: BlobRef): Promise<boolean>;
	/** `retryable`: another lease may fare better, after a delay by `secondsUntilRetry`. */
	fail(error: WireError, retryable: boolean): Promise<boolean>;
	/** Gives it back unfinished, as at a shutdown: no attempt is counted. */
	release(): Promise<boolean>;
}

/** Workers that may die in a row over the same clip; then the unit has failed. */
export const maxAttempts = 3;

const firstDelaySeconds = 5;
const maxDelaySeconds = 300;
/** A full disk or a store that is down is given an hour. */
const giveUpSeconds = 3600;

/** After a retryable failure; null = no more. `failures`: in a row, this one included. `sinceSeconds`: since the first of
 * them. `askedSeconds`: as the error itself says. Pure. */
export function secondsUntilRetry(failures: number, sinceSeconds: number, askedSeconds = 0): number | null {
	if (sinceSeconds > giveUpSeconds) return null;
	return Math.max(askedSeconds, Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** (failures - 1)));
}

export type UnitState =
	| { readonly part: number; readonly state: 'waiting' | 'leased' }
	| { readonly part: number; readonly state: 'done'; readonly result: BlobRef }
	| { readonly part: number; readonly state: 'failed'; readonly error: WireError };

/** How an unfinished job fares. */
export interface JobProgress {
	/** Seconds of the recording; of all parts together. */
	readonly processed: number;
	/** As the recording declares it, seconds; null where that is unknown. */
	readonly duration: number | null;
	/** While it waits: units ahead of it, and their audio in seconds. */
	readonly ahead: { readonly units: number; readonly seconds: number } | null;
}

/** Units that wait, of one model and class. */
export interface QueueDepth {
	readonly model: string;
	readonly class: JobPriority;
	readonly units: number;
	/** Of audio, as estimated. */
	readonly seconds: number;
	/** When the oldest of them was queued, Unix seconds. */
	readonly oldestQueuedAt: number;
}

export type JobEvent =
	/** Numbered from the start of the recording. */
	| { readonly type: 'clip'; readonly clip: ClipEvent }
	| { readonly type: 'progress'; readonly processed: number; readonly duration: number | null }
	/** The job in the store has changed, or its units have: read it again. */
	| { readonly type: 'changed' };

export interface JobQueue {
	/** Changes nothing if the unit is there already, unless it has failed: then it waits again, and so do all groups of its
	 * job that are not done. */
	enqueue(unit: Unit): Promise<void>;
	/** The unit whose turn it is, of those that fit; null where there is none. */
	lease(caps: LeaseCaps, wait?: LeaseWait): Promise<UnitLease | null>;
	/** Units that wait are dropped, and leases lost: at once, or within 5 s where the worker is elsewhere. */
	cancel(jobId: string): Promise<void>;
	/** Of all parts, in order; empty where there is nothing of this job. */
	units(jobId: string): Promise<readonly UnitState[]>;
	progress(jobId: string): Promise<JobProgress | null>;
	/** Finished clips from the start of the recording up to the first that is not, numbered in order, while the job is
	 * unfinished, and after it until `forget`. */
	clips(jobId: string): Promise<readonly ClipEvent[]>;
	depth(): Promise<readonly QueueDepth[]>;
	/** Events from now on, until `signal` aborts, which ends the iteration without an error. */
	watch(jobId: string, signal: AbortSignal): AsyncIterable<JobEvent>;
	/** Tells those who watch that the job in the store has changed. */
	announce(jobId: string): Promise<void>;
	/** Removes units, clips and results of parts. Cancels what is left of it. */
	forget(jobId: string): Promise<void>;
	/** Loses all leases with `closed`. */
	close(): Promise<void>;
}
