/** Wakes a task that waits for a notification. */

import type { Clock } from '../clock.js';

/** A wait also ends at once if `ring` was called after the last `muffle`. */
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
