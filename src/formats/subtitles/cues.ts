/** Cuts the words of a transcript into the cues and lines of subtitles. Pure. */

import { labelOf, type Segment, type Transcript } from '../../core/speech/transcript.js';
import { bySpeaker } from './by-speaker.js';
import { cutCost } from './clause-ends.js';
import { type Cue, type CueLines, startOf, timedCues } from './cue-times.js';
import type { CueTiming, SubtitleLayout } from './options.js';
import { cheapestParts } from './partition.js';
import { type TimedWord, timedWords } from './timed-words.js';

/** A pause this long begins a new cue, seconds. */
const longPause = 1.5;

/** The cues of a transcript, in order. `indentOf`: columns that a speaker's name takes from the first line of a cue. */
export function cuesOf(
	{ segments, duration, language, task }: Transcript,
	layout: SubtitleLayout,
	indentOf: (speaker: string | undefined) => number,
): Cue[] {
	const writtenIn = task === 'translate' ? 'en' : language;
	const spoken = segments.filter(({ text }) => text.trim() !== '');
	const cues = bySpeaker(spoken, labelOf).flatMap(([speaker, ofSpeaker]) =>
		runsOf(timedWords(ofSpeaker, layout.width), spoken, layout.keepsSegments).flatMap((words) => {
			const run = measure(words, layout, indentOf(speaker), writtenIn);
			return cutCues(run, layout).map((part) => ({ lines: cutLines(run, part), speaker }));
		}),
	);
	return timedCues(
		cues.toSorted((a, b) => startOf(a.lines) - startOf(b.lines)),
		layout.timing,
		duration,
	);
}

/** Groups words that may share a cue: words of one segment, or of adjacent segments without a long pause between
 * them. */
function runsOf(
	words: readonly TimedWord[],
	segments: readonly Segment[],
	keepsSegments: boolean,
): TimedWord[][] {
	const positions = new Map(segments.map((segment, position) => [segment, position]));
	const positionOf = ({ segment }: TimedWord): number => positions.get(segment) ?? 0;
	const runs: TimedWord[][] = [];
	let last: TimedWord | undefined;
	for (const word of words) {
		const continues =
			last !== undefined &&
			(keepsSegments
				? last.segment === word.segment
				: positionOf(word) - positionOf(last) <= 1 && word.start - last.end < longPause);
		if (continues) runs.at(-1)?.push(word);
		else runs.push([word]);
		last = word;
	}
	return runs;
}

/** The words of a run, with measures that the search for cuts needs. */
interface MeasuredRun {
	readonly words: readonly TimedWord[];
	/** Columns of the words from `from` to before `to` in one line. */
	readonly widthOf: (from: number, to: number) => number;
	/** Cost of a cut after each word. */
	readonly cuts: readonly number[];
	/** The latest end of a line that begins at each word; `first`: of the first line of a cue. */
	readonly firstLineEnds: readonly number[];
	readonly lineEnds: readonly number[];
	readonly indent: number;
}

function measure(
	words: readonly TimedWord[],
	layout: SubtitleLayout,
	indent: number,
	language: string | null,
): MeasuredRun {
	const columns = sums(words.map(({ width, isSpaced }) => width + Number(isSpaced)));
	const widthOf = (from: number, to: number): number =>
		at(columns, to) - at(columns, from) - Number(words[from]?.isSpaced);
	const lineEnds = (indented: number): number[] => {
		const ends: number[] = [];
		let to = 0;
		for (let from = 0; from < words.length; from++) {
			to = Math.max(to, from + 1);
			while (
				to < words.length &&
				to - from < layout.wordsPerLine &&
				indented + widthOf(from, to + 1) <= layout.width
			)
				to++;
			ends.push(to);
		}
		return ends;
	};
	const cuts = words.map((word, index) => {
		const next = words[index + 1];
		return next === undefined ? 0 : cutCost(word, next, language);
	});
	return { words, widthOf, cuts, firstLineEnds: lineEnds(indent), lineEnds: lineEnds(0), indent };
}

interface Part {
	readonly from: number;
	readonly to: number;
}

