/** When the cues of subtitles are shown. Pure. */

import type { CueTiming } from './options.js';
import type { TimedWord } from './timed-words.js';

/** None is empty. */
export type CueLines = readonly (readonly TimedWord[])[];

export interface Cue {
	/** Whole milliseconds of the recording; cues do not overlap, and none is empty. */
	readonly start: number;
	readonly end: number;
	readonly lines: CueLines;
	readonly speaker: string | undefined;
}

interface Span {
	readonly start: number;
	readonly end: number;
}

/** The cues, in order, with their times; `duration` of the recording and all of `timing` in seconds. */
export function timedCues(
	cues: readonly Pick<Cue, 'lines' | 'speaker'>[],
	timing: CueTiming | null,
	duration: number,
): Cue[] {
	const spans = cues.map(
		({ lines }): Span => ({
			start: startOf(lines),
			end: lines.at(-1)?.at(-1)?.end ?? startOf(lines),
		}),
	);
	const shown =
		timing === null
			? spans
			: spans.map((span, index) => readable(span, columnsOf(cues[index]?.lines), spans[index + 1], timing));
	const rounded = apart(shown, Math.round(duration * 1000));
	return cues.map((cue, index) => ({ ...(rounded[index] ?? { start: 0, end: 1 }), ...cue }));
}

export function startOf(lines: CueLines): number {
	return lines[0]?.[0]?.start ?? 0;
}

/** Shown for as long as it takes to read, where the next cue leaves the time. */
function readable({ start, end }: Span, columns: number, next: Span | undefined, timing: CueTiming): Span {
	const { shortest, longest, columnsPerSecond, gap, shortestPause } = timing;
	const wanted = Math.max(end, start + shortest, start + columns / columnsPerSecond);
	if (next === undefined) return { start, end: Math.min(wanted, start + longest) };
	// Very short cues keep half of their time.
	const latest = Math.min(Math.max(next.start - gap, (start + next.start) / 2), start + longest);
	const isPauseShort = next.start - wanted < shortestPause;
	return { start, end: isPauseShort ? latest : Math.min(wanted, latest) };
}

function columnsOf(lines: CueLines = []): number {
	const columns = (line: readonly TimedWord[]): number =>
		line.reduce((sum, { width, isSpaced }, index) => sum + width + Number(index > 0 && isSpaced), 0);
	return lines.reduce((sum, line) => sum + columns(line), 0);
}

/** In whole milliseconds: in order, apart, none empty, and inside the recording if it has a millisecond for each. */
function apart(spans: readonly Span[], durationMs: number): Span[] {
	const list: { start: number; end: number }[] = [];
	for (const [index, span] of spans.entries()) {
		const start = Math.max(Math.round(span.start * 1000), list[index - 1]?.end ?? 0);
		const next = Math.round((spans[index + 1]?.start ?? Number.POSITIVE_INFINITY) * 1000);
		list.push({ start, end: Math.max(Math.min(Math.round(span.end * 1000), next), start + 1) });
	}
	let limit = Math.max(durationMs, list.length);
	for (const span of list.toReversed()) {
		span.end = Math.min(span.end, limit);
		span.start = Math.min(span.start, span.end - 1);
		limit = span.start;
	}
	return list;
}
