/** How much gets done in a second of work, by what was lately done. */

/** Work of this long ago counts half, seconds. */
const halfLifeSeconds = 60;

export class Throughput {
	#amount: number;
	#seconds = 1;

	/** `usual`: what is supposed of a second until something has been done; it counts as one second of work. */
	constructor(usual: number) {
		this.#amount = usual;
	}

	/** So much more was done in so many more seconds of work. */
	add(amount: number, seconds: number): void {
		const kept = 0.5 ** (seconds / halfLifeSeconds);
		this.#amount = this.#amount * kept + amount;
		this.#seconds = this.#seconds * kept + seconds;
	}

	get perSecond(): number {
		return this.#amount / this.#seconds;
	}

	/** Whole seconds, one at least, until so much will have been done. */
	secondsFor(amount: number): number {
		// A throughput of nearly nothing would give a figure that no header should have.
		const seconds = Math.min(amount / this.perSecond, 24 * 3600);
		return Math.max(1, Math.ceil(seconds));
	}
}
