/**
 * Pauses loading of a model whose process keeps dying: restarting it in a loop would keep the machine busy and leave
 * clients without an answer. The first backoff starts after `maxDeaths` within `windowMs` with no clip finished in
 * between; each death after a backoff starts another one, twice as long. A finished clip resets everything, so a
 * model that works for some clients is not blocked by the recordings of others.
 */

const maxDeaths = 5;
const windowMs = 5 * 60_000;
const firstBackoffMs = 10_000;
const maxBackoffMs = 10 * 60_000;

export class CrashBackoff {
	#deaths: number[] = [];
	#backoffs = 0;
	#untilMs = -Infinity;

	/** Records a crash. `nowMs`: from the same clock for every call. */
	died(nowMs: number): void {
		this.#deaths = [...this.#deaths.filter((atMs) => atMs > nowMs - windowMs), nowMs];
		if (this.#backoffs === 0 && this.#deaths.length < maxDeaths) return;
		this.#untilMs = nowMs + Math.min(firstBackoffMs * 2 ** this.#backoffs, maxBackoffMs);
		this.#backoffs++;
	}

	/** Milliseconds until the model may be loaded again; 0 = now. */
	remainingMs(nowMs: number): number {
		return Math.max(0, this.#untilMs - nowMs);
	}

	/** Forgets all crashes: a clip has finished, or a user has requested the model explicitly. */
	reset(): void {
		this.#deaths = [];
		this.#backoffs = 0;
		this.#untilMs = -Infinity;
	}
}
