/** Measures recent throughput: amount per second of work, with exponential decay. */

/** Half-life of the decay, in seconds of work. */
const halfLifeSeconds = 60;

export class Throughput {
	#amount: number;
	#seconds = 1;

	/** `initial`: assumed throughput before anything is measured; weighs as much as one second of work. */
	constructor(initial: number) {
		this.#amount = initial;
	}

	/** Records `amount` done and `seconds` of work, of which either may be 0. */
	add(amount: number, seconds: number): void {
		const kept = 0.5 ** (seconds / halfLifeSeconds);
		this.#amount = this.#amount * kept + amount;
		this.#seconds = this.#seconds * kept + seconds;
	}

	get perSecond(): number {
		return this.#amount / this.#seconds;
	}

	/** Estimated time for `amount`: whole seconds, from 1 to a day. */
	secondsFor(amount: number): number {
		// A throughput near zero would give an absurd Retry-After.
		const seconds = Math.min(amount / this.perSecond, 24 * 3600);
		return Math.max(1, Math.ceil(seconds));
	}
}
