/** Creation of a job, and the limits that prevent it. Pure. */

import { createHash } from 'node:crypto';
import { EarshotError } from '../core/errors.js';
import type { Recording } from '../core/speech/recording.js';
import type { BlobRef } from './blobs.js';
import type { RequestBlob } from './contents.js';
import type { Job, RepeatKey } from './job.js';
import type { JobRetention } from './outcome.js';
import type { JobUsage } from './store.js';

export interface JobLimits {
	/** All stored jobs, including expired ones. */
	readonly maxJobs: number;
	/** Queued and running jobs of one API key. */
	readonly maxJobsPerKey: number;
	/** Total size of all stored recordings. */
	readonly maxBytes: number;
}

/** The input of a new job. */
export interface JobDraft
	extends Pick<Job, 'owner' | 'task' | 'model' | 'priority' | 'format' | 'metadata' | 'estimatedSeconds'> {
	readonly webhook?: Job['webhook'];
	readonly mayDivide?: boolean;
	readonly request: RequestBlob;
	readonly recording: Recording;
	/** Size of the recording in bytes. */
	readonly bytes: number;
	/** Value of the client's `Idempotency-Key` header. */
	readonly idempotencyKey?: string | undefined;
}

const retryFullSeconds = 60;

export interface NewJobParts {
	readonly audio: BlobRef;
	readonly request: BlobRef;
	readonly createdAt: number;
	readonly retention: JobRetention;
}

export function newJob(
	id: string,
	draft: JobDraft,
	{ audio, request, createdAt, retention }: NewJobParts,
): Job {
	const { owner, task, model, priority, format, metadata, bytes, estimatedSeconds, webhook, mayDivide } =
		draft;
	const fingerprint = fingerprintOf(draft, audio);
	return {
		...{ id, version: 1, status: 'queued', owner, task, model, priority, format, metadata, request },
		...{ fingerprint, repeatKeys: repeatKeys(draft, fingerprint, createdAt, retention), audio, bytes },
		...{ estimatedSeconds, createdAt, startedAt: null, completedAt: null, expiresAt: null, readAt: null },
		...{ attempts: 0, durationSeconds: null, error: null, result: null, isPublished: false },
		...(webhook && { webhook }),
		...(mayDivide && { mayDivide }),
	};
}

function repeatKeys(
	{ owner, idempotencyKey }: JobDraft,
	fingerprint: string,
	createdAt: number,
	{ idempotency, dedupe }: JobRetention,
): RepeatKey[] {
	// An explicit idempotency key replaces deduplication by content.
	if (idempotencyKey !== undefined)
		return [{ key: digest('key', owner, idempotencyKey), until: createdAt + idempotency }];
	return dedupe > 0 ? [{ key: digest('same', owner, fingerprint), until: createdAt + dedupe }] : [];
}

/** Throws `idempotency_key_reused` if the earlier job with this key was created by a different request. */
export function refuseOther(
	{ fingerprint }: Job,
	wanted: Job,
	{ idempotencyKey }: Pick<JobDraft, 'idempotencyKey'>,
): void {
	if (idempotencyKey === undefined || fingerprint === wanted.fingerprint) return;
	throw new EarshotError(
		'idempotency_key_reused',
		'Expected the header `Idempotency-Key` to be new for each request: an earlier one with this key had other fields or another file',
		{ param: 'Idempotency-Key' },
	);
}

/** Enforces the limits. Throws `overloaded` and `disk_full`. */
export function refuseFull(
	{ bytes }: Pick<JobDraft, 'bytes'>,
	usage: JobUsage,
	{ maxJobs, maxJobsPerKey, maxBytes }: JobLimits,
): void {
	const full = (what: string) =>
		new EarshotError('overloaded', `${what}; try again in ${retryFullSeconds} s`, {
			retryAfterSeconds: retryFullSeconds,
		});
	if (usage.unfinishedOfOwner >= maxJobsPerKey)
		throw full(`This key has ${usage.unfinishedOfOwner} jobs that are not finished, limit ${maxJobsPerKey}`);
	if (usage.jobs >= maxJobs)
		throw full(`This server keeps ${usage.jobs} jobs, limit ${maxJobs}: delete some that are finished`);
	if (usage.bytes + bytes > maxBytes)
		throw new EarshotError(
			'disk_full',
			`The recordings of jobs take ${usage.bytes} bytes, and with this one more than the limit of ${maxBytes}: wait until some are finished`,
		);
}

/** Digest of everything that determines the result. */
function fingerprintOf({ task, model, request }: JobDraft, { sha256 }: BlobRef): string {
	const fields = [...request.fields].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
	return digest(task, model, JSON.stringify(fields), sha256);
}

function digest(...parts: readonly string[]): string {
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
