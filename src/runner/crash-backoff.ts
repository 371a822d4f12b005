/**
 * When a model whose process keeps dying is left alone for a while. Loading it again and again keeps the machine
 * busy for nothing, and whoever waits for it learns nothing. After `maxDeaths` within `windowMs`, and nothing done
 * in between, it is on hold; the first death after a hold puts it on hold again, for twice as long. Once a clip is
 * through, all is forgotten: a model that works for some must not be taken from them by others' recordings.
 */

const maxDeaths = 5;
const windowMs = 5 * 60_000;
const firstBackoffMs = 10_000;
const longestBackoffMs = 10 * 60_000;

export class CrashBackoff {
	#deaths: number[] = [];
	#backoffs = 0;
	#untilMs = -Infinity;

	/** Times are of one clock, in ms. */
	died(nowMs: number): void {
		this.#deaths = [...this.#deaths.filter((atMs) => atMs > nowMs - windowMs), nowMs];
		if (this.#backoffs === 0 && this.#deaths.length < maxDeaths) return;
		this.#untilMs = nowMs + Math.min(firstBackoffMs * 2 ** this.#backoffs, longestBackoffMs);
		this.#backoffs++;
	}

	/** 0 = it is not on hold. */
	remainingMs(nowMs: number): number {
		return Math.max(0, this.#untilMs - nowMs);
	}

	/** As if nothing had happened: it has worked, or somebody looked after it. */
	reset(): void {
		this.#deaths = [];
		this.#backoffs = 0;
		this.#untilMs = -Infinity;
	}
}
