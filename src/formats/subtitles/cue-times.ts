/** The times at which the cues of subtitles are shown. Pure. */

import { bySpeaker } from './by-speaker.js';
import type { CueTiming } from './options.js';
import type { TimedWord } from './timed-words.js';

/** The lines of a cue; no line is empty. */
export type CueLines = readonly (readonly TimedWord[])[];

export interface Cue {
	/** Whole milliseconds of the recording; cues of one speaker do not overlap, and none is empty. */
	readonly start: number;
	readonly end: number;
	readonly lines: CueLines;
	readonly speaker: string | undefined;
}

/** From its first word to its last, seconds. */
interface SpokenSpan extends Omit<Cue, 'start' | 'end'> {
	readonly start: number;
	readonly end: number;
}

/**
 * The cues with their times, in order of their start; `duration` of the recording and all of `timing` in seconds. If
 * several people speak at once, their cues are shown together.
 */
export function timedCues(
	cues: readonly Pick<Cue, 'lines' | 'speaker'>[],
	timing: CueTiming | null,
	duration: number,
): Cue[] {
	const spans = cues.map(
		({ lines, speaker }): SpokenSpan => ({
			start: startOf(lines),
			end: lines.at(-1)?.at(-1)?.end ?? startOf(lines),
			lines,
			speaker,
		}),
	);
	const shown = timing === null ? spans : readable(spans, timing);
	return bySpeaker(shown, ({ speaker }) => speaker)
		.flatMap(([, ofSpeaker]) => apart(ofSpeaker, Math.round(duration * 1000)))
		.toSorted((a, b) => a.start - b.start);
}

export function startOf(lines: CueLines): number {
	return lines[0]?.[0]?.start ?? 0;
}

/** Extends cues to the time that it takes to read them, as far as the neighbouring cues allow. */
function readable(spans: readonly SpokenSpan[], timing: CueTiming): SpokenSpan[] {
	const { shortest, longest, gap, shortestPause, lead } = timing;
	const own = new Map<string | undefined, number>();
	let any = Number.POSITIVE_INFINITY;
	const shown = spans.toReversed().map((span, reversed) => {
		const { end, speaker } = span;
		const previous = spans[spans.length - 2 - reversed];
		const isFree = previous === undefined ? 0 : previous.start + readingSeconds(previous, timing) + gap;
		const inTime = any - gap - readingSeconds(span, timing);
		const start = Math.min(span.start, Math.max(inTime, span.start - lead, isFree));
		// Very short cues keep half of their time.
		const before = (next = Number.POSITIVE_INFINITY): number => Math.max(next - gap, (start + next) / 2);
		// The cue of an interrupted speaker stays for as long as they speak.
		const latest = Math.min(before(own.get(speaker)), Math.max(before(any), end), start + longest);
		const wanted = Math.max(end, start + shortest, start + readingSeconds(span, timing));
		const isPauseShort = any - wanted < shortestPause;
		any = start;
		own.set(speaker, start);
		return { ...span, start, end: isPauseShort ? latest : Math.min(wanted, latest) };
	});
	return shown.reverse();
}

function readingSeconds({ lines }: SpokenSpan, { columnsPerSecond }: CueTiming): number {
	return columnsOf(lines) / columnsPerSecond;
}

function columnsOf(lines: CueLines): number {
	const columns = (line: readonly TimedWord[]): number =>
		line.reduce((sum, { width, isSpaced }, index) => sum + width + Number(index > 0 && isSpaced), 0);
	return lines.reduce((sum, line) => sum + columns(line), 0);
}

/** In whole milliseconds: in order, apart, none empty, and inside the recording if it has a millisecond for each. */
function apart(spans: readonly SpokenSpan[], durationMs: number): Cue[] {
	const list: { -readonly [Name in keyof Cue]: Cue[Name] }[] = [];
	for (const [index, { lines, speaker, ...span }] of spans.entries()) {
		const start = Math.max(Math.round(span.start * 1000), list[index - 1]?.end ?? 0);
		const next = Math.round((spans[index + 1]?.start ?? Number.POSITIVE_INFINITY) * 1000);
		const end = Math.max(Math.min(Math.round(span.end * 1000), next), start + 1);
		list.push({ start, end, lines, speaker });
	}
	let limit = Math.max(durationMs, list.length);
	for (const cue of list.toReversed()) {
		cue.end = Math.min(cue.end, limit);
		cue.start = Math.min(cue.start, cue.end - 1);
		limit = cue.start;
	}
	return list;
}
