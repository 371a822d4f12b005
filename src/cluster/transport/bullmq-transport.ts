/** Units on BullMQ: a queue for each model, in Redis or in PostgreSQL. */

import { randomUUID } from 'node:crypto';
import type { Job, Queue, Worker } from 'bullmq';
import type { JobPriority } from '../../jobs/job.js';
import { type UnitDelivery, lockMs, type Parcel, stalledEveryMs, type Transport } from './transport.js';

/** What differs between the servers that BullMQ works on. */
export interface BullQueues {
	/** Adds to the queue of this name. */
	queue(name: string): Queue;
	/** Takes from it, without a processor. */
	worker(name: string, options: { lockDuration: number; stalledInterval: number }): Worker;
}

/** Lower goes first; 0 would go before all others. */
const priorities: Readonly<Record<JobPriority, number>> = { interactive: 1, normal: 2, bulk: 3 };

/** The record counts losses, so BullMQ need not. */
const unlimited = 1_000_000;

export const bullOptions = { maxStalledCount: unlimited } as const;

type Of = Pick<Parcel, 'jobId' | 'part' | 'model'>;

/** BullMQ's own ids are whole numbers, and it wants no colon in others. */
const idOf = ({ jobId, part }: Pick<Parcel, 'jobId' | 'part'>): string => `${jobId}-${part}`;

/** A queue's name has no colon, and a model's id may have any letter. */
export const queueName = (model: string): string => `units-${encodeURIComponent(model)}`;

export class BullTransport implements Transport {
	readonly #queues: BullQueues;
	readonly #adding = new Map<string, Queue>();
	readonly #taking = new Map<string, Promise<Worker>>();
	readonly #onError: (error: Error) => void;

	constructor(queues: BullQueues, onError: (error: Error) => void) {
		this.#queues = queues;
		this.#onError = onError;
	}

	async add(parcel: Parcel): Promise<void> {
		const { jobId, part } = parcel;
		await this.#queueOf(parcel.model).add(
			'unit',
			{ jobId, part },
			{
				jobId: idOf(parcel),
				priority: priorities[parcel.class],
				removeOnComplete: true,
				removeOnFail: true,
				attempts: 1,
			},
		);
	}

	async next(model: string): Promise<UnitDelivery | undefined> {
		const worker = await this.#workerOf(model);
		const token = randomUUID();
		const job = await worker.getNextJob(token, { block: false });
		return job && delivery(job, token);
	}

	async has(parcel: Of): Promise<boolean> {
		return (await this.#queueOf(parcel.model).getJob(idOf(parcel))) !== undefined;
	}

	async remove(parcel: Of): Promise<void> {
		// Throws for one that is locked: its holder finishes it.
		await this.#queueOf(parcel.model)
			.remove(idOf(parcel))
			.catch(() => {});
	}

	async close(): Promise<void> {
		const workers = await Promise.all(this.#taking.values());
		await Promise.all([...this.#adding.values(), ...workers].map((each) => each.close().catch(() => {})));
	}

	#queueOf(model: string): Queue {
		const known = this.#adding.get(model);
		if (known) return known;
		const queue = this.#queues.queue(queueName(model));
		queue.on('error', this.#onError);
		this.#adding.set(model, queue);
		return queue;
	}

	#workerOf(model: string): Promise<Worker> {
		const known = this.#taking.get(model);
		if (known) return known;
		const made = (async () => {
			const worker = this.#queues.worker(queueName(model), {
				lockDuration: lockMs,
				stalledInterval: stalledEveryMs,
			});
			worker.on('error', this.#onError);
			await worker.startStalledCheckTimer();
			return worker;
		})();
		this.#taking.set(model, made);
		return made;
	}
}

function delivery(job: Job, token: string): UnitDelivery {
	const { jobId, part } = job.data as { readonly jobId: string; readonly part: number };
	return {
		jobId,
		part,
		async extend() {
			try {
				await job.extendLock(token, lockMs);
				return true;
			} catch {
				return false;
			}
		},
		async finish() {
			// Without the lock another has it, who will find that nothing is to be done.
			await job.moveToCompleted(null, token, false).catch(() => {});
		},
		async again(delayMs) {
			const back = delayMs > 0 ? job.moveToDelayed(Date.now() + delayMs, token) : job.moveToWait(token);
			await back.catch(() => {});
		},
	};
}
