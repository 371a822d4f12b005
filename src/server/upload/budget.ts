/** The bytes of all uploads that are being received or transcribed, in memory and on the disk together. */

import type { Clock } from '../../clock.js';
import { EarshotError } from '../../errors.js';
import type { Metrics } from '../../metrics.js';
import { Throughput } from '../request/throughput.js';

export interface UploadBudgetOptions {
	/** All together. A single one is never refused for it. */
	readonly maxBytes: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Until an upload has been dealt with, bytes. */
const usualBytesPerSecond = 1 << 20;

export class UploadBudget {
	readonly #options: UploadBudgetOptions;
	readonly #throughput = new Throughput(usualBytesPerSecond);
	#bytes = 0;
	#lastMs: number;

	constructor(options: UploadBudgetOptions) {
		this.#options = options;
		this.#lastMs = options.clock.now();
		options.metrics.askBefore(() => options.metrics.uploads(this.#bytes));
	}

	/** Throws `overloaded`. `bytes`: what is known to come. */
	begin(bytes: number): Reservation {
		const held = new Reservation(this);
		held.growTo(bytes);
		return held;
	}

	/** Throws `overloaded` where others have room and this one has none. `own`: of the same upload, already. */
	take(bytes: number, own: number): void {
		this.#tick();
		const { maxBytes, metrics } = this.#options;
		const others = this.#bytes - own;
		if (others > 0 && this.#bytes + bytes > maxBytes) {
			metrics.refused('', 'uploads');
			const retryAfterSeconds = this.#throughput.secondsFor(this.#bytes + bytes - maxBytes);
			throw new EarshotError(
				'overloaded',
				`${this.#bytes} bytes of other uploads are being worked on, and at most ${maxBytes} may be; try again in ${retryAfterSeconds} s`,
				{ retryAfterSeconds },
			);
		}
		this.#bytes += bytes;
	}

	give(bytes: number): void {
		this.#tick();
		this.#bytes -= bytes;
		this.#throughput.add(bytes, 0);
	}

	/** Time counts while there is work. */
	#tick(): void {
		const now = this.#options.clock.now();
		if (this.#bytes > 0) this.#throughput.add(0, (now - this.#lastMs) / 1000);
		this.#lastMs = now;
	}
}

/** Of one upload. To be given back when its request ends. */
export class Reservation {
	readonly #all: UploadBudget;
	#bytes = 0;

	constructor(all: UploadBudget) {
		this.#all = all;
	}

	/** Throws `overloaded`, and holds what it held. Nothing happens where it holds as much already. */
	growTo(bytes: number): void {
		if (bytes <= this.#bytes) return;
		this.#all.take(bytes - this.#bytes, this.#bytes);
		this.#bytes = bytes;
	}

	/** Safe to call twice. */
	giveBack(): void {
		const bytes = this.#bytes;
		this.#bytes = 0;
		if (bytes > 0) this.#all.give(bytes);
	}
}
