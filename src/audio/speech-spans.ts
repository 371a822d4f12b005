/** Where voice activity detection has found speech in a recording. Pure. */

import type { Span, VadSegments } from './split.js';

export class SpeechSpans {
	#ended: Span[] = [];
	#openSince: number | null = null;

	push({ spans, openSince }: VadSegments): void {
		this.#ended.push(...spans);
		this.#openSince = openSince;
	}

	/** The speech between these times, in order. The span that has not ended is taken to go on. */
	within({ start, end }: Span): Span[] {
		const open = this.#openSince === null ? [] : [{ start: this.#openSince, end }];
		return [...this.#ended, ...open]
			.map((span) => ({ start: Math.max(span.start, start), end: Math.min(span.end, end) }))
			.filter((span) => span.end > span.start);
	}

	/** Drops the spans that end before this time. */
	forget(before: number): void {
		this.#ended = this.#ended.filter(({ end }) => end > before);
	}
}
