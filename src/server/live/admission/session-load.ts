/** Measures the share of its model's time that a live session uses, over about the last minute. */

/** Half-life of the exponential decay of time, audio and work. */
const halfLifeMs = 30_000;

/** Minimum time or audio for a meaningful measurement. */
const knownAfterMs = 10_000;

export class SessionLoad {
	#atMs: number;
	/** Time since the start, without decay, unlike the other values. */
	#passedMs = 0;
	#recentMs = 0;
	#audioMs = 0;
	#busyMs = 0;

	constructor(nowMs: number) {
		this.#atMs = nowMs;
	}

	/** Records audio that the model has processed, and the model time used for it. */
	add(audioMs: number, busyMs: number, nowMs: number): void {
		this.#pass(nowMs);
		this.#audioMs += audioMs;
		this.#busyMs += busyMs;
	}

	/**
	 * Share of the model's time; undefined if the session is too new. Audio faster than real time counts as if it arrived
	 * in real time, since back-pressure slows it down when the model is busy.
	 */
	share(nowMs: number): number | undefined {
		this.#pass(nowMs);
		if (Math.max(this.#passedMs, this.#audioMs) < knownAfterMs) return undefined;
		return this.#busyMs / Math.max(this.#recentMs, this.#audioMs);
	}

	#pass(nowMs: number): void {
		const passedMs = nowMs - this.#atMs;
		const left = 0.5 ** (passedMs / halfLifeMs);
		this.#atMs = nowMs;
		this.#passedMs += passedMs;
		// The integral of the decay over the passed time.
		this.#recentMs = this.#recentMs * left + (halfLifeMs / Math.LN2) * (1 - left);
		this.#audioMs *= left;
		this.#busyMs *= left;
	}
}
