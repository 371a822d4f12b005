/** The server's runners: one per model in use, started on the first request and ended when idle. */

import { isDeepStrictEqual } from 'node:util';
import { abortable } from '../core/abort.js';
import type { Clock } from '../core/clock.js';
import { asEarshotError, EarshotError, type ErrorCode } from '../core/errors.js';
import { type Log, silentLog } from '../core/log.js';
import type { PoolMetrics, UnloadReason } from '../core/metrics.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import { capabilitiesOf } from '../models/capabilities.js';
import { expectedBytes } from '../models/memory.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { ServedModels } from '../models/registry/watch.js';
import { familyOf, isSherpaType } from '../models/types/types.js';
import { Runner, type RunnerOptions } from '../runner/runner.js';
import type { RunnerSettings } from '../runner/settings.js';
import { LoadedModel } from './loaded-model.js';
import { MemoryBudget } from './memory-budget.js';
import type { Lease, ListedModel, ModelPool } from './model-pool.js';
import { type LoadReason, PoolLog } from './pool-log.js';
import { type Readiness, readinessOf } from './readiness.js';

export interface PoolOptions {
	readonly models: ServedModels;
	readonly settings: RunnerSettings;
	/** Compiled runner/child/main.js. */
	readonly script: string;
	/** Environment of the runners. */
	readonly env: NodeJS.ProcessEnv;
	/** Called with each log line of a runner. */
	readonly onLog?: NonNullable<RunnerOptions['onLog']>;
	/** Default: no log. */
	readonly log?: Log;
	readonly clock: Clock;
	readonly metrics: PoolMetrics;
	/** How long an idle model stays loaded; Infinity = forever, 0 = not at all. */
	readonly keepAliveMs: number;
	/** Memory that all runners together may use; 0 = unlimited. */
	readonly budgetBytes: number;
	/** Memory of one runner above which it is replaced; 0 = the default of `RunnerOptions.maxRssBytes`. */
	readonly maxRunnerBytes: number;
	/** See `RunnerOptions`. */
	readonly hangTimeoutMs: number;
	/** When the model's files were installed, Unix seconds. */
	readonly createdAt: (entry: ModelEntry) => number;
}

/** Permanent load errors: another attempt would fail in the same way. */
const permanentFailures: readonly ErrorCode[] = [
	'model_load_failed',
	'model_too_large',
	'engine_missing',
	'internal',
];

/** Shortest time between two attempts to load a failing default model. */
const retryEveryMs = 30_000;

export class RunnerPool implements ModelPool {
	readonly #options: PoolOptions;
	readonly #loadedModels = new Map<string, LoadedModel>();
	/** Models whose entry has changed or was removed; unloaded when their requests have finished. */
	readonly #outdated = new Set<LoadedModel>();
	readonly #budget: MemoryBudget<LoadedModel>;
	readonly #log: PoolLog;
	#closing: Promise<void> | undefined;

	constructor(options: PoolOptions) {
		this.#options = options;
		const { budgetBytes, clock, models, log = silentLog } = options;
		this.#log = new PoolLog(log);
		this.#budget = new MemoryBudget({
			budgetBytes,
			clock,
			models: () => [...this.#loadedModels.values(), ...this.#outdated],
			evict: (loaded) => this.#unload(loaded, 'memory'),
		});
		models.onChange(() => this.#dropChanged());
	}

	get defaultModel(): string {
		return this.#options.models.defaultModel;
	}

	get diarizer(): string | undefined {
		return this.#options.models.diarizer;
	}

	idOf(name: string): string {
		return this.#options.models.find(name).id;
	}

	checkReadiness(): Readiness {
		const { models, clock } = this.#options;
		const id = this.defaultModel;
		const loaded = this.#loadedModels.get(id);
		const { failure } = loaded ?? {};
		// An orchestrator sends no requests to a server that is not ready, so the readiness check itself retries the load.
		if (failure && clock.now() - failure.atMs >= retryEveryMs) {
			failure.atMs = clock.now();
			this.#tryLoading(id);
		}
		return readinessOf({
			id,
			absence: models.absence(id),
			state: shownState(loaded?.runner),
			hasLoaded: loaded?.hasLoaded ?? false,
			failure: failure?.code,
		});
	}

