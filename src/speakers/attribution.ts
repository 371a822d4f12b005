/** Attributes each word, and thereby each segment, to the speaker in whose turn it was said. Pure. */

import type { SpeakerTurn } from '../core/speech/speakers.js';
import type { Segment, Stretch, Word } from '../core/speech/transcript.js';

/** A word outside all turns is attributed to the nearest turn within this distance. */
const nearSeconds = 0.5;
/** A single word of another speaker that is shorter than this is more often an error than an interruption. */
const islandSeconds = 0.4;

/**
 * The segments with their speakers, renumbered. A segment with words is split where the speaker changes; one without
 * words is attributed as a whole. `turns`: in order of their start; without turns the segments are unchanged. `names`:
 * indexed by speaker number.
 */
export function attributed(
	segments: readonly Segment[],
	turns: readonly SpeakerTurn[],
	names: readonly string[],
): Segment[] {
	if (turns.length === 0) return [...segments];
	const finder = new TurnFinder(turns);
	const timed = segments.map((segment) => {
		const words = segment.words?.filter(({ word }) => word !== '') ?? [];
		const stretches: readonly Stretch[] = words.length > 0 ? words : [segment];
		return { segment, stretches, hasWords: words.length > 0 };
	});
	const all: readonly Stretch[] = timed.flatMap(({ stretches }) => stretches);
	const speakers = withoutIslands(all, inWholeSentences(all, speakersOfWords(all, finder), finder));
	let at = 0;
	const parts = timed.flatMap(({ segment, stretches, hasWords }) => {
		const own = speakers.slice(at, at + stretches.length);
		at += stretches.length;
		if (hasWords) return split(segment, own, names);
		return [{ ...segment, speaker: nameOf(names, own[0]) }];
	});
	return parts.map((segment, id) => ({ ...segment, id }));
}

function nameOf(names: readonly string[], speaker: number | undefined): string {
	return names[speaker ?? 0] ?? '';
}

/** Finds turns by time, without scanning all of them. */
class TurnFinder {
	readonly #turns: readonly SpeakerTurn[];
	/** For each turn, the latest end among it and the turns before it. */
	readonly #ends: readonly number[];

	constructor(turns: readonly SpeakerTurn[]) {
		this.#turns = turns;
		let latest = 0;
		this.#ends = turns.map(({ end }) => (latest = Math.max(latest, end)));
	}

