/** A job: a recording to be transcribed later, and what has become of it. Pure. */

import { randomBytes } from 'node:crypto';
import { EarshotError, type WireError } from '../errors.js';
import type { Task } from '../speech/transcript.js';
import type { BlobRef } from './blobs.js';

/** `expired`: its recording and result have been deleted, and the job itself soon is. */
export const jobStatuses = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired'] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** Who is served first. `bulk` waits for the others, and gets a share beside them. */
export const jobPriorities = ['interactive', 'normal', 'bulk'] as const;

export type JobPriority = (typeof jobPriorities)[number];

/** A value by which a repeated request is recognized. */
export interface RepeatKey {
	/** Unique among all owners: a digest over the owner and what the client has sent. */
	readonly key: string;
	/** The key is free again from then on, Unix seconds. */
	readonly until: number;
}

export interface JobWebhook {
	readonly url: string;
	/** Signs what is sent there; absent = unsigned. */
	readonly secret?: string;
	/** Whether the text is sent along. */
	readonly includeText?: boolean;
}

/** Times are Unix seconds of the server, with fractions. */
export interface Job {
	/** `trj_` and 32 hexadecimal digits that cannot be guessed. */
	readonly id: string;
	/** 1 at first, one more with each change. */
	readonly version: number;
	readonly status: JobStatus;
	/** The digest of the API key that made it, or `local`; nobody else sees it. */
	readonly owner: string;
	readonly task: Task;
	/** Id of the model. */
	readonly model: string;
	readonly priority: JobPriority;
	/** The `response_format` that the result has unless another is asked for. */
	readonly format: string;
	readonly metadata: Readonly<Record<string, string>>;
	/** The fields of the request as they came, in JSON: `RequestBlob`. */
	readonly request: BlobRef;
	/** Of the request and the recording: the same for the same. */
	readonly fingerprint: string;
	/** At most two: the client's `Idempotency-Key`, and the fingerprint. */
	readonly repeatKeys: readonly RepeatKey[];
	/** The recording; null after it was deleted. */
	readonly audio: BlobRef | null;
	/** Size of the recording, bytes, also after it was deleted. */
	readonly bytes: number;
	/** Length of the recording by its size, seconds, for as long as nothing better is known. */
	readonly estimatedSeconds: number;
	readonly createdAt: number;
	/** When it was last begun, or begun again. */
	readonly startedAt: number | null;
	/** When it was completed, failed or cancelled. */
	readonly completedAt: number | null;
	/** When its result is deleted; null while it is unfinished. */
	readonly expiresAt: number | null;
	/** When its result was first read as a whole. */
	readonly readAt: number | null;
	/** How often its work has begun. */
	readonly attempts: number;
	/** Of the recording, exact; null before the job is completed. */
	readonly durationSeconds: number | null;
	/** Of a failed job. */
	readonly error: WireError | null;
	/** The transcript in JSON: `ResultBlob`; null until completed and after it was deleted. */
	readonly result: BlobRef | null;
	readonly webhook?: JobWebhook;
	/** Whether several workers may transcribe it at once; absent = no. */
	readonly mayDivide?: boolean;
	/** Whether webhooks were told of the end, so that a restart tells them if they were not. */
	readonly isTold: boolean;
	/** Whether a webhook that was to tell of it was given up; absent = no. */
	readonly hasWebhookFailed?: boolean;
	/** How often results of its units were lost by the blob store; absent = never. */
	readonly losses?: number;
}

/** What may change in a job. */
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
		| 'isTold'
		| 'hasWebhookFailed'
		| 'losses'
	>
>;

/** What is stored beside a job, by the names of its blobs. */
export const blobNames = { audio: 'audio', request: 'request.json', result: 'result.json' } as const;

/** Names of blobs of a job that is divided begin with it. */
export const partPrefix = 'part-';

/** By the lease's number too, so that one who has lost it overwrites nothing. */
export const partName = (part: number, lease: number, ending: 'clips' | 'json'): string =>
	`${partPrefix}${part}-${lease}.${ending}`;

/** 128 random bits. */
export function newJobId(): string {
	return `trj_${randomBytes(16).toString('hex')}`;
}

/** Whether a text may be a job's id; others name no file and no key. */
export const isJobId = (text: string): boolean => /^trj_[0-9a-f]{32}$/.test(text);

const next: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
	queued: ['in_progress', 'failed', 'cancelled'],
	// Back to `queued` when who worked on it has died or was shut down.
	in_progress: ['queued', 'completed', 'failed', 'cancelled'],
	completed: ['expired'],
	// Tried again on request.
	failed: ['queued', 'expired'],
	cancelled: ['expired'],
	expired: [],
};

export function canBecome(from: JobStatus, to: JobStatus): boolean {
	return next[from].includes(to);
}

/** Whether nothing is done for it any more. */
export function isFinished({ status }: Pick<Job, 'status'>): boolean {
	return status !== 'queued' && status !== 'in_progress';
}

/** The job after a change. Throws `conflict` for a change of state that there is not. */
export function changed(job: Job, patch: JobPatch): Job {
	const { status = job.status } = patch;
	if (status !== job.status && !canBecome(job.status, status))
		throw new EarshotError(
			'conflict',
			`The job \`${job.id}\` is ${job.status}, so it cannot become ${status}`,
		);
	return { ...job, ...patch, version: job.version + 1 };
}
