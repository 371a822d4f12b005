/** The clock as an interface, so that tests can control time. */
export interface Clock {
	/** Milliseconds from some fixed moment; never goes back. */
	now(): number;
	/** Calls `act` every `ms` until the returned function is called. Keeps no process alive. */
	every(ms: number, act: () => void): () => void;
	/** Calls `act` once after `ms`, unless the returned function is called before. Keeps no process alive. */
	after(ms: number, act: () => void): () => void;
}

/** The longest delay of Node's timers: 31 bits of milliseconds, about 24 days. */
export const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
	now: () => performance.now(),
	every: (ms, act) => {
		const timer = setInterval(act, ms).unref();
		return () => clearInterval(timer);
	},
	after: (ms, act) => {
		const timer = setTimeout(act, ms).unref();
		return () => clearTimeout(timer);
	},
};

/**
 * The time in which this process ran. While it is stopped (SIGSTOP, a paused container, a machine that sleeps) no
 * messages of others are received either, so that time must not count as their silence. Each interval counts as at most
 * `tickMs`: call `tick` that often.
 */
export class RunningTime {
	readonly #clock: Clock;
	readonly #tickMs: number;
	#countedMs = 0;
	#tickedMs: number;

	constructor(clock: Clock, tickMs: number) {
		this.#clock = clock;
		this.#tickMs = tickMs;
		this.#tickedMs = clock.now();
	}

	/** Milliseconds; never goes back. */
	now(): number {
		return this.#countedMs + Math.min(this.#clock.now() - this.#tickedMs, this.#tickMs);
	}

	tick(): void {
		this.#countedMs = this.now();
		this.#tickedMs = this.#clock.now();
	}
}
