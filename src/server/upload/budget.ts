/** Limits the bytes of all uploads being received or transcribed, in memory and on disk together. */

import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';
import type { Metrics } from '../../core/metrics.js';
import { Throughput } from '../request/throughput.js';

export interface UploadBudgetOptions {
	/** Limit for all uploads together; a lone upload is always accepted. */
	readonly maxBytes: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Assumed throughput until the first upload is finished. */
const assumedBytesPerSecond = 1 << 20;

export class UploadBudget {
	readonly #options: UploadBudgetOptions;
	readonly #throughput = new Throughput(assumedBytesPerSecond);
	#bytes = 0;
	#lastMs: number;

	constructor(options: UploadBudgetOptions) {
		this.#options = options;
		this.#lastMs = options.clock.now();
		options.metrics.onScrape(() => options.metrics.uploads(this.#bytes));
	}

	/** Throws `overloaded` if the upload does not fit beside those in progress. `bytes`: the declared size, 0 if unknown.
	 * Reserves nothing: only received bytes count, not declared ones. */
	begin(bytes: number): Reservation {
		this.#refuseAbove(bytes, 0);
		return new Reservation(this);
	}

	/** Reserves `bytes` that were received. Throws `overloaded` if the total would exceed `maxBytes`; a lone upload is
	 * always accepted. `own`: bytes this upload already holds. */
	reserve(bytes: number, own: number): void {
		this.#refuseAbove(bytes, own);
		// A body comes in many pieces, and the time between two of them is counted with that after them.
		if (this.#bytes === 0) this.#tick();
		this.#bytes += bytes;
	}

	#refuseAbove(bytes: number, own: number): void {
		const { maxBytes, metrics } = this.#options;
		const others = this.#bytes - own;
		if (others <= 0 || this.#bytes + bytes <= maxBytes) return;
		this.#tick();
		metrics.refused('', 'uploads');
		// An upload larger than the limit fits once the others have finished.
		const excess = Math.min(others, this.#bytes + bytes - maxBytes);
		const retryAfterSeconds = this.#throughput.secondsFor(excess);
		throw new EarshotError(
			'overloaded',
			`Too many uploads in progress: ${this.#bytes} bytes, limit ${maxBytes}; try again in ${retryAfterSeconds} s`,
			{ retryAfterSeconds },
		);
	}

	release(bytes: number): void {
		this.#tick();
		this.#bytes -= bytes;
		this.#throughput.add(bytes, 0);
	}

	/** Counts time as work only while there are uploads. */
	#tick(): void {
		const now = this.#options.clock.now();
		if (this.#bytes > 0) this.#throughput.add(0, (now - this.#lastMs) / 1000);
		this.#lastMs = now;
	}
}

/** The bytes reserved for one upload. Call `release` when its request ends. */
export class Reservation {
	readonly #budget: UploadBudget;
	#bytes = 0;

	constructor(budget: UploadBudget) {
		this.#budget = budget;
	}

	/** Reserves `bytes` more that were received. Throws `overloaded`, and is then unchanged. */
	add(bytes: number): void {
		this.#budget.reserve(bytes, this.#bytes);
		this.#bytes += bytes;
	}

	/** Safe to call twice. */
	release(): void {
		const bytes = this.#bytes;
		this.#bytes = 0;
		if (bytes > 0) this.#budget.release(bytes);
	}
}
