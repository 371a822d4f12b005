/** Measures the model time that live audio uses, for the admission of sessions. */

import type { Limits } from '../../engines/engine.js';

export interface ModelTimeOptions {
	readonly limits: Pick<Limits, 'slots' | 'maxBatchClips'>;
	/** Streaming model: streams take their steps together, as one batch per slot. */
	readonly isStreaming: boolean;
	/** Current time, milliseconds. */
	readonly now?: () => number;
}

/** Share of the model's slots that this many running pieces of live work occupy, at most 1. Pure. */
export function busyShare(running: number, { limits, isStreaming }: ModelTimeOptions): number {
	const { slots, maxBatchClips } = limits;
	const busy = isStreaming ? Math.ceil(running / maxBatchClips) : running;
	return Math.min(1, busy / slots);
}

/** The time of one model. Concurrent pieces of work share it, so that their sum never exceeds the elapsed time. */
export class ModelTime {
	readonly #options: ModelTimeOptions;
	readonly #now: () => number;
	#running = 0;
	#usedMs = 0;
	#atMs = 0;

	constructor(options: ModelTimeOptions) {
		this.#options = options;
		this.#now = options.now ?? (() => performance.now());
	}

	/** Model time that a piece of work running since the start would have used, milliseconds of the whole model. */
	get usedMs(): number {
		const now = this.#now();
		if (this.#running > 0)
			this.#usedMs += ((now - this.#atMs) * busyShare(this.#running, this.#options)) / this.#running;
		this.#atMs = now;
		return this.#usedMs;
	}

	/** Changes the number of running pieces. Read `usedMs` first. */
	change(pieces: number): void {
		this.#running += pieces;
	}
}

/** The share of the model's time that one stream has used. */
export class StreamTime {
	readonly #model: ModelTime;
	#running = 0;
	#atMs = 0;
	#usedMs = 0;

	constructor(model: ModelTime) {
		this.#model = model;
	}

	/** Begins a piece of work. Returns a function that ends it, which is safe to call twice. */
	begin(): () => void {
		this.#change(1);
		let isReleased = false;
		return () => {
			if (!isReleased) this.#change(-1);
			isReleased = true;
		};
	}

	/** Time used since the last call, milliseconds of the whole model. */
	take(): number {
		this.#change(0);
		const usedMs = this.#usedMs;
		this.#usedMs = 0;
		return usedMs;
	}

	#change(pieces: number): void {
		const { usedMs } = this.#model;
		this.#usedMs += this.#running * (usedMs - this.#atMs);
		this.#atMs = usedMs;
		this.#running += pieces;
		this.#model.change(pieces);
	}
}
