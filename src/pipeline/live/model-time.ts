/** How busy live audio keeps a loaded model, for the admission of sessions. */

import type { Limits } from '../../engines/engine.js';

export interface ModelTimeOptions {
	readonly limits: Pick<Limits, 'slots' | 'maxBatchClips'>;
	/** Its streams take their steps together, a batch on each slot. */
	readonly isStreaming: boolean;
	/** Milliseconds. */
	readonly now?: () => number;
}

/** Share of the model's slots that so many pieces of live work keep busy, at most 1. Pure. */
export function busyShare(running: number, { limits, isStreaming }: ModelTimeOptions): number {
	const { slots, maxBatchClips } = limits;
	const busy = isStreaming ? Math.ceil(running / maxBatchClips) : running;
	return Math.min(1, busy / slots);
}

/** The time of one model. Pieces of work that run at once share it, so that all of them use no more than there is. */
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

	/** What a piece of work that has run all along has used, milliseconds of the whole model. */
	get usedMs(): number {
		const now = this.#now();
		if (this.#running > 0)
			this.#usedMs += ((now - this.#atMs) * busyShare(this.#running, this.#options)) / this.#running;
		this.#atMs = now;
		return this.#usedMs;
	}

	/** After `usedMs` was read: more pieces run from now on, or fewer. */
	change(pieces: number): void {
		this.#running += pieces;
	}
}

/** What one stream has used of it. */
export class StreamTime {
	readonly #model: ModelTime;
	#running = 0;
	#atMs = 0;
	#usedMs = 0;

	constructor(model: ModelTime) {
		this.#model = model;
	}

	/** A piece of work begins. Returns what ends it, which is safe to call twice. */
	begin(): () => void {
		this.#change(1);
		let isOver = false;
		return () => {
			if (!isOver) this.#change(-1);
			isOver = true;
		};
	}

	/** Since the last call, milliseconds of the whole model. */
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
