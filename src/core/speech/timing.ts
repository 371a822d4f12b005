/** Time spent on one recording, by phase, in milliseconds. Phases may overlap. */
export interface Timing {
	/** Audio decoding and voice activity detection. */
	readonly decode: number;
	/** From the first clip queued until the first clip started. */
	readonly queue: number;
	/** From the first clip started until the last one finished. */
	readonly run: number;
}

/** Measures the phases of one recording. */
export class Stopwatch {
	readonly #now: () => number;
	#decode = 0;
	#queued: number | undefined;
	#started: number | undefined;
	#ended: number | undefined;

	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** Counts the time of `work` as decoding. */
	async decoding<T>(work: () => Promise<T>): Promise<T> {
		const from = this.#now();
		try {
			return await work();
		} finally {
			this.#decode += this.#now() - from;
		}
	}

	/** A clip was queued. */
	queued(): void {
		this.#queued ??= this.#now();
	}

	/** A clip was handed to the engine. */
	started(): void {
		this.#started ??= this.#now();
	}

	/** A clip has finished. */
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
