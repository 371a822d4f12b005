/** Wakes one who waits for news. */

import type { Clock } from '../clock.js';

/** Also if it rang a moment before. */
export class Bell {
	#hasRung = false;
	#wake: (() => void) | undefined;

	ring(): void {
		this.#hasRung = true;
		this.#wake?.();
	}

	muffle(): void {
		this.#hasRung = false;
	}

	async rung(ms: number, clock: Clock): Promise<void> {
		if (this.#hasRung) return;
		await new Promise<void>((resolve) => {
			const stop = clock.after(ms, resolve);
			this.#wake = () => {
				stop();
				resolve();
			};
		});
		this.#wake = undefined;
	}
}
