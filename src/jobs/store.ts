/** The state of all jobs: what users are told. */

import type { Job, JobPatch, JobStatus } from './job.js';

export interface Created {
	/** The new job, or the one that has one of its repeat keys. */
	readonly job: Job;
	readonly isNew: boolean;
}

export interface JobFilter {
	/** Absent = everybody's. */
	readonly owner?: string;
	readonly status?: JobStatus;
	/** Pairs that the job has all of. */
	readonly metadata?: Readonly<Record<string, string>>;
	/** Only those behind this one, in the order of the list; an id that is not there leaves nothing. */
	readonly after?: string;
	/** 1 or more. */
	readonly limit: number;
	/** By the time of creation; jobs of the same time by id. */
	readonly order: 'asc' | 'desc';
}

export interface JobPage {
	readonly jobs: readonly Job[];
	readonly hasMore: boolean;
}

export interface JobUsage {
	/** Jobs that are there, expired ones too. */
	readonly jobs: number;
	/** Of the owner asked for: queued and in progress. */
	readonly unfinishedOfOwner: number;
	/** Of all recordings that are kept. */
	readonly bytes: number;
	readonly byStatus: Readonly<Record<JobStatus, number>>;
}

/** Each call is durable when it resolves. All throw `disk_full` where they write, and `closed` after `close`. */
export interface JobStore {
	/** Stores a job of version 1, unless another has one of its repeat keys whose `until` is later than its `createdAt`:
	 * that decision is one step. */
	create(job: Job): Promise<Created>;
	get(id: string): Promise<Job | undefined>;
	/** The changed job; undefined if it is of another version by now, or gone. Throws `conflict` as `changed` does. */
	update(id: string, version: number, patch: JobPatch): Promise<Job | undefined>;
	/** False where there is none. */
	delete(id: string): Promise<boolean>;
	list(filter: JobFilter): Promise<JobPage>;
	/** Queued and in progress, oldest first. */
	unfinished(): AsyncIterable<Job>;
	/** Finished, and of these: with an `expiresAt` up to `now`, or not `isTold`. */
	due(now: number): AsyncIterable<Job>;
	usage(owner: string): Promise<JobUsage>;
	close(): Promise<void>;
}
