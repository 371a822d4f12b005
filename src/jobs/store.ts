/** The store of all jobs' states, as the API reports them. */

import type { Job, JobPatch, JobStatus } from './job.js';

export interface Created {
	/** The new job, or the earlier one that holds one of its repeat keys. */
	readonly job: Job;
	readonly isNew: boolean;
}

export interface JobFilter {
	/** Absent = all owners. */
	readonly owner?: string;
	readonly status?: JobStatus;
	/** The job must have all of these pairs. */
	readonly metadata?: Readonly<Record<string, string>>;
	/** Cursor: only jobs after the one with this id, in list order; an unknown id gives an empty page. */
	readonly after?: string;
	/** 1 or more. */
	readonly limit: number;
	/** Sorts by creation time, then by id. */
	readonly order: 'asc' | 'desc';
}

export interface JobPage {
	readonly jobs: readonly Job[];
	readonly hasMore: boolean;
}

export interface JobUsage {
	/** All stored jobs, including expired ones. */
	readonly jobs: number;
	/** Queued and running jobs of the owner passed to `usage`. */
	readonly unfinishedOfOwner: number;
	/** Total size of all stored recordings. */
	readonly bytes: number;
	readonly byStatus: Readonly<Record<JobStatus, number>>;
}

/** Each write is durable when it resolves. Writes throw `disk_full`, and all methods throw `closed` after `close`. */
export interface JobStore {
	/** Stores a job of version 1, unless another job holds one of its repeat keys with an `until` later than `createdAt`.
	 * Check and write are atomic. */
	create(job: Job): Promise<Created>;
	get(id: string): Promise<Job | undefined>;
	/** The changed job; undefined if its version differs or it no longer exists. Throws `conflict` as `changed` does. */
	update(id: string, version: number, patch: JobPatch): Promise<Job | undefined>;
	/** False if the job does not exist. */
	delete(id: string): Promise<boolean>;
	list(filter: JobFilter): Promise<JobPage>;
	/** Queued and running jobs, oldest first. */
	unfinished(): AsyncIterable<Job>;
	/** Finished jobs whose `expiresAt` is not after `now`, or that are not `isPublished`. `now`: Unix seconds. */
	due(now: number): AsyncIterable<Job>;
	usage(owner: string): Promise<JobUsage>;
	close(): Promise<void>;
}
