/** Runs jobs in this process: leases units from the queue while slots are free. */

import { reasonOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { JobService } from '../../jobs/job-service.js';
import { type Unit, type UnitLease, unitSchema } from '../../jobs/queue.js';
import { retryableBlobs } from './retryable-blobs.js';
import { runRequest } from './run-request.js';
import { runUnit, type UnitTools } from './run-unit.js';

export interface JobWorkerOptions extends UnitTools {
	readonly service: JobService;
	readonly log: Log;
	/** Number of units that run concurrently. */
	readonly slots?: number;
	/** Limit that includes additional units: beyond `slots`, only units whose tenant runs none on the same model. */
	readonly maxSlots?: number;
	/** Ids of models; absent = all models of the pool. */
	readonly models?: readonly string[];
}

/** One long recording keeps a model busy by itself; more of them fill the gaps at its end and the batches of short
 * ones. */
const defaultSlots = 4;
/** Additional slots, so that a short job need not wait for long jobs of other tenants. */
const defaultMaxSlots = 16;

const waitMs = 60_000;
/** Delay after a failure of the queue itself. */
const pauseMs = 1_000;

export class JobWorker {
	readonly #options: JobWorkerOptions;
	readonly #stopping = new AbortController();
	readonly #running = new Map<UnitLease, Promise<void>>();
	/** Aborts a wait for a unit when a slot becomes free, since other units may be leased then. */
	#slotFreed = new AbortController();
	#loop: Promise<void> | undefined;

	constructor(options: JobWorkerOptions) {
		const { storage } = options;
		this.#options = { ...options, storage: { ...storage, blobs: retryableBlobs(storage.blobs) } };
	}

	start(): void {
		this.#loop ??= this.#run();
	}

	/** Releases the running units, with checkpoints of their finished clips. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#slotFreed.abort();
		await this.#loop;
		await Promise.all(this.#running.values());
	}

	async #run(): Promise<void> {
		const { storage, slots = defaultSlots, maxSlots = defaultMaxSlots, models, log } = this.#options;
		while (!this.#stopping.signal.aborted && !storage.lost.aborted) {
			this.#slotFreed = new AbortController();
			const signal = AbortSignal.any([this.#slotFreed.signal, this.#stopping.signal]);
			const count = this.#running.size;
			if (count >= maxSlots) {
				await Promise.race(this.#running.values());
				continue;
			}
			try {
				const except = count < slots ? [] : [...this.#running.keys()].map(({ unit }) => placeOf(unit));
				const caps = { schema: unitSchema, except, ...(models && { models }) };
				const lease = await storage.queue.lease(caps, { waitMs, signal });
				if (lease) this.#begin(lease);
			} catch (thrown) {
				if (this.#stopping.signal.aborted || storage.lost.aborted) return;
				log.error({ err: thrown }, `no jobs could be taken: ${reasonOf(thrown)}`);
				await pause(this.#stopping.signal);
			}
		}
	}

	#begin(lease: UnitLease): void {
		const work = this.#work(lease).catch((thrown: unknown) => {
			if (this.#options.storage.lost.aborted) return;
			const { jobId } = lease.unit;
			this.#options.log.error({ job: jobId, err: thrown }, `a job could not continue: ${reasonOf(thrown)}`);
		});
		this.#running.set(
			lease,
			work.finally(() => {
				this.#running.delete(lease);
				this.#slotFreed.abort();
			}),
		);
	}

	async #work(lease: UnitLease): Promise<void> {
		const { storage, service } = this.#options;
		const { jobId, request } = lease.unit;
		if (request) {
			await runRequest(lease, request, this.#options, this.#stopping.signal);
			return;
		}
		await service.settle(jobId);
		const job = await storage.store.get(jobId);
		if (job === undefined) await storage.queue.forget(jobId);
		else if (this.#stopping.signal.aborted) await lease.release();
		else await runUnit(lease, job, this.#options, this.#stopping.signal);
		await service.settle(jobId);
	}
}

function placeOf({ model, tenant }: Unit): Pick<Unit, 'model' | 'tenant'> {
	return { model, tenant };
}

function pause(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const timer = setTimeout(resolve, pauseMs);
		signal.addEventListener('abort', () => {
			clearTimeout(timer);
			resolve();
		});
	});
}
