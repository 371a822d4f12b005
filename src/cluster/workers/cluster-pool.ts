/** Presents all models of a cluster as one pool: recordings are sent over HTTP to a worker with a free slot, which
 * returns their events. */

import type { Clock } from '../../core/clock.js';
import { asEarshotError, EarshotError, fromWire } from '../../core/errors.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { TranscriptEvent } from '../../core/speech/transcript.js';
import type { Lease, ListedModel, ModelPool } from '../../pool/model-pool.js';
import type { Readiness } from '../../pool/readiness.js';
import { chooseWorker } from '../core/placing.js';
import type { Directory, WorkerEntry } from '../directory.js';
import type { QueuedRequests, RequestWork } from './queued-requests.js';
import { type WorkerClient, WorkerLost, WorkerUnreachable } from './worker-client.js';

export interface ClusterPoolOptions {
	readonly directory: Directory;
	readonly client: WorkerClient;
	/** For recordings that no worker accepts directly; the pool closes it. */
	readonly queued: QueuedRequests;
	readonly clock: Clock;
	/** The models of this process, which are preferred; undefined = none. */
	readonly local?: ModelPool | undefined;
	/** '' = the default model of the workers. */
	readonly defaultModel: string;
	/** Whether the local models have room for another recording. */
	readonly hasLocalCapacity?: () => boolean;
}

const readEveryMs = 1000;
/** Poll interval while no worker has room. */
const askEveryMs = 250;
/** After this long without a free worker, a recording goes through the queue. */
const queuedAfterMs = 1000;
/** After this long without a free worker, a request to load a model fails. */
const noCapacityAfterMs = 30_000;
/** A worker that refused a connection is skipped for this long. */
const unreachableMs = 30_000;
/** Workers tried for one recording, one after the other, while no text of it has been received. */
const maxWorkers = 3;

export class ClusterPool implements ModelPool {
	readonly #options: ClusterPoolOptions;
	readonly #stop: () => void;
	/** Recordings in flight from this process, by worker id. */
	readonly #sent = new Map<string, number>();
	/** Until when unreachable workers are skipped, ms of the clock, by worker id. */
	readonly #unreachable = new Map<string, number>();

	constructor(options: ClusterPoolOptions) {
		this.#options = options;
		const read = () => void options.directory.workers().catch(() => {});
		read();
		this.#stop = options.clock.every(readEveryMs, read);
	}

	get models(): readonly ListedModel[] {
		const local = this.#options.local?.models ?? [];
		const listed = new Map(local.map((model) => [model.id, model]));
		for (const worker of this.#options.directory.known) {
			for (const model of worker.models) {
				const { id, state } = model;
				const so = listed.get(id);
				if (so && (so.state === 'loaded' || state !== 'loaded')) continue;
				listed.set(id, listedOf(model));
			}
		}
		return [...listed.values()];
	}

	get defaultModel(): string {
		const { local, defaultModel, directory } = this.#options;
		return local?.defaultModel ?? (defaultModel || (directory.known[0]?.defaultModel ?? ''));
	}

	get diarizer(): string | undefined {
		const { local, directory } = this.#options;
		return local?.diarizer ?? directory.known.find(({ diarizer }) => diarizer !== undefined)?.diarizer;
	}

	checkReadiness(): Readiness {
		const { local, directory } = this.#options;
		if (local) return local.checkReadiness();
		if (directory.known.length === 0) return { status: 'degraded', reason: 'No worker is available' };
		const { defaultModel, models } = this;
		const isServed = models.some(({ id, aliases }) => id === defaultModel || aliases.includes(defaultModel));
		if (isServed) return { status: 'ok' };
		return { status: 'degraded', reason: `No worker serves the default model \`${defaultModel}\`` };
	}

	idOf(name: string): string {
		const { models } = this;
		const found =
			models.find(({ id }) => id === name) ?? models.find(({ aliases }) => aliases.includes(name));
		if (found) return found.id;
		const { local, directory } = this.#options;
		if (local) return local.idOf(name);
		if (directory.known.length === 0) throw noWorkers();
		const known = models.map(({ id }) => id).join(', ');
		throw new EarshotError('model_not_found', `No worker serves a model \`${name}\`; they serve ${known}`);
	}