/** The words of each cue of a run. */
function cutCues(run: MeasuredRun, layout: SubtitleLayout): Part[] {
	const count = run.words.length;
	if (layout.lines === Number.POSITIVE_INFINITY) return [{ from: 0, to: count }];
	const cost = cueCosts(run, layout);
	return partsOf(cheapestParts(count, (from) => furthestEnd(run, from, layout), cost));
}

/** The latest end of a cue that begins at `from`: its lines are full, or it has its maximum duration. */
function furthestEnd(
	{ words, firstLineEnds, lineEnds }: MeasuredRun,
	from: number,
	layout: SubtitleLayout,
): number {
	let to = at(firstLineEnds, from);
	for (let line = 1; line < layout.lines && to < words.length; line++) to = at(lineEnds, to);
	const latest = (words[from]?.start ?? 0) + (layout.timing?.longest ?? Number.POSITIVE_INFINITY);
	while (to > from + 1 && (words[to - 1]?.end ?? 0) > latest) to--;
	return to;
}

/** Weights of the parts of a cue's cost, in the units of `cutCost`. */
const weights = { cue: 2, empty: 4, pause: 2, fast: 6 } as const;

/** Pauses up to this long inside a cue do not matter, seconds. */
const shortPause = 0.5;

/** The cost of a cue: cut at a bad place, nearly empty, over a pause, or too fast to read. */
function cueCosts(
	{ words, widthOf, cuts }: MeasuredRun,
	{ width, lines, wordsPerLine, timing }: SubtitleLayout,
): (from: number, to: number) => number {
	const startAt = (index: number): number => words[index]?.start ?? Number.POSITIVE_INFINITY;
	const pauses = sums(
		words.map(({ end }, index) =>
			index + 1 < words.length ? Math.max(startAt(index + 1) - end - shortPause, 0) : 0,
		),
	);
	return (from, to) => {
		const filled = Math.max(widthOf(from, to) / (width * lines), (to - from) / (wordsPerLine * lines));
		const silence = at(pauses, to - 1) - at(pauses, from);
		return (
			weights.cue +
			weights.empty * (1 - Math.min(filled, 1)) ** 2 +
			weights.pause * silence +
			weights.fast * shortfall(startAt(to) - startAt(from), widthOf(from, to), timing) +
			at(cuts, to - 1)
		);
	};
}

/** By how much a cue is too short, 0 to 1: for reading its text, or for the minimum duration. */
function shortfall(seconds: number, columns: number, timing: CueTiming | null): number {
	if (timing === null) return 0;
	const needed = Math.max(columns / timing.columnsPerSecond, timing.shortest);
	return Math.max(1 - seconds / needed, 0);
}

/** Higher than all other costs of a line, so that the number of lines is minimal. */
const lineCost = 1e6;
/** The cost of lines of unequal length, in the units of `cutCost`. */
const unequalCost = 10;

/** The lines of one cue: as few as possible, cut at good places, of about equal length. */
function cutLines(
	{ words, widthOf, cuts, firstLineEnds, lineEnds, indent }: MeasuredRun,
	cue: Part,
): CueLines {
	const count = cue.to - cue.from;
	const furthest = (from: number): number =>
		Math.min(at(from === 0 ? firstLineEnds : lineEnds, cue.from + from), cue.to) - cue.from;
	let fewest = 0;
	for (let from = 0; from < count; from = furthest(from)) fewest++;
	const ideal = (indent + widthOf(cue.from, cue.to)) / fewest;
	const ends = cheapestParts(count, furthest, (from, to) => {
		const columns = widthOf(cue.from + from, cue.from + to) + (from === 0 ? indent : 0);
		const cut = to === count ? 0 : at(cuts, cue.from + to - 1);
		return lineCost + cut + unequalCost * (columns / ideal - 1) ** 2;
	});
	return partsOf(ends).map(({ from, to }) => words.slice(cue.from + from, cue.from + to));
}

function partsOf(ends: readonly number[]): Part[] {
	return ends.map((to, index) => ({ from: ends[index - 1] ?? 0, to }));
}

/** Sums of the first 0, 1, 2, … values. */
function sums(values: readonly number[]): number[] {
	let sum = 0;
	return [0, ...values.map((value) => (sum += value))];
}

function at(values: readonly number[], index: number): number {
	return values[index] ?? 0;
}