	#tryLoading(id: string): void {
		this.lease(id, new AbortController().signal).then(
			(lease) => lease.release(),
			() => {
				// `#loadNow` has logged the failure.
			},
		);
	}

	get models(): readonly ListedModel[] {
		return this.#options.models.listed.map((entry) => {
			const loaded = this.#loadedModels.get(entry.id);
			return {
				id: entry.id,
				aliases: entry.aliases,
				type: entry.type,
				created: this.#options.createdAt(entry),
				ownedBy: entry.ownedBy,
				state: shownState(loaded?.runner),
				capabilities: loaded?.runner.lastInfo?.capabilities ?? capabilitiesOf(entry),
				demo: entry.demo,
				isStreaming: isSherpaType(entry.type) && familyOf(entry.type).chunk !== undefined,
				pid: loaded?.runner.pid ?? null,
				memoryBytes: loaded?.runner.memoryBytes ?? 0,
				requests: loaded?.requests ?? 0,
				idleMs: loaded?.idleMs ?? null,
				unloadsInMs: loaded?.unloadsInMs ?? null,
			};
		});
	}

	async lease(model: string, signal: AbortSignal): Promise<Lease> {
		const loaded = await this.#find(model, signal);
		const release = loaded.lease('work');
		try {
			const info = await abortable(this.#load(loaded, 'request'), signal, 'request');
			const { runner } = loaded;
			return {
				...{ info, release },
				transcribe: (...call) => runner.transcribe(...call),
				cut: (...call) => runner.cut(...call),
				listen: (...call) => runner.listen(...call),
			};
		} catch (thrown) {
			release();
			throw thrown;
		}
	}

	async load(model: string, signal: AbortSignal, reason: LoadReason = 'requested'): Promise<ModelInfo> {
		const loaded = await this.#find(model, signal).catch((thrown: unknown) => {
			// A load at the server's start has no request that would report the failure.
			if (reason === 'start') this.#log.loadFailed(model, thrown);
			throw thrown;
		});
		const release = loaded.lease('load');
		try {
			loaded.runner.reset();
			return await abortable(this.#load(loaded, reason), signal, 'request');
		} finally {
			release();
		}
	}

	async unload(model: string): Promise<void> {
		const loaded = this.#loadedModels.get(this.#options.models.find(model).id);
		loaded?.runner.reset();
		await loaded?.unload('requested');
	}

	close(): Promise<void> {
		this.#closing ??= Promise.all(
			[...this.#loadedModels.values(), ...this.#outdated].map((loaded) => {
				loaded.stopTimer();
				return loaded.runner.close();
			}),
		).then(() => {});
		return this.#closing;
	}

	async #find(model: string, signal: AbortSignal): Promise<LoadedModel> {
		const { models } = this.#options;
		const { id } = models.find(model);
		// A loaded model no longer needs its files.
		if (this.#loadedModels.get(id)?.runner.state !== 'loaded') await models.ready(models.find(model), signal);
		if (this.#closing) throw closed();
		// The entry may have changed while its files were fetched.
		return this.#loadedModelOf(models.find(model));
	}

	/** Holds its own lease, since the caller may cancel before the model is loaded. */
	async #load(loaded: LoadedModel, reason: LoadReason): Promise<ModelInfo> {
		const { runner } = loaded;
		if (runner.state === 'loaded') return await runner.start();
		const release = loaded.lease('loading');
		try {
			loaded.loading ??= this.#loadNow(loaded, reason).finally(() => {
				loaded.loading = undefined;
			});
			return await loaded.loading;
		} catch (thrown) {
			const { code } = asEarshotError(thrown);
			if (code === 'out_of_memory') this.#options.metrics.refused(loaded.id, 'memory');
			if (code === 'model_backoff') this.#options.metrics.refused(loaded.id, 'backoff');
			throw thrown;
		} finally {
			release();
		}
	}

	async #loadNow(loaded: LoadedModel, reason: LoadReason): Promise<ModelInfo> {
		const { clock, metrics } = this.#options;
		const { id, runner } = loaded;
		// A runner that restarts has its memory granted already.
		if (runner.state === 'loading') return await runner.start();
		const neededBytes = this.#neededBytes(loaded);
		try {
			await this.#budget.admit(loaded, neededBytes, {
				isRequested: () => loaded.isRequested,
				onGranted: () => {
					loaded.grantedBytes = neededBytes;
				},
			});
			if (this.#closing) throw closed();
			const startedMs = clock.now();
			this.#log.loading(id, reason);
			const info = await runner.start();
			const ms = clock.now() - startedMs;
			metrics.loaded(id, ms / 1000);
			loaded.hasLoaded = true;
			loaded.failure = undefined;
			this.#log.loaded(id, runner.pid, ms, runner.memoryBytes, info);
			return info;
		} catch (thrown) {
			const { code } = asEarshotError(thrown);
			if (code === 'model_load_failed' || code === 'model_too_large') metrics.loadFailed(id);
			// Other errors are temporary, such as too little memory, or the cancellation of all requests.
			if (permanentFailures.includes(code)) loaded.failure = { code, atMs: clock.now() };
			this.#log.loadFailed(id, thrown);
			throw thrown;
		} finally {
			loaded.grantedBytes = 0;
			this.#budget.review();
		}
	}

	/** Memory of the last load, else an estimate. Capped at the budget, so that a model that has been loaded once is
	 * never refused because it turned out larger than estimated. */
	#neededBytes({ runner, entry }: LoadedModel): number {
		const { budgetBytes } = this.#options;
		if (runner.loadedBytes === 0) return expectedBytes(entry);
		return budgetBytes === 0 ? runner.loadedBytes : Math.min(runner.loadedBytes, budgetBytes);
	}

	async #unload(loaded: LoadedModel, reason: UnloadReason): Promise<void> {
		const { id, runner } = loaded;
		const wasLoaded = runner.state === 'loaded';
		if (wasLoaded && !loaded.isEnding) this.#log.unloaded(id, reason);
		loaded.stopTimer();
		loaded.isEnding = true;
		await (this.#outdated.has(loaded) ? runner.close() : runner.unload());
		loaded.isEnding = false;
		// Reported only now, since the process sends its metrics until it ends.
		if (wasLoaded) this.#options.metrics.unloaded(id, reason);
		this.#outdated.delete(loaded);
		this.#budget.review();
	}

	#loadedModelOf(entry: ModelEntry): LoadedModel {
		const found = this.#loadedModels.get(entry.id);
		if (found) return found;
		const { settings, script, env, onLog, clock, metrics, keepAliveMs, maxRunnerBytes, hangTimeoutMs } =
			this.#options;
		const { id } = entry;
		const runner = new Runner({
			entry,
			settings,
			script,
			env,
			clock,
			maxRssBytes: maxRunnerBytes,
			hangTimeoutMs,
			hasRoomForTwo: () => this.#budget.hasRoomFor(runner.loadedBytes),
			onMemory: () => {
				metrics.memory(id, runner.memoryBytes);
				this.#budget.review();
			},
			onRestart: (reason) => {
				metrics.restarted(id, reason);
				this.#log.restarted(id, runner.pid, reason);
			},
			onDeath: (death) => this.#log.died(id, death),
			onReport: (report) => metrics.scheduled(id, report),
			...(onLog ? { onLog } : {}),
		});
		const loaded: LoadedModel = new LoadedModel({
			entry,
			runner,
			clock,
			keepAliveMs,
			onExpired: (reason) => this.#unload(loaded, reason),
			onReleased: () => this.#budget.review(),
		});
		this.#loadedModels.set(id, loaded);
		return loaded;
	}

	/** Retires models whose entry has changed or was removed: running requests finish, and the next one loads anew. */
	#dropChanged(): void {
		for (const [id, loaded] of this.#loadedModels) {
			const now = this.#options.models.entries.find((each) => each.id === id);
			if (now && isDeepStrictEqual(loadRelevant(now), loadRelevant(loaded.entry))) {
				loaded.entry = now;
				// Its files may have been repaired, so the next readiness check retries the load at once.
				if (loaded.failure) loaded.failure.atMs = Number.NEGATIVE_INFINITY;
				continue;
			}
			this.#loadedModels.delete(id);
			this.#outdated.add(loaded);
			void loaded.unload('changed');
			// Only a load shows whether the change has fixed the model.
			if (loaded.failure && id === this.defaultModel) this.#tryLoading(id);
		}
	}
}

function shownState(runner: Runner | undefined): ListedModel['state'] {
	const state = runner?.state ?? 'unloaded';
	return state === 'loaded' && runner?.isAnswering === false ? 'unresponsive' : state;
}

/** The fields whose change requires a reload; names do not. */
function loadRelevant({ type, files, options, languages }: ModelEntry): object {
	return { type, files, options, languages };
}

function closed(): EarshotError {
	return new EarshotError('closed', 'the server is shutting down');
}
