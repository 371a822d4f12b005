/** Cuts speech where the speaker changes, so that each clip has one speaker. Pure. */

import type { Span, VadSegments } from './speech-spans.js';

/** A break this close to the end of a stretch of speech is moved to that end: the part between is too short for a
 * word. */
const edgeSeconds = 0.25;

export class SpeechBreaks {
	readonly #breaks: readonly number[];
	/** Index of the first break that may still cut. */
	#next = 0;
	/** The open stretch was returned up to here, seconds. */
	#returnedUntil = 0;

	/** `breaks`: seconds of the recording, in order. */
	constructor(breaks: readonly number[]) {
		this.#breaks = breaks;
	}

	/** How many breaks are before the stretch; two stretches with the same number have no break between them. */
	before({ start, end }: Span): number {
		const middle = (start + end) / 2;
		let [low, high] = [0, this.#breaks.length];
		while (low < high) {
			const at = (low + high) >> 1;
			if ((this.#breaks[at] ?? 0) > middle) high = at;
			else low = at + 1;
		}
		return low;
	}

	/** The same speech, divided at the breaks. */
	cut({ spans, openSince, settled }: VadSegments): VadSegments {
		if (this.#breaks.length === 0) return { spans, openSince, settled };
		const cut: Span[] = [];
		for (const { start, end } of spans) {
			const from = this.#upTo(end, Math.max(start, this.#returnedUntil), cut);
			cut.push({ start: from, end });
		}
		if (openSince === null) return { spans: cut, openSince, settled };
		this.#returnedUntil = this.#upTo(settled, Math.max(openSince, this.#returnedUntil), cut);
		// The rest of the open stretch may end at the next break.
		const next = this.#breaks[this.#next] ?? Number.POSITIVE_INFINITY;
		return { spans: cut, openSince: this.#returnedUntil, settled: Math.min(settled, next) };
	}

	/** Adds what lies before the breaks in speech that ends at `end` or later; returns where the rest begins. */
	#upTo(end: number, start: number, cut: Span[]): number {
		let from = start;
		for (; this.#next < this.#breaks.length; this.#next++) {
			const at = this.#breaks[this.#next] ?? 0;
			if (at > end - edgeSeconds) break;
			if (at < from + edgeSeconds) continue;
			cut.push({ start: from, end: at });
			from = at;
		}
		return from;
	}
}
