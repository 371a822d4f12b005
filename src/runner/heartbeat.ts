/**
 * Finds out whether a process that is at work still answers: it is asked every few seconds, and its event loop answers at
 * once, however long its clips take. What counts is the number of questions that passed without an answer, and not the
 * time: while the machine sleeps, or all its processes are stopped, nobody asks.
 */

import type { Clock } from '../clock.js';

export interface HeartbeatOptions {
	readonly clock: Clock;
	/** Silence after which the process counts as hung, ms; 0 = never. */
	readonly timeoutMs: number;
	/** Asks the process for a sign of life. */
	readonly ask: () => void;
	/** Called once. */
	readonly onHung: () => void;
}

/** Asked at most this often: rare enough to cost nothing. */
const maxEveryMs = 5_000;
/** Questions within the time-out: one that is answered late must not look like silence. */
const asksWithinTimeout = 6;

export class Heartbeat {
	readonly #options: HeartbeatOptions;
	/** Time between two questions. */
	readonly everyMs: number;
	#isWorking = false;
	#stopTimer: (() => void) | undefined;
	/** How long it has been asked in vain; undefined = it has answered, or was not asked. */
	#silentMs: number | undefined;
	#isOver = false;

	constructor(options: HeartbeatOptions) {
		this.#options = options;
		this.everyMs = Math.min(maxEveryMs, options.timeoutMs / asksWithinTimeout);
	}

	/** Whether it has answered by the time it was to be asked again. */
	get isAnswering(): boolean {
		return this.#silentMs === undefined || this.#silentMs < this.everyMs;
	}

	/** The process is at work. */
	begin(): void {
		this.#isWorking = true;
		if (this.#isOver || this.#options.timeoutMs === 0) return;
		this.#stopTimer ??= this.#options.clock.every(this.everyMs, () => this.#tick());
	}

	/** It has no more work. One that owes an answer is asked on: the work may have been taken back because it hangs. */
	rest(): void {
		this.#isWorking = false;
		if (this.#silentMs === undefined) this.#stop();
	}

	/** Something came from the process. */
	heard(): void {
		this.#silentMs = undefined;
		if (!this.#isWorking) this.#stop();
	}

	/** The process has ended or is being ended. */
	end(): void {
		this.#isOver = true;
		this.#stop();
	}

	#tick(): void {
		const { ask, onHung, timeoutMs } = this.#options;
		this.#silentMs = this.#silentMs === undefined ? 0 : this.#silentMs + this.everyMs;
		if (this.#silentMs >= timeoutMs) {
			this.end();
			onHung();
		} else {
			ask();
		}
	}

	#stop(): void {
		this.#stopTimer?.();
		this.#stopTimer = undefined;
	}
}
