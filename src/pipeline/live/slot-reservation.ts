/** Reserves a slot for an open turn, which lapses while the turn receives no audio. */

import { type Clock, systemClock } from '../../core/clock.js';

/** Longer than gaps between messages of a client that records. */
const lapseMs = 5000;

export class SlotReservation {
	readonly #reserve: () => () => void;
	readonly #clock: Clock;
	#release: (() => void) | undefined;
	#stopTimer: (() => void) | undefined;
	#isEnded = false;

	/** `reserve`: reserves a slot until the returned function is called. */
	constructor(reserve: () => () => void, clock: Clock = systemClock) {
		this.#reserve = reserve;
		this.#clock = clock;
		this.renew();
	}

	/** The turn has received audio. */
	renew(): void {
		this.keep();
		if (!this.#isEnded) this.#stopTimer = this.#clock.after(lapseMs, () => this.#lapse());
	}

	/** The turn's audio is complete: the reservation lasts until `end`. */
	keep(): void {
		if (this.#isEnded) return;
		this.#stopTimer?.();
		this.#release ??= this.#reserve();
	}

	/** Safe to call twice. */
	end(): void {
		this.#isEnded = true;
		this.#stopTimer?.();
		this.#lapse();
	}

	#lapse(): void {
		this.#release?.();
		this.#release = undefined;
	}
}
