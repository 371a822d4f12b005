/** The words of a transcript with their times, from which subtitles are laid out. Pure. */

import { unspacedCharacter } from '../../core/speech/text.js';
import type { Segment } from '../../core/speech/transcript.js';
import { widthOf } from './width.js';

/** A word with its punctuation, which is never cut. */
export interface TimedWord {
	readonly text: string;
	/** Whether white space stands before it in the text. */
	readonly isSpaced: boolean;
	/** Columns of the text. */
	readonly width: number;
	/** Seconds of the recording; never before the word before it. */
	readonly start: number;
	readonly end: number;
	/** Whether the model gave its times; otherwise they are in proportion to the characters. */
	readonly isTimed: boolean;
	readonly segment: Segment;
}

/**
 * All words of the segments. The text comes from the segments' `text`; their `words` give only the times. In scripts
 * without spaces words are found by a dictionary, and one wider than `maxWidth` is cut into characters.
 */
export function timedWords(segments: readonly Segment[], maxWidth: number): TimedWord[] {
	const words: TimedWord[] = [];
	let isAfterSpace = true;
	let earliest = 0;
	for (const segment of segments) {
		const times = characterTimes(segment);
		let from = 0;
		for (const part of segment.text.split(/(\s+)/u)) {
			if (part.trim() === '') {
				isAfterSpace ||= part !== '';
				from += part.length;
				continue;
			}
			for (const text of unbroken(part, maxWidth)) {
				const last = from + text.length - 1;
				const start = Math.max(times.starts[from] ?? 0, earliest);
				const end = Math.max(times.ends[last] ?? 0, start);
				const isTimed = times.areGiven[from] ?? false;
				words.push({ text, isSpaced: isAfterSpace, width: widthOf(text), start, end, isTimed, segment });
				isAfterSpace = false;
				earliest = start;
				from += text.length;
			}
		}
	}
	// A word ends no later than the next one begins.
	return words.map((word, index) => ({
		...word,
		end: Math.min(word.end, words[index + 1]?.start ?? word.end),
	}));
}

interface CharacterTimes {
	readonly starts: readonly number[];
	readonly ends: readonly number[];
	readonly areGiven: readonly boolean[];
}

/** Punctuation and the like that `words` may leave out between two of them, in characters. */
const maxSkipped = 16;

/** The time of each character (UTF-16 unit) of a segment: from its words, and evenly spaced between them. */
function characterTimes({ text, start, end, words = [] }: Segment): CharacterTimes {
	const starts: number[] = [];
	const ends: number[] = [];
	const areGiven: boolean[] = [];
	const spread = (to: number, from: number, until: number, isGiven: boolean): void => {
		const count = to - starts.length;
		const step = Math.max(until - from, 0) / count;
		for (let index = 0; index < count; index++) {
			starts.push(from + index * step);
			ends.push(from + (index + 1) * step);
			areGiven.push(isGiven);
		}
	};
	let time = start;
	for (const { word, start: begin, end: finish } of words) {
		const position = starts.length;
		const at = text.slice(position, position + maxSkipped + word.length).indexOf(word);
		// A word of no length was not found in the recording.
		if (word === '' || at < 0 || finish <= begin) continue;
		spread(position + at, time, begin, false);
		spread(position + at + word.length, begin, finish, true);
		time = finish;
	}
	spread(text.length, time, end, false);
	return { starts, ends, areGiven };
}

// The language makes no difference to where a dictionary finds words.
const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' });
const characterSegmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const onlyPunctuation = /^[\p{P}\p{S}\p{M}]+$/u;
const opening = /[\p{Ps}\p{Pi}]$/u;

/** The parts of a text without white space between which a line may break. */
function unbroken(text: string, maxWidth: number): string[] {
	if (!unspacedCharacter.test(text)) return [text];
	// The time of a segmenter grows with the square of the text.
	const words = (text.match(/.{1,500}/gsu) ?? []).flatMap((part) => [...wordSegmenter.segment(part)]);
	return withPunctuation(words).flatMap((word) =>
		widthOf(word) > maxWidth && unspacedCharacter.test(word)
			? withPunctuation(characterSegmenter.segment(word))
			: [word],
	);
}

/** Punctuation belongs to the part before it, opening brackets and quotes to the one after. */
function withPunctuation(parts: Iterable<Intl.SegmentData>): string[] {
	const joined: string[] = [];
	for (const { segment: part } of parts) {
		const last = joined.at(-1);
		const belongsBefore = onlyPunctuation.test(part) && !opening.test(part);
		if (last !== undefined && (belongsBefore || (onlyPunctuation.test(last) && opening.test(last))))
			joined[joined.length - 1] = last + part;
		else joined.push(part);
	}
	return joined;
}