	async lease(model: string, signal: AbortSignal, purpose?: 'live'): Promise<Lease> {
		const { local, directory, hasLocalCapacity } = this.#options;
		// A live session needs neither workers nor the queue.
		if (purpose !== 'live') await directory.workers();
		const id = this.idOf(model);
		const isLocal = local?.models.some((each) => each.id === id) ?? false;
		if (local && isLocal && (purpose === 'live' || (hasLocalCapacity?.() ?? true)))
			return await local.lease(id, signal);
		if (purpose === 'live') refuseLive(id);
		const found = await this.#find(id, isLocal ? 0 : queuedAfterMs, signal);
		// No worker is free, so the recording waits for a slot of this process.
		if (found === undefined && local && isLocal) return await local.lease(id, signal);
		return {
			info: found?.info ?? this.#announcedInfo(id),
			release: () => {},
			transcribe: (recording, options, aborted) =>
				this.#transcribe(id, found?.worker, { recording, options }, aborted),
			listen: () => refuseLive(id),
		};
	}

	async load(model: string, signal: AbortSignal): Promise<ModelInfo> {
		const { local } = this.#options;
		const id = this.idOf(model);
		if (local?.models.some((each) => each.id === id)) return await local.load(id, signal);
		const worker = await this.#choose(id, new Set(), noCapacityAfterMs, signal);
		if (worker === undefined) throw noCapacity();
		return await this.#call(() => this.#options.client.load(worker.address, id, signal));
	}

	async unload(model: string): Promise<void> {
		const { local, directory, client } = this.#options;
		const id = this.idOf(model);
		if (local?.models.some((each) => each.id === id)) await local.unload(id);
		const able = (await directory.workers()).filter(
			({ address, models }) =>
				address !== '' && models.some((each) => each.id === id && each.state !== 'unloaded'),
		);
		await Promise.all(
			able.map(({ address }) => this.#call(() => client.unload(address, id, new AbortController().signal))),
		);
	}

	/** The caller closes the local models. */
	async close(): Promise<void> {
		this.#stop();
		this.#options.queued.close();
		await this.#options.client.close();
	}

	/** A worker that can be reached, with the description of the model; undefined: none was found. */
	async #find(
		model: string,
		waitMs: number,
		signal: AbortSignal,
	): Promise<{ worker: WorkerEntry; info: ModelInfo } | undefined> {
		const failed = new Set<string>();
		for (;;) {
			const worker = await this.#choose(model, failed, waitMs, signal);
			if (worker === undefined) return undefined;
			try {
				return { worker, info: await this.#infoOf(worker, model, signal) };
			} catch (thrown) {
				if (!(thrown instanceof WorkerLost)) throw thrown;
				this.#noteUnreachable(worker, thrown);
				failed.add(worker.id);
				if (failed.size >= maxWorkers) return undefined;
			}
		}
	}

	/** The description of a model for which no worker could be reached directly. Throws `overloaded` if it is
	 * unknown. */
	#announcedInfo(id: string): ModelInfo {
		const { directory } = this.#options;
		for (const { models } of directory.known) {
			const info = announcedInfo(models, id);
			if (info) return info;
		}
		throw unknownModel(id);
	}

