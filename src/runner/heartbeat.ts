/**
 * Detects a hung process: while it has work, it receives a ping every few seconds, which its event loop answers at
 * once, however long its clips take. The time-out counts unanswered pings instead of elapsed time, since no pings are
 * sent while the machine sleeps or all its processes are stopped.
 */

import type { Clock } from '../core/clock.js';

export interface HeartbeatOptions {
	readonly clock: Clock;
	/** Time without an answer after which the process counts as hung, ms; 0 = never. */
	readonly timeoutMs: number;
	/** Sends a ping to the process. */
	readonly ping: () => void;
	/** Called once, when the process counts as hung. */
	readonly onHung: () => void;
}

/** Longest interval between pings: rare enough to cost nothing. */
const maxEveryMs = 5_000;
/** Pings within the time-out, so that a single late answer does not exceed it. */
const pingsWithinTimeout = 6;

export class Heartbeat {
	readonly #options: HeartbeatOptions;
	/** Interval between pings. */
	readonly everyMs: number;
	#isWorking = false;
	#stopTimer: (() => void) | undefined;
	/** Time covered by unanswered pings; undefined = all pings were answered, or none was sent. */
	#silentMs: number | undefined;
	#isEnded = false;

	constructor(options: HeartbeatOptions) {
		this.#options = options;
		this.everyMs = Math.min(maxEveryMs, options.timeoutMs / pingsWithinTimeout);
	}

	/** Whether the process has answered the last ping within one interval. */
	get isAnswering(): boolean {
		return this.#silentMs === undefined || this.#silentMs < this.everyMs;
	}

	/** The process has received work. */
	begin(): void {
		this.#isWorking = true;
		if (this.#isEnded || this.#options.timeoutMs === 0) return;
		this.#stopTimer ??= this.#options.clock.every(this.everyMs, () => this.#tick());
	}

	/** The process has no more work. Pings continue while one is unanswered, since the work may have been cancelled
	 * because the process hangs. */
	rest(): void {
		this.#isWorking = false;
		if (this.#silentMs === undefined) this.#stop();
	}

	/** The process has sent a message. */
	answered(): void {
		this.#silentMs = undefined;
		if (!this.#isWorking) this.#stop();
	}

	/** The process has ended or is being ended. */
	end(): void {
		this.#isEnded = true;
		this.#stop();
	}

	#tick(): void {
		const { ping, onHung, timeoutMs } = this.#options;
		this.#silentMs = this.#silentMs === undefined ? 0 : this.#silentMs + this.everyMs;
		if (this.#silentMs >= timeoutMs) {
			this.end();
			onHung();
		} else {
			ping();
		}
	}

	#stop(): void {
		this.#stopTimer?.();
		this.#stopTimer = undefined;
	}
}
