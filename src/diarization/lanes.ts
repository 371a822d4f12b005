/** Lets a number of recordings in at a time, in the order in which they came. */

import { whileWanted } from '../abort.js';

export class Lanes {
	#free: number;
	readonly #waiting: (() => void)[] = [];

	/** 1 or more. */
	constructor(count: number) {
		this.#free = count;
	}

	/** Resolves to the function that leaves; call it once. Throws `cancelled`. */
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
				// Its turn has come meanwhile: the next one's.
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
