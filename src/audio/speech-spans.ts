/** The speech that voice activity detection has found in a recording. Pure. */

/** A stretch of the recording, seconds. */
export interface Span {
	readonly start: number;
	readonly end: number;
}

/** What voice activity detection knows so far. Times are seconds of the recording. */
export interface VadSegments {
	/** Spans of speech that have ended since the last call, in order, not overlapping. */
	readonly spans: readonly Span[];
	/** Start of the span that has not ended yet; null if there is none. */
	readonly openSince: number | null;
	/** The open span ends after this time; if there is none, the next span does not start before it. */
	readonly settled: number;
}

export class SpeechSpans {
	#ended: Span[] = [];
	#openSince: number | null = null;

	push({ spans, openSince }: VadSegments): void {
		this.#ended.push(...spans);
		this.#openSince = openSince;
	}

	/** The speech between these times, in order. The open span is assumed to continue. */
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
