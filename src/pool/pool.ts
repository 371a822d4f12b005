/** The hosts of this server: one per model in use, started when first asked for, ended when nobody asks any more. */

import { isDeepStrictEqual } from 'node:util';
import { whileWanted } from '../abort.js';
import type { Clock } from '../clock.js';
import { asEarshotError, EarshotError } from '../errors.js';
import type { PoolMetrics, UnloadReason } from '../metrics.js';
import { expectedBytes } from '../models/memory.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { ServedModels } from '../models/registry/watch.js';
import { Host } from '../runner/runner.js';
import type { HostSettings } from '../runner/settings.js';
import type { ModelFacts } from '../speech/model-info.js';
import { Resident } from './loaded-model.js';
import { MemoryBudget } from './memory-budget.js';
import type { Lease, ListedModel, ModelPool } from './model-pool.js';

export interface PoolOptions {
	readonly models: ServedModels;
	readonly settings: HostSettings;
	/** Compiled host-main.js. */
	readonly script: string;
	/** Environment of the hosts. */
	readonly env: NodeJS.ProcessEnv;
	readonly onLog?: (line: string) => void;
	readonly clock: Clock;
	readonly metrics: PoolMetrics;
	/** How long a model stays in memory without work; Infinity = for ever, 0 = not at all. */
	readonly keepAliveMs: number;
	/** What all hosts together may take; 0 = no bound. */
	readonly budgetBytes: number;
	/** What one host may take before it is replaced; 0 = as `HostOptions.maxRssBytes` says. */
	readonly maxHostBytes: number;
	/** Unix seconds at which the model's files arrived. */
	readonly createdAt: (entry: ModelEntry) => number;
}

export class HostPool implements ModelPool {
	readonly #options: PoolOptions;
	readonly #residents = new Map<string, Resident>();
	/** Their model has changed or gone; they go when what runs is through. */
	readonly #outdated = new Set<Resident>();
	readonly #budget: MemoryBudget<Resident>;
	#closing: Promise<void> | undefined;

	constructor(options: PoolOptions) {
		this.#options = options;
		const { budgetBytes, clock, models } = options;
		this.#budget = new MemoryBudget({
			budgetBytes,
			clock,
			tenants: () => [...this.#residents.values(), ...this.#outdated],
			evict: (resident) => this.#unload(resident, 'memory'),
		});
		models.onChange(() => this.#dropChanged());
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
				memoryBytes: resident?.host.memoryBytes ?? 0,
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
			const facts = await whileWanted(this.#load(resident), signal, 'request');
			const { host } = resident;
			return { facts, release, transcribe: (...call) => host.transcribe(...call) };
		} catch (thrown) {
			release();
			throw thrown;
		}
	}

