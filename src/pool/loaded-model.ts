/** A model of the pool: its runner, its leases, and its keep-alive timer. */

import type { Clock } from '../core/clock.js';
import type { ErrorCode } from '../core/errors.js';
import type { UnloadReason } from '../core/metrics.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { Runner } from '../runner/runner.js';
import type { Evictable } from './memory-budget.js';

export interface LoadedModelOptions {
	readonly entry: ModelEntry;
	readonly runner: Runner;
	readonly clock: Clock;
	/** Default for entries without a `keepAliveMs`. Infinity = never unload, 0 = unload right after the last request. */
	readonly keepAliveMs: number;
	/** Unloads the model: it is idle, and `keepAliveMs` have passed or `leave` was called. */
	readonly onExpired: (reason: UnloadReason) => Promise<void>;
	/** Called after the release of a lease. */
	readonly onReleased: () => void;
}

export interface LoadFailure {
	readonly code: ErrorCode;
	/** Time of the last attempt, by the pool's clock. */
	atMs: number;
}

/** `work`: a transcription; `load`: a request to load the model; `loading`: the load in progress. */
type Purpose = 'work' | 'load' | 'loading';

export class LoadedModel implements Evictable {
	readonly runner: Runner;
	/** Its aliases and `keepAliveMs` may change while the model is loaded. */
	entry: ModelEntry;
	/** The load in progress, shared by all callers. */
	loading: Promise<ModelInfo> | undefined;
	/** Bytes of the memory budget granted to the load in progress. */
	grantedBytes = 0;
	/** Whether the model's process is being ended. */
	isEnding = false;
	hasLoaded = false;
	/** Failure of the last load; undefined after a successful one. */
	failure: LoadFailure | undefined;
	readonly #options: LoadedModelOptions;
	readonly #leases: Record<Purpose, number> = { work: 0, load: 0, loading: 0 };
	#idleSinceMs: number;
	#stopTimer: (() => void) | undefined;
	/** Why the model is unloaded as soon as it is idle; undefined = it stays loaded. */
	#unloadReason: UnloadReason | undefined;
	readonly #left: (() => void)[] = [];
	/** Whether a transcription has run since the model was last idle. */
	#hasWorked = false;

	constructor(options: LoadedModelOptions) {
		this.#options = options;
		this.runner = options.runner;
		this.entry = options.entry;
		this.#idleSinceMs = options.clock.now();
	}

	get id(): string {
		return this.entry.id;
	}

	get requests(): number {
		return this.#leases.work;
	}

	get isRequested(): boolean {
		return this.#leases.work + this.#leases.load > 0;
	}

	get isBusy(): boolean {
		return this.isRequested || this.#leases.loading > 0;
	}

	get isPinned(): boolean {
		return this.#keepAliveMs === Infinity;
	}

	get bytes(): number {
		return Math.max(this.grantedBytes, this.runner.memoryBytes);
	}

	get lastUsedMs(): number {
		return this.isBusy ? this.#options.clock.now() : this.#idleSinceMs;
	}

	/** Time since the last request; null while the model is in use or not loaded. */
	get idleMs(): number | null {
		return this.isBusy || this.runner.state !== 'loaded'
			? null
			: this.#options.clock.now() - this.#idleSinceMs;
	}

	/** Time until the model is unloaded if no request arrives; null = never, or while it is in use or not loaded. */
	get unloadsInMs(): number | null {
		const { idleMs } = this;
		if (idleMs === null || this.#stopTimer === undefined) return null;
		return Math.max(0, this.#keepAliveMs - idleMs);
	}

	/** Keeps the model loaded until the returned function is called, which is safe to call twice. */
	lease(purpose: Purpose): () => void {
		this.#leases[purpose]++;
		this.#hasWorked ||= purpose === 'work';
		this.stopTimer();
		let released = false;
		return () => {
			if (released) return;
			released = true;
			this.#leases[purpose]--;
			if (!this.isBusy) this.#becomeIdle();
			this.#options.onReleased();
		};
	}

	/** Unloads the model once its last request has finished. Resolves when it is unloaded. */
	unload(reason: UnloadReason): Promise<void> {
		const left = new Promise<void>((resolve) => this.#left.push(resolve));
		if (this.isBusy) this.#unloadReason = reason;
		else this.#expire(reason);
		return left;
	}

	stopTimer(): void {
		this.#stopTimer?.();
		this.#stopTimer = undefined;
	}

	get #keepAliveMs(): number {
		return this.entry.keepAliveMs ?? this.#options.keepAliveMs;
	}

	#becomeIdle(): void {
		const { clock } = this.#options;
		this.#idleSinceMs = clock.now();
		const keepAliveMs = this.#keepAliveMs;
		// A model that was only loaded, not used, stays for its first request.
		const atOnce = keepAliveMs === 0 && this.#hasWorked;
		this.#hasWorked = false;
		if (this.#unloadReason) this.#expire(this.#unloadReason);
		else if (atOnce) this.#expire('idle');
		else if (keepAliveMs > 0 && keepAliveMs < Infinity)
			this.#stopTimer = clock.after(keepAliveMs, () => this.#expire('idle'));
	}

	#expire(reason: UnloadReason): void {
		this.stopTimer();
		this.#unloadReason = undefined;
		const left = this.#left.splice(0);
		void this.#options.onExpired(reason).then(() => {
			for (const resolve of left) resolve();
		});
	}
}