	/** The turns that overlap the stretch or are at most `slack` seconds away from it, in order. */
	near({ start, end }: Stretch, slack: number): SpeakerTurn[] {
		const found: SpeakerTurn[] = [];
		for (let at = this.#firstAfter(end + slack) - 1; at >= 0; at--) {
			if ((this.#ends[at] ?? 0) < start - slack) break;
			const turn = this.#turns[at];
			if (turn && turn.end >= start - slack) found.push(turn);
		}
		return found.reverse();
	}

	#firstAfter(time: number): number {
		let [low, high] = [0, this.#turns.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#turns[middle]?.start ?? 0) > time) high = middle;
			else low = middle + 1;
		}
		return low;
	}
}

/** The speaker of each word: of the turn with most overlap, else of the nearest turn, else of the word before. */
function speakersOfWords(words: readonly Stretch[], finder: TurnFinder): number[] {
	let before: number | undefined;
	const found = words.map((word) => {
		const near = finder.near(word, nearSeconds);
		const shared = new Map<number, number>();
		for (const turn of near) {
			const seconds = Math.min(turn.end, word.end) - Math.max(turn.start, word.start);
			// Negative if they do not overlap: the distance.
			shared.set(turn.speaker, Math.max(shared.get(turn.speaker) ?? Number.NEGATIVE_INFINITY, seconds));
		}
		const most = Math.max(...shared.values());
		const best = [...shared].filter(([, seconds]) => seconds === most).map(([speaker]) => speaker);
		const speaker = before !== undefined && best.includes(before) ? before : best[0];
		before = speaker ?? before;
		return before;
	});
	const first = found.find((speaker) => speaker !== undefined) ?? 0;
	return found.map((speaker) => speaker ?? first);
}

const endsSentence = /[.?!…。？！]["'”’»)\]]*$/u;

/**
 * Word times are least accurate next to a pause: the last word of a sentence may extend into the turn after the pause,
 * and the first word into the turn before. Such a word is attributed with its sentence, unless its turn contains it
 * entirely.
 */
function inWholeSentences(
	words: readonly Stretch[],
	speakers: readonly number[],
	finder: TurnFinder,
): number[] {
	return speakers.map((speaker, at) => {
		const word = words[at];
		const [before, after] = [speakers[at - 1], speakers[at + 1]];
		if (word === undefined || !('word' in word)) return speaker;
		const [last, text] = [textOf(words[at - 1]), textOf(word)];
		const own = (): readonly SpeakerTurn[] =>
			finder.near(word, nearSeconds).filter((turn) => turn.speaker === speaker);
		const isLast =
			/^\p{Ll}/u.test(text) && endsSentence.test(text) && last !== '' && !endsSentence.test(last);
		if (
			isLast &&
			before !== undefined &&
			before !== speaker &&
			own().every(({ start }) => start > word.start)
		)
			return before;
		const isFirst = /^\p{Lu}/u.test(text) && !endsSentence.test(text) && endsSentence.test(last);
		if (isFirst && after !== undefined && after !== speaker && own().every(({ end }) => end < word.end))
			return after;
		return speaker;
	});
}

function textOf(word: Stretch | Word | undefined): string {
	return word !== undefined && 'word' in word ? word.word : '';
}

/** Attributes a single short word between words of one other speaker to that speaker. */
function withoutIslands(words: readonly Stretch[], speakers: readonly number[]): number[] {
	return speakers.map((speaker, at) => {
		const [before, after] = [speakers[at - 1], speakers[at + 1]];
		const { start = 0, end = 0 } = words[at] ?? {};
		const isIsland = before !== undefined && before === after && before !== speaker;
		return isIsland && end - start < islandSeconds ? before : speaker;
	});
}

/** Splits a segment into parts with one speaker each. `speakers`: of its non-empty words. */
function split(segment: Segment, speakers: readonly number[], names: readonly string[]): Segment[] {
	const words = (segment.words ?? []).filter(({ word }) => word !== '');
	const cuts = speakers.flatMap((speaker, at) => (at > 0 && speaker !== speakers[at - 1] ? [at] : []));
	const places = placesOf(segment.text, words);
	const parts: Segment[] = [];
	[0, ...cuts].forEach((from, index) => {
		const to = cuts[index] ?? words.length;
		const speaker = nameOf(names, speakers[from]);
		const own = words.slice(from, to).map((word) => ({ ...word, speaker }));
		const isFirst = index === 0;
		const isLast = to === words.length;
		parts.push({
			...segment,
			speaker,
			start: isFirst ? segment.start : (own[0]?.start ?? segment.start),
			end: isLast ? segment.end : (own.at(-1)?.end ?? segment.end),
			text: segment.text.slice(isFirst ? 0 : places[from], isLast ? undefined : places[to]),
			words: own,
			// It is unknown which tokens belong to which part.
			tokens: isFirst ? segment.tokens : [],
			...(segment.logprobs && { logprobs: isFirst ? segment.logprobs : [] }),
		});
	});
	return parts;
}

/** The index in the text of each word, including the white space before it; never decreasing. */
function placesOf(text: string, words: readonly Word[]): number[] {
	let after = 0;
	return words.map(({ word }) => {
		const found = text.indexOf(word, after);
		const start = found === -1 ? after : found;
		const gap = text.slice(after, start);
		const spaces = gap.length - gap.trimEnd().length;
		after = found === -1 ? after : found + word.length;
		return start - spaces;
	});
}