	async load(model: string, signal: AbortSignal): Promise<ModelFacts> {
		const resident = await this.#find(model, signal);
		const release = resident.lease('load');
		try {
			resident.host.lift();
			return await whileWanted(this.#load(resident), signal, 'request');
		} finally {
			release();
		}
	}

	async unload(model: string): Promise<void> {
		const resident = this.#residents.get(this.#options.models.find(model).id);
		resident?.host.lift();
		await resident?.leave('asked');
	}

	close(): Promise<void> {
		this.#closing ??= Promise.all(
			[...this.#residents.values(), ...this.#outdated].map((resident) => {
				resident.stopTimer();
				return resident.host.close();
			}),
		).then(() => {});
		return this.#closing;
	}

	async #find(model: string, signal: AbortSignal): Promise<Resident> {
		const { models } = this.#options;
		const { id } = models.find(model);
		// What is in memory needs no files.
		if (this.#residents.get(id)?.host.state !== 'loaded') await models.ready(models.find(model), signal);
		if (this.#closing) throw closed();
		// It may have changed while its files came.
		return this.#residentOf(models.find(model));
	}

	/** Has a lease of its own: whoever asked may have gone before the model is there. */
	async #load(resident: Resident): Promise<ModelFacts> {
		const { host } = resident;
		if (host.state === 'loaded') return await host.start();
		const release = resident.lease('loading');
		try {
			resident.loading ??= this.#loadNow(resident).finally(() => {
				resident.loading = undefined;
			});
			return await resident.loading;
		} catch (thrown) {
			const { code } = asEarshotError(thrown);
			if (code === 'out_of_memory') this.#options.metrics.refused(resident.id, 'memory');
			if (code === 'model_on_hold') this.#options.metrics.refused(resident.id, 'hold');
			throw thrown;
		} finally {
			release();
		}
	}

	async #loadNow(resident: Resident): Promise<ModelFacts> {
		const { clock, metrics } = this.#options;
		const { id, host } = resident;
		// A host that is starting again has its memory already.
		if (host.state === 'loading') return await host.start();
		const neededBytes = this.#neededBytes(resident);
		try {
			await this.#budget.admit(resident, neededBytes, {
				isWanted: () => resident.isWanted,
				onGranted: () => {
					resident.grantedBytes = neededBytes;
				},
			});
			if (this.#closing) throw closed();
			const startedMs = clock.now();
			const facts = await host.start();
			metrics.loaded(id, (clock.now() - startedMs) / 1000);
			return facts;
		} catch (thrown) {
			if (asEarshotError(thrown).code === 'model_load_failed') metrics.loadFailed(id);
			throw thrown;
		} finally {
			resident.grantedBytes = 0;
			this.#budget.review();
		}
	}

	/** As it was the last time; what has fitted once is not refused for having been bigger than it looked. */
	#neededBytes({ host, entry }: Resident): number {
		const { budgetBytes } = this.#options;
		if (host.loadedBytes === 0) return expectedBytes(entry);
		return budgetBytes === 0 ? host.loadedBytes : Math.min(host.loadedBytes, budgetBytes);
	}

	async #unload(resident: Resident, reason: UnloadReason): Promise<void> {
		const { id, host } = resident;
		const wasLoaded = host.state === 'loaded';
		resident.stopTimer();
		resident.isEnding = true;
		await (this.#outdated.has(resident) ? host.close() : host.unload());
		resident.isEnding = false;
		// Now: a process tells how it is doing until its end.
		if (wasLoaded) this.#options.metrics.unloaded(id, reason);
		this.#outdated.delete(resident);
		this.#budget.review();
	}

	#residentOf(entry: ModelEntry): Resident {
		const found = this.#residents.get(entry.id);
		if (found) return found;
		const { settings, script, env, onLog, clock, metrics, keepAliveMs, maxHostBytes } = this.#options;
		const { id } = entry;
		const host = new Host({
			entry,
			settings,
			script,
			env,
			clock,
			maxRssBytes: maxHostBytes,
			hasRoomForTwo: () => this.#budget.hasRoomFor(host.loadedBytes),
			onMemory: () => {
				metrics.memory(id, host.memoryBytes);
				this.#budget.review();
			},
			onRestart: (reason) => metrics.restarted(id, reason),
			onReport: (report) => metrics.scheduled(id, report),
			...(onLog ? { onLog } : {}),
		});
		const resident: Resident = new Resident({
			entry,
			host,
			clock,
			keepAliveMs,
			onExpired: (reason) => this.#unload(resident, reason),
			onReleased: () => this.#budget.review(),
		});
		this.#residents.set(id, resident);
		return resident;
	}

	/** A model that is another one now, or gone, is loaded anew by the next request; what runs may finish. */
	#dropChanged(): void {
		for (const [id, resident] of this.#residents) {
			const now = this.#options.models.entries.find((each) => each.id === id);
			if (now && isDeepStrictEqual(loadedOf(now), loadedOf(resident.entry))) {
				resident.entry = now;
				continue;
			}
			this.#residents.delete(id);
			this.#outdated.add(resident);
			void resident.leave('changed');
		}
	}
}

/** Names are no reason to load again. */
function loadedOf({ type, files, options, languages }: ModelEntry): object {
	return { type, files, options, languages };
}

function closed(): EarshotError {
	return new EarshotError('closed', 'the server is shutting down');
}
