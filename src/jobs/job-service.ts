/** Operations on jobs, over any store, queue and blobs. Several servers may run them concurrently. */

import { EarshotError, reasonOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { WebhookEventType, WebhookSender } from '../webhooks/event.js';
import { jsonBytes, readBlob } from './blobs.js';
import type { RequestBlob, ResultBlob } from './contents.js';
import { blobNames, isFinished, isJobId, type Job, type JobPatch, newJobId } from './job.js';
import { type JobDraft, type JobLimits, newJob, refuseFull, refuseOther } from './new-job.js';
import { orphans } from './orphans.js';
import { changeBy, changeByLoss, finishedUnits, type JobRetention, unitOf } from './outcome.js';
import { deleteParts } from './parts.js';
import type { JobStorage } from './storage.js';
import type { Created, JobFilter, JobPage } from './store.js';
import { UnitResults } from './unit-results.js';

export interface JobServiceOptions {
	readonly storage: JobStorage;
	readonly limits: JobLimits;
	readonly retention: JobRetention;
	/** Unix seconds, with fractions. */
	readonly now: () => number;
	readonly log: Log;
	/** Absent: no webhook events are published. */
	readonly webhooks?: WebhookSender | undefined;
	/** Default true; false: another process publishes the webhook events. */
	readonly publishesEvents?: boolean;
}

export class JobService {
	readonly #options: JobServiceOptions;
	/** When the next search for orphaned blobs is due, Unix seconds. */
	#nextOrphans = 0;
	readonly #results: UnitResults;

	constructor(options: JobServiceOptions) {
		this.#options = options;
		this.#results = new UnitResults(options.storage, options.now);
	}

	/** Takes ownership of the recording, even if this throws: a file may be moved. Resolves when the job is durable.
	 * Throws `overloaded`, `disk_full` and `idempotency_key_reused`. */
	async submit(draft: JobDraft): Promise<Created> {
		const { store, blobs } = this.#options.storage;
		refuseFull(draft, await store.usage(draft.owner), this.#options.limits);
		const id = newJobId();
		try {
			const { recording } = draft;
			const audioKey = `${id}/${blobNames.audio}`;
			const audio =
				'path' in recording
					? await blobs.putFile(audioKey, recording.path)
					: await blobs.put(audioKey, only(recording.bytes));
			const request = await blobs.put(`${id}/${blobNames.request}`, jsonBytes(draft.request));
			const { retention, now } = this.#options;
			const job = newJob(id, draft, { audio, request, createdAt: now(), retention });
			const created = await store.create(job);
			if (!created.isNew) {
				await this.#deleteBlobs(id);
				refuseOther(created.job, job, draft);
				return created;
			}
		} catch (thrown) {
			await this.#deleteBlobs(id).catch(() => {});
			throw thrown;
		}
		// The next `settle` makes up for a failure here.
		await this.settle(id).catch((thrown: unknown) => this.#warn(id, thrown));
		return { job: (await store.get(id)) ?? missing(id), isNew: true };
	}

	/** Throws `not_found`, also for jobs of other owners. */
	async find(owner: string, id: string): Promise<Job> {
		const job = isJobId(id) ? await this.#options.storage.store.get(id) : undefined;
		if (job?.owner !== owner) return missing(id);
		return job;
	}

	list(filter: JobFilter & { readonly owner: string }): Promise<JobPage> {
		return this.#options.storage.store.list(filter);
	}

	/** Cancels an unfinished job; deletes a finished one with all its data. */
	async cancelOrDelete(job: Job): Promise<'cancelled' | 'deleted'> {
		for (let now: Job | undefined = job; now; now = await this.#options.storage.store.get(job.id)) {
			if (isFinished(now)) {
				await this.#remove(now);
				return 'deleted';
			}
			if (await this.#cancel(now)) return 'cancelled';
		}
		return missing(job.id);
	}

	/** Queues a failed job again. Throws `conflict` unless it has failed and its recording still exists. */
	async retry(job: Job): Promise<Job> {
		if (job.status !== 'failed' || job.audio === null)
			throw new EarshotError(
				'conflict',
				`The job \`${job.id}\` is ${job.status}: only a failed one, whose recording is kept, can be tried again`,
			);
		const again = { status: 'queued', error: null, completedAt: null, expiresAt: null } as const;
		const { store, queue } = this.#options.storage;
		// The unit first: another server that saw a queued job with a failed unit would fail the job again.
		await queue.enqueue(unitOf(job));
		const changed = await this.#change(job, { ...again, isPublished: false, hasWebhookFailed: false });
		if (changed === undefined) return await this.retry(await this.find(job.owner, job.id));
		// A worker may have leased the unit before this change, when its own `settle` skipped the job as failed.
		await this.settle(job.id).catch((thrown: unknown) => this.#warn(job.id, thrown));
		return (await store.get(job.id)) ?? changed;
	}

	/** Updates a job to the state of its units. Idempotent, and safe from several servers at once. */
	async settle(id: string): Promise<void> {
		const { store, queue } = this.#options.storage;
		for (;;) {
			const job = await store.get(id);
			if (job === undefined || isFinished(job)) return;
			const units = await queue.units(id);
			if (units.length === 0) {
				await queue.enqueue(unitOf(job));
				return;
			}
			const finished = finishedUnits(job, units);
			const result = finished && (await this.#results.joined(job, finished));
			if (result === 'lost') {
				await this.#restart(job);
				continue;
			}
			const { now, retention } = this.#options;
			const patch = changeBy(job, units, result, { now: now(), retention });
			if (patch === undefined) return;
			// The result is stored, so the recording is no longer needed.
			if (patch.audio === null) await this.#options.storage.blobs.delete(`${id}/${blobNames.audio}`);
			const changed = await this.#change(job, this.#ended(patch));
			if (changed && isFinished(changed)) {
				if (units.length > 1) await this.#endParts(changed);
				await this.publish(changed);
				return;
			}
		}
	}

	/** Restarts a job whose results are missing; after a few times, the job fails instead. */
	async #restart(job: Job): Promise<void> {
		const { now, retention, log } = this.#options;
		const changed = await this.#change(job, this.#ended(changeByLoss(job, { now: now(), retention })));
		if (changed === undefined) return;
		log.warn({ job: job.id, losses: changed.losses }, 'results of a job are missing from the blob store');
		await this.#forget(job.id);
		if (isFinished(changed)) await this.publish(changed);
	}

	/** Deletes the groups of a finished job. A failed job keeps them, so that a retry continues with them. */
	async #endParts({ id, status }: Job): Promise<void> {
		const { queue, blobs } = this.#options.storage;
		// Stops workers that still transcribe other groups.
		await queue.cancel(id);
		if (status !== 'failed') await deleteParts(id, blobs);
	}

	/** Throws `job_not_finished` and `not_found`. */
	async result(job: Job): Promise<ResultBlob> {
		if (job.result)
			return JSON.parse((await readBlob(this.#options.storage.blobs, job.result.key)).toString('utf8'));
		if (!isFinished(job))
			throw new EarshotError(
				'job_not_finished',
				`The job \`${job.id}\` is not finished: ask again later, or add \`partial=true\` for what there is`,
			);
		const why = job.status === 'expired' ? 'has been deleted' : `does not exist: the job is ${job.status}`;
		throw new EarshotError('not_found', `The result of the job \`${job.id}\` ${why}`);
	}

	async request(job: Job): Promise<RequestBlob> {
		return JSON.parse((await readBlob(this.#options.storage.blobs, job.request.key)).toString('utf8'));
	}

	/** Records that the complete result was read, which shortens its retention. */
	async markRead(job: Job): Promise<void> {
		const { retention, now } = this.#options;
		await this.#changeLatest(job, ({ readAt, expiresAt }) => {
			if (readAt !== null || expiresAt === null) return undefined;
			return { readAt: now(), expiresAt: Math.min(expiresAt, now() + retention.read) };
		});
	}

	/** Updates a job that another process has finished, and publishes its webhook event. */
	async finish(id: string): Promise<void> {
		await this.settle(id);
		const job = await this.#options.storage.store.get(id);
		if (job && isFinished(job)) await this.publish(job);
	}

	get #hasNoReceiver(): boolean {
		const { webhooks, publishesEvents = true } = this.#options;
		return publishesEvents && webhooks === undefined;
	}

	/** Publishes the webhook event of a finished job, unless that has been done. */
	async publish(job: Job): Promise<void> {
		if (job.isPublished || this.#options.publishesEvents === false) return;
		const { webhooks } = this.#options;
		const type = eventTypes[job.status];
		try {
			if (type) await webhooks?.send(await this.#eventOf(job, type));
			await this.#changeLatest(job, ({ isPublished }) => (isPublished ? undefined : { isPublished: true }));
		} catch (thrown) {
			// The next sweep retries.
			this.#warn(job.id, thrown);
		}
	}

	/** Records that a webhook delivery of the job was abandoned. Does nothing if the job no longer exists. */
	async webhookFailed(id: string): Promise<void> {
		const job = isJobId(id) ? await this.#options.storage.store.get(id) : undefined;
		if (job === undefined) return;
		await this.#changeLatest(job, (now) => (now.hasWebhookFailed ? undefined : { hasWebhookFailed: true }));
	}

	/** Completes work that a stopped server left unfinished, and removes expired data. */
	async sweep(): Promise<void> {
		const { store } = this.#options.storage;
		for await (const { id } of store.unfinished()) await this.#guarded(id, () => this.settle(id));
		const now = this.#options.now();
		for await (const job of store.due(now))
			await this.#guarded(job.id, async () => {
				if (!job.isPublished) await this.publish(job);
				else if (job.status === 'expired') await this.#remove(job);
				else await this.#expire(job, now);
			});
		if (now < this.#nextOrphans) return;
		this.#nextOrphans = now + orphansEverySeconds;
		for await (const { id, key } of orphans(this.#options.storage, now))
			await this.#guarded(id, () => this.#options.storage.blobs.delete(key));
	}

	#ended(patch: JobPatch): JobPatch {
		return patch.completedAt ? { ...patch, isPublished: this.#hasNoReceiver } : patch;
	}

	async #cancel(job: Job): Promise<boolean> {
		const { queue, blobs } = this.#options.storage;
		const now = this.#options.now();
		const cancelled = await this.#change(job, {
			status: 'cancelled',
			completedAt: now,
			expiresAt: now + this.#options.retention.result,
			audio: null,
			isPublished: this.#hasNoReceiver,
		});
		if (cancelled === undefined) return false;
		const isDivided = (await queue.units(job.id)).length > 1;
		await queue.cancel(job.id);
		await blobs.delete(`${job.id}/${blobNames.audio}`);
		if (isDivided) await deleteParts(job.id, blobs);
		await this.publish(cancelled);
		return true;
	}

	async #remove({ id }: Job): Promise<void> {
		const { store, queue } = this.#options.storage;
		await store.delete(id);
		await queue.announce(id);
		await this.#forget(id);
		await this.#deleteBlobs(id);
	}

	async #forget(id: string): Promise<void> {
		const { queue, blobs } = this.#options.storage;
		const isDivided = (await queue.units(id)).length > 1;
		await queue.forget(id);
		if (isDivided) await deleteParts(id, blobs);
	}

	async #expire(job: Job, now: number): Promise<void> {
		const expiresAt = now + this.#options.retention.expired;
		const expired = await this.#change(job, { status: 'expired', expiresAt, audio: null, result: null });
		if (expired === undefined) return;
		await this.#forget(job.id);
		await this.#deleteBlobs(job.id, [blobNames.audio, blobNames.result]);
	}

	/** Applies a change with optimistic concurrency: retries on each conflicting update. */
	async #changeLatest(job: Job, patchOf: (job: Job) => JobPatch | undefined): Promise<void> {
		for (let now: Job | undefined = job; now; now = await this.#options.storage.store.get(job.id)) {
			const patch = patchOf(now);
			if (patch === undefined || (await this.#change(now, patch))) return;
		}
	}

	/** undefined if the job has changed in the meantime. */
	async #change(job: Job, patch: JobPatch): Promise<Job | undefined> {
		const { store, queue } = this.#options.storage;
		const changed = await store.update(job.id, job.version, patch);
		if (changed) await queue.announce(job.id);
		return changed;
	}

	async #eventOf(job: Job, type: WebhookEventType): Promise<Parameters<WebhookSender['send']>[0]> {
		const { url, secret, includeText } = job.webhook ?? {};
		const text = includeText && job.result ? (await this.result(job)).transcript.text : undefined;
		return {
			...{ type, jobId: job.id, owner: job.owner, createdAt: job.completedAt ?? 0 },
			...{ webhookUrl: url, webhookSecret: secret, metadata: job.metadata, text },
		};
	}

	async #deleteBlobs(id: string, names: readonly string[] = Object.values(blobNames)): Promise<void> {
		for (const name of names) await this.#options.storage.blobs.delete(`${id}/${name}`);
	}

	async #guarded(id: string, act: () => Promise<void>): Promise<void> {
		try {
			await act();
		} catch (thrown) {
			this.#warn(id, thrown);
		}
	}

	#warn(job: string, thrown: unknown): void {
		this.#options.log.warn(
			{ job, err: thrown },
			`a job could not be brought up to date: ${reasonOf(thrown)}`,
		);
	}
}

const orphansEverySeconds = 3600;

const eventTypes: Partial<Record<Job['status'], WebhookEventType>> = {
	completed: 'transcription.completed',
	failed: 'transcription.failed',
	cancelled: 'transcription.cancelled',
};

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
	yield bytes;
}

function missing(id: string): never {
	throw new EarshotError('not_found', `There is no job \`${id.slice(0, 80)}\``);
}