	#noteUnreachable({ id }: WorkerEntry, thrown: WorkerLost): void {
		if (!(thrown instanceof WorkerUnreachable)) return;
		this.#unreachable.set(id, this.#options.clock.now() + unreachableMs);
	}

	async #infoOf({ address, models }: WorkerEntry, id: string, signal: AbortSignal): Promise<ModelInfo> {
		return announcedInfo(models, id) ?? (await this.#options.client.load(address, id, signal));
	}

	async #call<T>(call: () => Promise<T>): Promise<T> {
		try {
			return await call();
		} catch (thrown) {
			throw asClosed(thrown);
		}
	}

	/** A worker with room for the model. Undefined: none had room within `waitMs`, or none can be reached directly. */
	async #choose(
		model: string,
		except: ReadonlySet<string>,
		waitMs: number,
		signal: AbortSignal,
	): Promise<WorkerEntry | undefined> {
		const { directory, clock } = this.#options;
		const until = clock.now() + waitMs;
		for (;;) {
			const workers = (await directory.workers()).filter(
				(worker) => !except.has(worker.id) && this.#isReachable(worker, model),
			);
			if (workers.length === 0) return undefined;
			const views = workers.map((worker) => ({
				...worker,
				busySlots: worker.busySlots + (this.#sent.get(worker.id) ?? 0),
			}));
			const chosen = chooseWorker(views, model);
			if (chosen) return workers.find(({ id }) => id === chosen.id);
			if (clock.now() >= until) return undefined;
			await pause(askEveryMs, clock, signal);
		}
	}

	#isReachable({ id, address, models }: WorkerEntry, model: string): boolean {
		if (address === '' || !models.some((each) => each.id === model)) return false;
		return (this.#unreachable.get(id) ?? 0) <= this.#options.clock.now();
	}

	/** While no text has been received, another worker takes over after a failure, and after `maxWorkers` failures
	 * the queue. `first`: undefined = the queue at once. */
	async *#transcribe(
		model: string,
		first: WorkerEntry | undefined,
		work: RequestWork,
		signal: AbortSignal,
	): AsyncGenerator<TranscriptEvent> {
		const failed = new Set<string>();
		let worker = first;
		let hasBegun = false;
		for (;;) {
			let hasText = false;
			try {
				const events: AsyncIterable<TranscriptEvent> = worker
					? this.#at(worker, model, work, signal)
					: this.#options.queued.transcribe(model, work, signal);
				for await (const event of events) {
					if (event.type === 'started' && hasBegun) continue;
					hasBegun = true;
					hasText ||= event.type !== 'started';
					yield event;
				}
				return;
			} catch (thrown) {
				if (!(thrown instanceof WorkerLost) || worker === undefined) throw thrown;
				this.#noteUnreachable(worker, thrown);
				failed.add(worker.id);
				if (hasText)
					throw new EarshotError('closed', `The worker is unreachable: ${asEarshotError(thrown).message}`, {
						cause: thrown,
					});
				const isEnough = failed.size >= maxWorkers;
				worker = isEnough ? undefined : await this.#choose(model, failed, queuedAfterMs, signal);
			}
		}
	}

	async *#at(
		worker: WorkerEntry,
		model: string,
		work: RequestWork,
		signal: AbortSignal,
	): AsyncGenerator<TranscriptEvent> {
		const ended = new AbortController();
		this.#sent.set(worker.id, (this.#sent.get(worker.id) ?? 0) + 1);
		let isDone = false;
		try {
			const both = AbortSignal.any([signal, ended.signal]);
			for await (const reply of this.#options.client.transcribe(worker.address, model, work, both)) {
				if ('error' in reply) throw fromWire(reply.error);
				if (!('event' in reply)) continue;
				isDone ||= reply.event.type === 'done';
				yield reply.event;
			}
			if (!isDone) throw new WorkerLost(`${worker.address} ended its answer too early`);
		} finally {
			ended.abort();
			this.#sent.set(worker.id, Math.max(0, (this.#sent.get(worker.id) ?? 1) - 1));
		}
	}
}

/** What workers announce of a model; undefined while its capabilities are unknown. */
function announcedInfo(models: WorkerEntry['models'], id: string): ModelInfo | undefined {
	const { type = '', capabilities } = models.find((each) => each.id === id) ?? {};
	return capabilities ? { id, engine: '', type, device: '', capabilities } : undefined;
}

const asClosed = (thrown: unknown): unknown =>
	thrown instanceof WorkerLost ? new EarshotError('closed', thrown.message, { cause: thrown }) : thrown;

function listedOf(model: WorkerEntry['models'][number]): ListedModel {
	const { id, aliases, type, created, ownedBy, demo, state, capabilities } = model;
	return {
		...{ id, aliases, type, created, ownedBy, demo, state, capabilities },
		isStreaming: false,
		pid: null,
		memoryBytes: state === 'unloaded' ? 0 : model.bytes,
		requests: 0,
		idleMs: null,
		unloadsInMs: null,
	};
}

const noWorkers = (): EarshotError =>
	new EarshotError('closed', 'No worker is running: start one with `earshot worker`', {
		retryAfterSeconds: 5,
	});

const noCapacity = (): EarshotError =>
	new EarshotError('overloaded', 'No worker has room for this recording: try again later', {
		retryAfterSeconds: 5,
	});

function refuseLive(id: string): never {
	throw new EarshotError('unsupported_value', `Live sessions need a server that runs \`${id}\` itself`);
}

const unknownModel = (id: string): EarshotError =>
	new EarshotError(
		'overloaded',
		`No worker that can be connected to has room for \`${id}\`, and what it supports is unknown until a worker has loaded it: try again later, or create a job`,
		{ retryAfterSeconds: 5 },
	);

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const abort = () => {
			stop();
			reject(new EarshotError('cancelled', 'the recording was cancelled'));
		};
		const stop = clock.after(ms, () => {
			signal.removeEventListener('abort', abort);
			resolve();
		});
		if (signal.aborted) abort();
		else signal.addEventListener('abort', abort, { once: true });
	});
}
