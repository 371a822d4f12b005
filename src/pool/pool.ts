/** The hosts of this server: one per model in use, started when first asked for. */

import { isDeepStrictEqual } from 'node:util';
import type { ServedModels } from '../catalog/live-serving.js';
import type { ModelEntry } from '../catalog/model-entry.js';
import type { Clock } from '../clock.js';
import type { ModelFacts } from '../engines/engine.js';
import { EarshotError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { Host, type HostOptions } from './host.js';
import type { HostSettings } from './host-settings.js';
import type { Lease, ListedModel, ModelPool } from './model-pool.js';
import { Resident } from './resident.js';

export interface PoolOptions {
	readonly models: ServedModels;
	readonly settings: HostSettings;
	/** Compiled host-main.js. */
	readonly script: string;
	/** Environment of the hosts. */
	readonly env: NodeJS.ProcessEnv;
	readonly onLog?: (line: string) => void;
	/** Told what happens to the hosts. */
	readonly metrics?: Metrics;
	readonly clock: Clock;
	/** How long a model stays in memory without work; Infinity = for ever, 0 = not at all. */
	readonly keepAliveMs: number;
	/** Unix seconds at which the model's files arrived. */
	readonly createdAt: (entry: ModelEntry) => number;
}

export class HostPool implements ModelPool {
	readonly #options: PoolOptions;
	readonly #residents = new Map<string, Resident>();
	/** Their model has changed or gone; they go when what runs is through. */
	readonly #outdated = new Set<Resident>();
	#closing: Promise<void> | undefined;

	constructor(options: PoolOptions) {
		this.#options = options;
		options.models.onChange(() => this.#dropChanged());
	}

	get defaultModel(): string {
		return this.#options.models.defaultModel;
	}

	get models(): readonly ListedModel[] {
		return this.#options.models.listed.map((entry) => {
			const resident = this.#residents.get(entry.id);
			return {
				id: entry.id,
				aliases: entry.aliases,
				type: entry.type,
				created: this.#options.createdAt(entry),
				ownedBy: entry.ownedBy,
				state: resident?.host.state ?? 'unloaded',
				demo: entry.demo,
				pid: resident?.host.pid ?? null,
				requests: resident?.requests ?? 0,
				idleMs: resident?.idleMs ?? null,
				unloadsInMs: resident?.unloadsInMs ?? null,
			};
		});
	}

	async lease(model: string, signal: AbortSignal): Promise<Lease> {
		const resident = await this.#find(model, signal);
		const release = resident.lease('work');
		try {
			const facts = await whileWanted(this.#load(resident), signal);
			const { host } = resident;
			return { facts, release, transcribe: (...call) => host.transcribe(...call) };
		} catch (thrown) {
			release();
			throw thrown;
		}
	}

	async load(model: string, signal: AbortSignal): Promise<ModelFacts> {
		return await whileWanted(this.#load(await this.#find(model, signal)), signal);
	}

	close(): Promise<void> {
		this.#closing ??= Promise.all(
			[...this.#residents.values(), ...this.#outdated].map((resident) => {
				resident.stop();
				return resident.host.close();
			}),
		).then(() => {});
		return this.#closing;
	}

	async #find(model: string, signal: AbortSignal): Promise<Resident> {
		const { models } = this.#options;
		await models.ready(models.find(model), signal);
		if (this.#closing) throw new EarshotError('closed', 'the server is shutting down');
		// It may have changed while its files came.
		return this.#residentOf(models.find(model));
	}

	/** Has a lease of its own: whoever asked may have gone before the model is there. */
	async #load(resident: Resident): Promise<ModelFacts> {
		const release = resident.lease('load');
		try {
			return await resident.host.start();
		} finally {
			release();
		}
	}

	#unload(resident: Resident): void {
		const { entry, host } = resident;
		if (this.#residents.get(entry.id) === resident) void host.unload();
		else void host.close().finally(() => this.#outdated.delete(resident));
	}

	#residentOf(entry: ModelEntry): Resident {
		const found = this.#residents.get(entry.id);
		if (found) return found;
		const { settings, script, env, onLog, metrics, clock, keepAliveMs } = this.#options;
		const options: HostOptions = {
			entry,
			settings,
			script,
			env,
			...(onLog ? { onLog } : {}),
			...(metrics ? { onReport: (report) => metrics.scheduled(entry.id, report) } : {}),
		};
		const resident = new Resident({
			entry,
			host: new Host(options),
			clock,
			keepAliveMs,
			onExpired: (expired) => this.#unload(expired),
		});
		this.#residents.set(entry.id, resident);
		return resident;
	}

	/** A model that is another one now, or gone, is loaded anew by the next request; what runs may finish. */
	#dropChanged(): void {
		for (const [id, resident] of this.#residents) {
			const { entry } = resident;
			const now = this.#options.models.entries.find((each) => each.id === id);
			if (now && isDeepStrictEqual(loadedOf(now), loadedOf(entry))) {
				resident.entry = now;
				continue;
			}
			this.#residents.delete(id);
			this.#outdated.add(resident);
			resident.leave();
		}
	}
}

/** Names are no reason to load again. */
function loadedOf({ type, files, options, languages }: ModelEntry): object {
	return { type, files, options, languages };
}

/** Rejects with `cancelled` as soon as `signal` fires; the work itself goes on for others who asked. */
function whileWanted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const gone = () => reject(new EarshotError('cancelled', 'the request was cancelled'));
		if (signal.aborted) gone();
		signal.addEventListener('abort', gone, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
	});
}
