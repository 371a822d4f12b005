/** Starts each delivery when it is due and a slot is free. */

import type { Clock } from '../core/clock.js';
import type { AttemptLimiter, AttemptUser } from './attempt-limiter.js';

export interface DueDelivery extends AttemptUser {
	readonly id: string;
	/** Unix ms. */
	readonly nextAtMs: number;
}

export interface DispatcherOptions {
	readonly limiter: AttemptLimiter;
	/** Makes one attempt. Resolves with the time of the next one, Unix ms, or null if the delivery is finished.
	 * Never rejects. */
	readonly deliver: (id: string) => Promise<number | null>;
	readonly clock: Clock;
	/** Unix ms. */
	readonly now: () => number;
}

/** Limit of a sleep: the system clock may be changed, which a timer does not notice. */
const maxSleepMs = 60_000;

export class Dispatcher {
	readonly #options: DispatcherOptions;
	readonly #waiting = new Map<string, DueDelivery>();
	readonly #running = new Map<string, Promise<void>>();
	#isStarted = false;
	#stopTimer = (): void => {};

	constructor(options: DispatcherOptions) {
		this.#options = options;
	}

	/** Number of deliveries that wait or run. */
	get size(): number {
		return this.#waiting.size + this.#running.size;
	}

	has(id: string): boolean {
		return this.#waiting.has(id) || this.#running.has(id);
	}

	/** No effect if the delivery is already known. */
	add({ id, place, owner, nextAtMs }: DueDelivery): void {
		if (this.has(id)) return;
		this.#waiting.set(id, { id, place, owner, nextAtMs });
		this.#wake();
	}

	start(): void {
		this.#isStarted = true;
		this.#wake();
	}

	/** Drops waiting deliveries and starts no more. Resolves when none is running. */
	async stop(): Promise<void> {
		this.#isStarted = false;
		this.#stopTimer();
		this.#waiting.clear();
		await this.idle();
	}

	/** Resolves when no delivery is running. */
	async idle(): Promise<void> {
		while (this.#running.size > 0) await Promise.all(this.#running.values());
	}

	#wake(): void {
		this.#stopTimer();
		if (!this.#isStarted) return;
		const { clock, now, limiter } = this.#options;
		const nowMs = now();
		const due = [...this.#waiting.values()].filter(({ nextAtMs }) => nextAtMs <= nowMs);
		for (const delivery of due.sort((a, b) => a.nextAtMs - b.nextAtMs)) {
			const release = limiter.take(delivery);
			if (release !== undefined) this.#begin(delivery, release);
		}
		// Deliveries that wait for a slot are started when a running one ends.
		const later = [...this.#waiting.values()].filter(({ nextAtMs }) => nextAtMs > nowMs);
		const sleepMs = later.reduce((least, { nextAtMs }) => Math.min(least, nextAtMs - nowMs), maxSleepMs);
		this.#stopTimer = clock.after(sleepMs, () => this.#wake());
	}

	#begin(delivery: DueDelivery, release: () => void): void {
		const { id } = delivery;
		this.#waiting.delete(id);
		const ended = this.#options.deliver(id).then((nextAtMs) => {
			release();
			this.#running.delete(id);
			if (nextAtMs !== null && this.#isStarted) this.#waiting.set(id, { ...delivery, nextAtMs });
			this.#wake();
		});
		this.#running.set(id, ended);
	}
}
