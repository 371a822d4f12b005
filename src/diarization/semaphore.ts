/** A semaphore: limits how many recordings are processed at once, first come, first served. */

import { abortable } from '../core/abort.js';

export class Semaphore {
	#free: number;
	readonly #waiting: (() => void)[] = [];

	/** 1 or more. */
	constructor(count: number) {
		this.#free = count;
	}

	/** Waits for a free place. Resolves to the function that frees it again; call it once. Throws `cancelled`. */
	async acquire(signal: AbortSignal): Promise<() => void> {
		if (this.#free > 0) this.#free--;
		else {
			let enter = () => {};
			const turn = new Promise<void>((resolve) => {
				enter = resolve;
				this.#waiting.push(resolve);
			});
			try {
				await abortable(turn, signal, 'request');
			} catch (thrown) {
				const at = this.#waiting.indexOf(enter);
				// The place was assigned at the moment of the abort: pass it on.
				if (at === -1) this.#release();
				else this.#waiting.splice(at, 1);
				throw thrown;
			}
		}
		return () => this.#release();
	}

	#release(): void {
		const next = this.#waiting.shift();
		if (next) next();
		else this.#free++;
	}
}
