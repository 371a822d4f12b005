/** A job: a recording that is transcribed in the background, and its state. Pure. */

import { randomBytes } from 'node:crypto';
import { EarshotError, type WireError } from '../core/errors.js';
import type { Task } from '../core/speech/transcript.js';
import type { BlobRef } from './blobs.js';

/** `expired`: the recording and the result have been deleted, and the job itself will be deleted soon. */
export const jobStatuses = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired'] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** Scheduling classes, highest priority first. `bulk` yields to the others but keeps a minimum share. */
export const jobPriorities = ['interactive', 'normal', 'bulk'] as const;

export type JobPriority = (typeof jobPriorities)[number];

/** Share of the audio that bulk units get while other units wait too, so that they never starve. */
export const bulkShare = 0.25;

/** A key by which a repeated request is recognized. */
export interface RepeatKey {
	/** Unique across owners: a digest of the owner and of what the client sent. */
	readonly key: string;
	/** When the key expires, Unix seconds. */
	readonly until: number;
}

export interface JobWebhook {
	readonly url: string;
	/** Key that signs the deliveries; absent = unsigned. */
	readonly secret?: string;
	/** Whether deliveries contain the transcript's text. */
	readonly includeText?: boolean;
}

/** Times are Unix seconds by the server's clock, with fractions. */
export interface Job {
	/** `trj_` and 32 random hexadecimal digits. */
	readonly id: string;
	/** Starts at 1; each change increments it. */
	readonly version: number;
	readonly status: JobStatus;
	/** Digest of the API key that created the job, or `local`. The job is invisible to other owners. */
	readonly owner: string;
	readonly task: Task;
	/** Id of the model. */
	readonly model: string;
	readonly priority: JobPriority;
	/** Default `response_format` of the result. */
	readonly format: string;
	readonly metadata: Readonly<Record<string, string>>;
	/** The unparsed fields of the request, in JSON: `RequestBlob`. */
	readonly request: BlobRef;
	/** Digest of the request and the recording; equal for equal requests. */
	readonly fingerprint: string;
	/** Derived from the client's `Idempotency-Key` if there is one, else from the fingerprint. */
	readonly repeatKeys: readonly RepeatKey[];
	/** The recording; null once it has been deleted. */
	readonly audio: BlobRef | null;
	/** Size of the recording in bytes; kept after the recording is deleted. */
	readonly bytes: number;
	/** Duration of the recording in seconds, estimated from its size. */
	readonly estimatedSeconds: number;
	readonly createdAt: number;
	/** When the last attempt started. */
	readonly startedAt: number | null;
	/** When the job was completed, failed or was cancelled. */
	readonly completedAt: number | null;
	/** When the result is deleted (for an expired job: the job itself); null while the job is unfinished. */
	readonly expiresAt: number | null;
	/** When the complete result was first read. */
	readonly readAt: number | null;
	/** How often the job has changed from `queued` to `in_progress`. */
	readonly attempts: number;
	/** Exact duration of the recording; null before the job is completed. */
	readonly durationSeconds: number | null;
	/** Why the job failed; null otherwise. */
	readonly error: WireError | null;
	/** The transcript in JSON: `ResultBlob`; null before completion and after its deletion. */
	readonly result: BlobRef | null;
	readonly webhook?: JobWebhook;
	/** Whether several workers may transcribe the job in parallel; absent = no. */
	readonly mayDivide?: boolean;
	/** Whether the webhook events of the job's end were published; if not, a later sweep publishes them. */
	readonly isPublished: boolean;
	/** Whether a webhook delivery of the job's end was abandoned; absent = no. */
	readonly hasWebhookFailed?: boolean;
	/** How often results of the job's units were missing from the blob store; absent = never. */
	readonly losses?: number;
}

/** The mutable fields of a job. */
export type JobPatch = Partial<
	Pick<
		Job,
		| 'status'
		| 'audio'
		| 'startedAt'
		| 'completedAt'
		| 'expiresAt'
		| 'readAt'
		| 'attempts'
		| 'durationSeconds'
		| 'error'
		| 'result'
		| 'isPublished'
		| 'hasWebhookFailed'
		| 'losses'
	>
>;

/** Names of a job's blobs, without the job id. */
export const blobNames = { audio: 'audio', request: 'request.json', result: 'result.json' } as const;

/** Prefix of the names of a divided job's blobs. */
export const partPrefix = 'part-';

/** Contains the lease's fencing token, so that a worker that lost its lease cannot overwrite a newer result. */
export const partName = (part: number, lease: number, ending: 'clips' | 'json'): string =>
	`${partPrefix}${part}-${lease}.${ending}`;

/** Checks a parsed value; undefined if it is not a job. */
export function asJob(value: unknown): Job | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { id, version, status, owner, metadata, repeatKeys, request } = value as Partial<
		Record<keyof Job, unknown>
	>;
	const isOne =
		typeof id === 'string' &&
		isJobId(id) &&
		typeof version === 'number' &&
		jobStatuses.some((each) => each === status) &&
		typeof owner === 'string' &&
		[metadata, request].every((each) => typeof each === 'object' && each !== null) &&
		Array.isArray(repeatKeys);
	return isOne ? (value as Job) : undefined;
}

/** A new id with 128 random bits. */
export function newJobId(): string {
	return `trj_${randomBytes(16).toString('hex')}`;
}

/** Whether a text has the form of a job id, and so is safe in file names and keys. */
export const isJobId = (text: string): boolean => /^trj_[0-9a-f]{32}$/.test(text);

const next: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
	queued: ['in_progress', 'failed', 'cancelled'],
	// Back to `queued` when the worker died or was shut down.
	in_progress: ['queued', 'completed', 'failed', 'cancelled'],
	completed: ['expired'],
	// Back to `queued` when the client requests a retry.
	failed: ['queued', 'expired'],
	cancelled: ['expired'],
	expired: [],
};

export function canBecome(from: JobStatus, to: JobStatus): boolean {
	return next[from].includes(to);
}

/** Whether the job is in a final state: no work is left to do. */
export function isFinished({ status }: Pick<Job, 'status'>): boolean {
	return status !== 'queued' && status !== 'in_progress';
}

/** The job after a change. Throws `conflict` for a state transition that does not exist. */
export function changed(job: Job, patch: JobPatch): Job {
	const { status = job.status } = patch;
	if (status !== job.status && !canBecome(job.status, status))
		throw new EarshotError(
			'conflict',
			`The job \`${job.id}\` is ${job.status}, so it cannot become ${status}`,
		);
	return { ...job, ...patch, version: job.version + 1 };
}
