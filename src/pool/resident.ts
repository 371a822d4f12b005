/** A model's place in memory: its host, who uses it, and since when nobody does. */

import type { ModelEntry } from '../catalog/model-entry.js';
import type { Clock } from '../clock.js';
import type { Host } from './host.js';

export interface ResidentOptions {
	readonly entry: ModelEntry;
	readonly host: Host;
	readonly clock: Clock;
	/** For an entry that does not say it itself. Infinity = never unload, 0 = at once. */
	readonly keepAliveMs: number;
	/** Its time in memory is over: nobody uses it, and `keepAliveMs` have passed or it was asked to go. */
	readonly onExpired: (resident: Resident) => void;
}

export class Resident {
	readonly host: Host;
	/** Its names, and how long it stays, may change while it is in memory. */
	entry: ModelEntry;
	readonly #options: ResidentOptions;
	#requests = 0;
	#leases = 0;
	#idleSinceMs: number;
	#stopTimer: (() => void) | undefined;
	/** To go as soon as nobody uses it. */
	#leaving = false;
	/** A request has had it since it was last idle. */
	#worked = false;

	constructor(options: ResidentOptions) {
		this.#options = options;
		this.host = options.host;
		this.entry = options.entry;
		this.#idleSinceMs = options.clock.now();
	}

	get requests(): number {
		return this.#requests;
	}

	get isInMemory(): boolean {
		return this.host.state === 'loaded';
	}

	/** null while it is used, or not in memory. */
	get idleMs(): number | null {
		return this.#leases > 0 || !this.isInMemory ? null : this.#options.clock.now() - this.#idleSinceMs;
	}

	/** Until it is unloaded if nobody asks for it; null = never, or while it is used or not in memory. */
	get unloadsInMs(): number | null {
		const { idleMs } = this;
		if (idleMs === null || this.#stopTimer === undefined) return null;
		return Math.max(0, this.#keepAliveMs - idleMs);
	}

	/** It stays in memory until the returned function is called; safe to call twice. What was only loaded is not
	 * unloaded `at once`: it waits for its first request. */
	lease(purpose: 'work' | 'load'): () => void {
		const request = purpose === 'work' ? 1 : 0;
		this.#requests += request;
		this.#leases++;
		this.#worked ||= purpose === 'work';
		this.#stopTimer?.();
		this.#stopTimer = undefined;
		let released = false;
		return () => {
			if (released) return;
			released = true;
			this.#requests -= request;
			this.#leases--;
			if (this.#leases === 0) this.#rest();
		};
	}

	/** Unloads it when the last request in it is through. */
	leave(): void {
		this.#leaving = true;
		if (this.#leases === 0) this.#expire();
	}

	/** Stops its clock: somebody else ends it. */
	stop(): void {
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
		const worked = this.#worked;
		this.#worked = false;
		if (this.#leaving || (keepAliveMs === 0 && worked)) this.#expire();
		else if (keepAliveMs > 0 && keepAliveMs < Infinity)
			this.#stopTimer = clock.after(keepAliveMs, () => this.#expire());
	}

	#expire(): void {
		this.stop();
		this.#leaving = false;
		this.#options.onExpired(this);
	}
}
