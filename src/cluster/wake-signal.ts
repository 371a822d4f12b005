/** Wakes a task that waits for a notification. */

import type { Clock } from '../core/clock.js';

/** A wait also ends at once if `notify` was called after the last `reset`. */
export class WakeSignal {
	#isNotified = false;
	#wake: (() => void) | undefined;

	notify(): void {
		this.#isNotified = true;
		this.#wake?.();
	}

	reset(): void {
		this.#isNotified = false;
	}

	async wait(ms: number, clock: Clock): Promise<void> {
		if (this.#isNotified) return;
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
