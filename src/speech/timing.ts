/** Where the time of one recording went, in milliseconds. Parts may overlap. */
export interface Timing {
	/** Decoding and the search for speech. */
	readonly decode: number;
	/** From the first clip that could have run until one ran. */
	readonly queue: number;
	/** From then until the last clip was through. */
	readonly run: number;
}

/** Marks the moments of one recording as they come. */
export class Stopwatch {
	readonly #now: () => number;
	#decode = 0;
	#queued: number | undefined;
	#started: number | undefined;
	#ended: number | undefined;

	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** The part of `work` that is decoding. */
	async decoding<T>(work: () => Promise<T>): Promise<T> {
		const from = this.#now();
		try {
			return await work();
		} finally {
			this.#decode += this.#now() - from;
		}
	}

	/** A clip waits. */
	queued(): void {
		this.#queued ??= this.#now();
	}

	/** A clip was handed to the engine. */
	started(): void {
		this.#started ??= this.#now();
	}

	/** A clip is through. */
	ended(): void {
		this.#ended = this.#now();
	}

	read(): Timing {
		return {
			decode: this.#decode,
			queue: since(this.#queued, this.#started),
			run: since(this.#started, this.#ended),
		};
	}
}

function since(from: number | undefined, to: number | undefined): number {
	return from === undefined || to === undefined ? 0 : to - from;
}
