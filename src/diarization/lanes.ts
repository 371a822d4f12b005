/** A semaphore: limits how many recordings are processed at once, first come, first served. */

import { whileWanted } from '../abort.js';

export class Lanes {
	#free: number;
	readonly #waiting: (() => void)[] = [];

	/** 1 or more. */
	constructor(count: number) {
		this.#free = count;
	}

	/** Waits for a free place. Resolves to the function that frees it again; call it once. Throws `cancelled`. */
	async enter(signal: AbortSignal): Promise<() => void> {
		if (this.#free > 0) this.#free--;
		else {
			let enter = () => {};
			const turn = new Promise<void>((resolve) => {
				enter = resolve;
				this.#waiting.push(resolve);
			});
			try {
				await whileWanted(turn, signal, 'request');
			} catch (thrown) {
				const at = this.#waiting.indexOf(enter);
				// The place was assigned at the moment of the abort: pass it on.
				if (at === -1) this.#leave();
				else this.#waiting.splice(at, 1);
				throw thrown;
			}
		}
		return () => this.#leave();
	}

	#leave(): void {
		const next = this.#waiting.shift();
		if (next) next();
		else this.#free++;
	}
}
