/** Opens the job storage of a server: at its start if it has jobs, else with the first job. */

import { stat } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import { EarshotError, reasonOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import { jobStatuses } from '../../jobs/job.js';
import { JobService, type JobServiceOptions } from '../../jobs/job-service.js';
import type { JobStorage } from '../../jobs/storage.js';
import { JobWorker, type JobWorkerOptions } from '../job-worker/job-worker.js';

export interface OpenJobs {
	readonly storage: JobStorage;
	readonly service: JobService;
}

export interface ServerJobsOptions
	extends Omit<JobServiceOptions, 'storage'>,
		Omit<JobWorkerOptions, 'storage' | 'service' | 'elapsedMs'> {
	readonly open: () => Promise<JobStorage>;
	/** Folder of the jobs of earlier servers; undefined = the storage is always opened at the start. */
	readonly folder?: string | undefined;
	/** Whether this process runs jobs itself; default yes. */
	readonly works?: boolean | undefined;
	/** Subscribes to jobs that end in other processes: calls `ended` with each id, and `missed` if events may have been
	 * lost, until the returned function is called. */
	readonly onEnded?: ((ended: (id: string) => void, missed: () => void) => Promise<() => void>) | undefined;
	readonly clock: Clock;
	readonly log: Log;
	readonly metrics: Metrics;
}

interface Opened extends OpenJobs {
	close(): Promise<void>;
}

const sweepEveryMs = 60_000;

export class ServerJobs {
	readonly #options: ServerJobsOptions;
	#opened: Promise<Opened> | undefined;
	#isClosed = false;

	constructor(options: ServerJobsOptions) {
		this.#options = options;
		options.metrics.onScrape(() => this.#report());
	}

	/** Resumes the jobs of an earlier server, in the background. */
	start(): void {
		this.find().catch((thrown: unknown) => {
			this.#options.log.error({ err: thrown }, `jobs cannot be used: ${reasonOf(thrown)}`);
		});
	}

	/** The storage, for a new job. Throws `conflict` if another server uses it, and `closed`. */
	async get(): Promise<OpenJobs> {
		if (this.#isClosed) throw new EarshotError('closed', 'the server is shutting down');
		this.#opened ??= this.#open().catch((thrown: unknown) => {
			this.#opened = undefined;
			throw thrown;
		});
		return await this.#opened;
	}

	/** The storage; undefined if there has never been a job. */
	async find(): Promise<OpenJobs | undefined> {
		const { folder } = this.#options;
		if (this.#opened || folder === undefined) return await this.get();
		const stats = await stat(folder).catch(() => undefined);
		return stats ? await this.get() : undefined;
	}

	/** Marks the job's webhook as failed. */
	async webhookFailed(id: string): Promise<void> {
		await (await this.find())?.service.webhookFailed(id);
	}

	/** Returns unfinished work to the queue, and ends the streams of all watchers. */
	async close(): Promise<void> {
		this.#isClosed = true;
		const opened = await this.#opened?.catch(() => undefined);
		await opened?.close();
	}

	async #open(): Promise<Opened> {
		const { clock, log } = this.#options;
		const storage = await this.#options.open();
		const service = new JobService({ ...this.#options, storage });
		const worker = new JobWorker({ ...this.#options, storage, service, elapsedMs: () => clock.now() });
		let sweeping: Promise<void> | undefined;
		const sweep = (): void => {
			sweeping ??= service
				.sweep()
				.catch((thrown: unknown) => {
					if (!storage.lost.aborted && !this.#isClosed)
						log.error({ err: thrown }, `jobs could not be swept: ${reasonOf(thrown)}`);
				})
				.finally(() => {
					sweeping = undefined;
				});
		};
		// Not awaited, since thousands of jobs take seconds.
		sweep();
		const stopSweeping = clock.every(sweepEveryMs, sweep);
		if (this.#options.works !== false) worker.start();
		const unsubscribe = await this.#options.onEnded?.((id) => void service.finish(id).catch(() => {}), sweep);
		const close = async (): Promise<void> => {
			stopSweeping();
			unsubscribe?.();
			await worker.stop();
			await sweeping;
			await storage.close();
		};
		storage.lost.addEventListener('abort', () => {
			this.#opened = undefined;
			log.error({}, `jobs are no longer processed here: ${reasonOf(storage.lost.reason)}`);
			// Closed first, so that nothing is written any more: the storage now belongs to another process.
			const silent = Promise.all([storage.queue.close(), storage.store.close()]);
			void silent.then(close).catch(() => {});
		});
		return { storage, service, close };
	}

	async #report(): Promise<void> {
		const opened = await this.#opened?.catch(() => undefined);
		if (opened === undefined || this.#isClosed) return;
		const { metrics, now } = this.#options;
		const { store, queue } = opened.storage;
		// While the storage cannot be read, all other metrics are still rendered.
		const read = await Promise.all([store.usage(''), queue.depth()]).catch(() => undefined);
		if (read === undefined) return;
		const [{ byStatus }, depths] = read;
		for (const status of jobStatuses) metrics.jobs(status, byStatus[status]);
		let oldest = 0;
		for (const { model, class: kind, seconds, oldestQueuedAt } of depths) {
			metrics.jobsWaiting(model, kind, seconds);
			oldest = Math.max(oldest, now() - oldestQueuedAt);
		}
		metrics.oldestJob(oldest);
	}
}
