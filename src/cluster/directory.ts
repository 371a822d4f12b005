/** The directory of a cluster's workers: each worker announces itself in the records. */

import type { Clock } from '../core/clock.js';
import type { Capabilities } from '../core/speech/model-info.js';
import { type ModelOfWorker, type WorkerView, workersFor } from './core/placing.js';
import { objectIn } from './records/objects.js';
import type { Records } from './records/records.js';

/** The description of a model that gateways show to their clients. */
export interface ServedModel {
	readonly aliases: readonly string[];
	readonly type: string;
	/** Unix seconds. */
	readonly created: number;
	readonly ownedBy: string;
	readonly demo: boolean;
	/** null = unknown until the model is loaded. */
	readonly capabilities: Capabilities | null;
}

export interface WorkerEntry extends WorkerView {
	/** Base URL for direct requests, such as `http://10.0.0.7:8080`; '' = none: only the queue reaches the worker. */
	readonly address: string;
	readonly models: readonly (ModelOfWorker & ServedModel)[];
	readonly defaultModel: string;
	/** Id of the speaker diarization model. */
	readonly diarizer?: string;
	/** Version of the HTTP protocol that it speaks (`clusterProtocol`). */
	readonly protocol: number;
	/** As in `Unit`; absent in entries of earlier versions. */
	readonly numerics?: string;
}

/** Checks a value that was read; undefined if it does not describe a worker. */
function asWorker(value: Readonly<Record<string, unknown>> | undefined): WorkerEntry | undefined {
	const { id, address, slots, models } = (value ?? {}) as Partial<Record<keyof WorkerEntry, unknown>>;
	const isOne =
		typeof id === 'string' &&
		typeof address === 'string' &&
		typeof slots === 'number' &&
		Array.isArray(models) &&
		models.every((model) => typeof model?.id === 'string' && Array.isArray(model.aliases));
	return isOne ? (value as unknown as WorkerEntry) : undefined;
}

const recordOf = (id: string): string => `worker:${id}`;
/** Members: worker ids; scores: time of the last heartbeat, by the server's clock, ms. */
const index = 'workers';

export const announceEveryMs = 2000;
/** A worker is considered dead after five missed heartbeats. */
const expiryMs = 10_000;
/** The cached list of workers is used for this long before it is read again. */
const freshMs = 1000;
/** While the queue is unreachable, the cached list may be this old: workers continue without the queue, and one
 * that has stopped is detected when a request to it fails. */
const outageMs = 10 * 60_000;

export class Directory {
	readonly #records: Records;
	readonly #clock: Clock;
	/** Ids of the workers that this process has announced. */
	readonly #announced = new Set<string>();
	#known: readonly WorkerEntry[] = [];
	#readMs = Number.NEGATIVE_INFINITY;
	#reading: Promise<readonly WorkerEntry[]> | undefined;

	constructor(records: Records, clock: Clock) {
		this.#records = records;
		this.#clock = clock;
	}

	async announce(entry: WorkerEntry): Promise<void> {
		this.#announced.add(entry.id);
		await this.#records.commit({
			put: { [recordOf(entry.id)]: JSON.stringify(entry) },
			index: [{ name: index, member: entry.id, score: 'now' }],
		});
	}

	async withdraw(id: string): Promise<void> {
		await this.#records.commit({
			remove: [recordOf(id)],
			index: [{ name: index, member: id, score: null }],
		});
	}

	/** The list as last read, for callers that cannot wait; empty once it is older than 10 minutes. */
	get known(): readonly WorkerEntry[] {
		return this.#clock.now() - this.#readMs < outageMs ? this.#known : [];
	}

	/** The workers with a recent heartbeat; while the queue is unreachable, those last read, for up to 10 minutes. */
	async workers(): Promise<readonly WorkerEntry[]> {
		const ageMs = this.#clock.now() - this.#readMs;
		if (ageMs < freshMs) return this.#known;
		this.#reading ??= this.#read().finally(() => {
			this.#reading = undefined;
		});
		try {
			return await this.#reading;
		} catch (thrown) {
			if (ageMs < outageMs) return this.#known;
			throw thrown;
		}
	}

	async numerics(): Promise<ReadonlySet<string>> {
		const known = (await this.workers()).map(({ numerics }) => numerics);
		return new Set(known.filter((each) => each !== undefined));
	}

	/** The sum of the slots of all workers that serve the model. */
	async slotsFor(model: string): Promise<number> {
		const able = (await this.workers()).filter(({ models }) => models.some(({ id }) => id === model));
		return able.reduce((sum, { slots }) => sum + slots, 0);
	}

	/** Ids of the models for which worker `id` may lease units now, those it has loaded first; undefined = any
	 * model, if this process has not announced the worker. `waiting`: seconds of waiting audio by model. */
	async modelsFor(id: string, waiting: ReadonlyMap<string, number>): Promise<readonly string[] | undefined> {
		if (!this.#announced.has(id)) return undefined;
		const workers = await this.workers();
		const own = workers.find((worker) => worker.id === id);
		const all = [...waiting.values()].reduce((sum, each) => sum + each, 0);
		const models = (own?.models ?? []).filter((model) =>
			// Add one second, so that a worker takes the units that a dead worker had leased, which do not count as
			// waiting.
			workersFor(workers, model.id, (waiting.get(model.id) ?? 0) + 1, all).has(id),
		);
		const rank = { loaded: 0, loading: 1, unloaded: 2 } as const;
		return [...models].sort((a, b) => rank[a.state] - rank[b.state]).map((model) => model.id);
	}

	async #read(): Promise<readonly WorkerEntry[]> {
		const now = await this.#records.now();
		const heartbeats = await this.#records.between(index, 0, Number.MAX_SAFE_INTEGER, 100_000);
		const alive = heartbeats.filter(({ score }) => score >= now - expiryMs);
		for (const { member, score } of heartbeats) if (score < now - 60 * expiryMs) await this.withdraw(member);
		const found = await this.#records.get(alive.map(({ member }) => recordOf(member)));
		this.#known = found.flatMap((record) => asWorker(objectIn(record)) ?? []);
		this.#readMs = this.#clock.now();
		return this.#known;
	}
}
