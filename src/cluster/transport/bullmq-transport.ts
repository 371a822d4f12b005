/** A transport of units on BullMQ: one queue per model, in Redis or PostgreSQL. */

import { randomUUID } from 'node:crypto';
import type { Job, Queue, Worker } from 'bullmq';
import type { JobPriority } from '../../jobs/job.js';
import { lockMs, type QueueItem, stalledEveryMs, type Transport, type UnitDelivery } from './transport.js';

/** The parts that differ between the servers that BullMQ supports. */
export interface BullQueues {
	/** Opens the queue of this name, for adding jobs. */
	queue(name: string): Queue;
	/** Opens a worker of this queue, for taking jobs; it has no processor. */
	worker(name: string, options: { lockDuration: number; stalledInterval: number }): Worker;
}

/** A lower number goes first; 0 would go before all others. */
const priorities: Readonly<Record<JobPriority, number>> = { interactive: 1, normal: 2, bulk: 3 };

/** BullMQ's limit of stalls, too high to be reached: the unit's record counts deaths instead. */
const unlimited = 1_000_000;

export const bullOptions = { maxStalledCount: unlimited } as const;

type Of = Pick<QueueItem, 'jobId' | 'part' | 'model'>;

/** BullMQ generates integer ids, and allows no colon in custom ones. */
const idOf = ({ jobId, part }: Pick<QueueItem, 'jobId' | 'part'>): string => `${jobId}-${part}`;

/** A queue's name must not contain a colon, and a model's id may contain any character. */
export const queueName = (model: string): string => `units-${encodeURIComponent(model)}`;

export class BullTransport implements Transport {
	readonly #queues: BullQueues;
	readonly #adding = new Map<string, Promise<Queue>>();
	readonly #consumers = new Map<string, Promise<Worker>>();
	readonly #onError: (error: Error) => void;

	constructor(queues: BullQueues, onError: (error: Error) => void) {
		this.#queues = queues;
		this.#onError = onError;
	}

	async add(item: QueueItem): Promise<void> {
		const { jobId, part } = item;
		const queue = await this.#queueOf(item.model);
		await queue.add(
			'unit',
			{ jobId, part },
			{
				jobId: idOf(item),
				priority: priorities[item.class],
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

	async has(item: Of): Promise<boolean> {
		const queue = await this.#queueOf(item.model);
		return (await queue.getJob(idOf(item))) !== undefined;
	}

	async remove(item: Of): Promise<void> {
		const queue = await this.#queueOf(item.model);
		// Throws for a locked job, which its holder removes.
		await queue.remove(idOf(item)).catch(() => {});
	}

	async close(): Promise<void> {
		const all = [...this.#adding.values(), ...this.#consumers.values()];
		await Promise.all(all.map((each) => each.then((made) => made.close()).catch(() => {})));
	}

	#queueOf(model: string): Promise<Queue> {
		return kept(this.#adding, model, async () => {
			const queue = this.#queues.queue(queueName(model));
			return await whenReady(queue.on('error', this.#onError));
		});
	}

	#workerOf(model: string): Promise<Worker> {
		return kept(this.#consumers, model, async () => {
			const worker = await whenReady(
				this.#queues
					.worker(queueName(model), { lockDuration: lockMs, stalledInterval: stalledEveryMs })
					.on('error', this.#onError),
			);
			await worker.startStalledCheckTimer();
			return worker;
		});
	}
}

/** The entry of this name, created if there is none. If creation fails, the next call tries again. */
function kept<T>(all: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
	const known = all.get(name);
	if (known) return known;
	const made = make();
	all.set(name, made);
	made.catch(() => all.delete(name));
	return made;
}

/** BullMQ never forgets the failure of a first connection, so the failed object is closed and replaced. */
async function whenReady<T extends Queue | Worker>(made: T): Promise<T> {
	try {
		await made.waitUntilReady();
		return made;
	} catch (thrown) {
		void made.close().catch(() => {});
		throw thrown;
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
			// If the lock is lost, another worker has the job, and will find that the unit is finished.
			await job.moveToCompleted(null, token, false).catch(() => {});
		},
		async again(delayMs) {
			const back = delayMs > 0 ? job.moveToDelayed(Date.now() + delayMs, token) : job.moveToWait(token);
			await back.catch(() => {});
		},
	};
}
