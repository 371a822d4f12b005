/** The workers of a cluster, as each tells of itself. */

import type { Clock } from '../clock.js';
import type { ModelInfo } from '../speech/model-info.js';
import { type ModelOfWorker, type WorkerView, workersFor } from './core/placing.js';
import { objectIn } from './records/objects.js';
import type { Records } from './records/records.js';

/** What a model can do and is called, for those who ask a gateway. */
export interface ServedModel {
	readonly aliases: readonly string[];
	readonly type: string;
	/** Unix seconds. */
	readonly created: number;
	readonly ownedBy: string;
	readonly demo: boolean;
	/** Of a loaded model. */
	readonly info?: ModelInfo;
	/** As far as it is known before it is loaded. */
	readonly capabilities: ModelInfo['capabilities'] | null;
}

export interface WorkerEntry extends WorkerView {
	/** Where it takes requests, such as `http://10.0.0.7:8080`; '' = nowhere: by the queue alone. */
	readonly address: string;
	readonly models: readonly (ModelOfWorker & ServedModel)[];
	readonly defaultModel: string;
	/** Id of the model that tells who speaks when. */
	readonly diarizer?: string;
	/** Of the messages that it understands. */
	readonly protocol: number;
	/** As in `Unit`; absent in earlier versions. */
	readonly numerics?: string;
}

/** What was read; undefined for what is no worker. */
function asWorker(value: Readonly<Record<string, unknown>> | undefined): WorkerEntry | undefined {
	const { id, address, lanes, models } = (value ?? {}) as Partial<Record<keyof WorkerEntry, unknown>>;
	const isOne =
		typeof id === 'string' &&
		typeof address === 'string' &&
		typeof lanes === 'number' &&
		Array.isArray(models) &&
		models.every((model) => typeof model?.id === 'string' && Array.isArray(model.aliases));
	return isOne ? (value as unknown as WorkerEntry) : undefined;
}

const recordOf = (id: string): string => `worker:${id}`;
/** Members: ids; scores: when it was last heard of, by the server's clock. */
const index = 'workers';

export const announceEveryMs = 2000;
/** Five announcements in a row that did not come. */
const goneAfterMs = 10_000;
/** What is known may be this old. */
const freshMs = 1000;
/** As long as the queue is away, it may be this old: workers go on without it, and who has gone is found by asking. */
const outageMs = 10 * 60_000;

export class Directory {
	readonly #records: Records;
	readonly #clock: Clock;
	/** By this process. */
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

	/** As last read: for those who cannot wait. */
	get known(): readonly WorkerEntry[] {
		return this.#known;
	}

	/** Those who have been heard of lately; while the queue is away, those who were there before, for some time. */
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

	/** Lanes of all that serve the model. */
	async lanesFor(model: string): Promise<number> {
		const able = (await this.workers()).filter(({ models }) => models.some(({ id }) => id === model));
		return able.reduce((sum, { lanes }) => sum + lanes, 0);
	}

	/** Models of which this worker may take units now, those that it has loaded first; undefined = any, where it has not
	 * announced itself. `waiting`: seconds of audio by model. */
	async modelsFor(id: string, waiting: ReadonlyMap<string, number>): Promise<readonly string[] | undefined> {
		if (!this.#announced.has(id)) return undefined;
		const workers = await this.workers();
		const own = workers.find((worker) => worker.id === id);
		const all = [...waiting.values()].reduce((sum, each) => sum + each, 0);
		const models = (own?.models ?? []).filter((model) =>
			// A second more, so that somebody takes what was leased by a worker that has died.
			workersFor(workers, model.id, (waiting.get(model.id) ?? 0) + 1, all).has(id),
		);
		const rank = { loaded: 0, loading: 1, unloaded: 2 } as const;
		return [...models].sort((a, b) => rank[a.state] - rank[b.state]).map((model) => model.id);
	}

	async #read(): Promise<readonly WorkerEntry[]> {
		const now = await this.#records.now();
		const heartbeats = await this.#records.between(index, 0, Number.MAX_SAFE_INTEGER, 100_000);
		const alive = heartbeats.filter(({ score }) => score >= now - goneAfterMs);
		for (const { member, score } of heartbeats)
			if (score < now - 60 * goneAfterMs) await this.withdraw(member);
		const found = await this.#records.get(alive.map(({ member }) => recordOf(member)));
		this.#known = found.flatMap((record) => asWorker(objectIn(record)) ?? []);
		this.#readMs = this.#clock.now();
		return this.#known;
	}
}
