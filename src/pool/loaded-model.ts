/** A model's place in memory: its runner, who uses it, and since when nobody does. */

import type { Clock } from '../clock.js';
import type { UnloadReason } from '../metrics.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { Runner } from '../runner/runner.js';
import type { ModelInfo } from '../speech/model-info.js';
import type { Evictable } from './memory-budget.js';

export interface LoadedModelOptions {
	readonly entry: ModelEntry;
	readonly runner: Runner;
	readonly clock: Clock;
	/** For an entry that does not say it itself. Infinity = never unload, 0 = at once. */
	readonly keepAliveMs: number;
	/** Its time in memory is over: nobody uses it, and `keepAliveMs` have passed or it was told to leave. */
	readonly onExpired: (reason: UnloadReason) => Promise<void>;
	/** Somebody uses it no longer. */
	readonly onReleased: () => void;
}

/** `work` is a request, `load` is somebody who wants it in memory, `loading` is the load itself. */
type Purpose = 'work' | 'load' | 'loading';

export class LoadedModel implements Evictable {
	readonly runner: Runner;
	/** Its names, and how long it stays, may change while it is in memory. */
	entry: ModelEntry;
	/** One load however many ask. */
	loading: Promise<ModelInfo> | undefined;
	/** Granted for a load that goes on. */
	grantedBytes = 0;
	/** Its process is being ended. */
	isEnding = false;
	readonly #options: LoadedModelOptions;
	readonly #leases: Record<Purpose, number> = { work: 0, load: 0, loading: 0 };
	#idleSinceMs: number;
	#stopTimer: (() => void) | undefined;
	/** Why it is to go as soon as nobody uses it. */
	#leaving: UnloadReason | undefined;
	readonly #left: (() => void)[] = [];
	/** A request has had it since it was last idle. */
	#worked = false;

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

	get isWanted(): boolean {
		return this.#leases.work + this.#leases.load > 0;
	}

	get isBusy(): boolean {
		return this.isWanted || this.#leases.loading > 0;
	}

	get isToStay(): boolean {
		return this.#keepAliveMs === Infinity;
	}

	get bytes(): number {
		return Math.max(this.grantedBytes, this.runner.memoryBytes);
	}

	get lastUsedMs(): number {
		return this.isBusy ? this.#options.clock.now() : this.#idleSinceMs;
	}

	/** null while it is used, or not in memory. */
	get idleMs(): number | null {
		return this.isBusy || this.runner.state !== 'loaded'
			? null
			: this.#options.clock.now() - this.#idleSinceMs;
	}

	/** Until it is unloaded if nobody asks for it; null = never, or while it is used or not in memory. */
	get unloadsInMs(): number | null {
		const { idleMs } = this;
		if (idleMs === null || this.#stopTimer === undefined) return null;
		return Math.max(0, this.#keepAliveMs - idleMs);
	}

	/** It stays in memory until the returned function is called; safe to call twice. */
	lease(purpose: Purpose): () => void {
		this.#leases[purpose]++;
		this.#worked ||= purpose === 'work';
		this.stopTimer();
		let released = false;
		return () => {
			if (released) return;
			released = true;
			this.#leases[purpose]--;
			if (!this.isBusy) this.#rest();
			this.#options.onReleased();
		};
	}

	/** It is to go when the last request in it is through. Resolves when it has gone. */
	leave(reason: UnloadReason): Promise<void> {
		const left = new Promise<void>((resolve) => this.#left.push(resolve));
		if (this.isBusy) this.#leaving = reason;
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

	#rest(): void {
		const { clock } = this.#options;
		this.#idleSinceMs = clock.now();
		const keepAliveMs = this.#keepAliveMs;
		// What was only loaded is not unloaded at once: it waits for its first request.
		const atOnce = keepAliveMs === 0 && this.#worked;
		this.#worked = false;
		if (this.#leaving) this.#expire(this.#leaving);
		else if (atOnce) this.#expire('idle');
		else if (keepAliveMs > 0 && keepAliveMs < Infinity)
			this.#stopTimer = clock.after(keepAliveMs, () => this.#expire('idle'));
	}

	#expire(reason: UnloadReason): void {
		this.stopTimer();
		this.#leaving = undefined;
		const left = this.#left.splice(0);
		void this.#options.onExpired(reason).then(() => {
			for (const resolve of left) resolve();
		});
	}
}
