/** How busy a live session keeps its model, measured over its last minute. */

/** Time, audio and work this long ago count half. */
const halfLifeMs = 30_000;

/** With less of both time and audio, chance decides how busy a session seems. */
const knownAfterMs = 10_000;

export class SessionLoad {
	#atMs: number;
	/** The others say less the longer ago they were. */
	#passedMs = 0;
	#recentMs = 0;
	#audioMs = 0;
	#busyMs = 0;

	constructor(nowMs: number) {
		this.#atMs = nowMs;
	}

	/** The model has taken in audio, and was kept busy meanwhile. */
	add(audioMs: number, busyMs: number, nowMs: number): void {
		this.#pass(nowMs);
		this.#audioMs += audioMs;
		this.#busyMs += busyMs;
	}

	/**
	 * Share of the model's time that it takes; undefined: too new to know. Audio that comes faster than it is spoken is
	 * read more slowly where the model is busy, so that it counts as if it were spoken.
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
		// The time that passes fades while it passes.
		this.#recentMs = this.#recentMs * left + (halfLifeMs / Math.LN2) * (1 - left);
		this.#audioMs *= left;
		this.#busyMs *= left;
	}
}
