/** Shortens words that a model lets last through a pause, until the next word begins. Pure. */

import type { Stretch, Word } from '../core/speech/transcript.js';

/** The times of words and of detected speech may differ by this much. */
const slackSeconds = 0.1;

/** A shorter silence in a word is kept: consonants are quiet. */
const shortestCutSeconds = 0.3;

/** A shorter part of speech at the edge of a word belongs to its neighbour. */
const shortestPartSeconds = 0.1;

/**
 * The words of a segment without the silence in them: a word ends where the speech that it begins in ends, and the
 * first word begins where the speech that it ends in begins. `speech`: in order of time, on the same time scale.
 */
export function wordsInSpeech(words: readonly Word[], speech: readonly Stretch[]): Word[] {
	return words.map((word, index) => {
		const parts = speech.filter(
			({ start, end }) => Math.min(end, word.end) - Math.max(start, word.start) >= shortestPartSeconds,
		);
		const part = index === 0 && words.length > 1 ? parts.at(-1) : parts[0];
		if (part === undefined) return word;
		const [from, to] = [part.start - slackSeconds, part.end + slackSeconds];
		return {
			...word,
			...(from - word.start >= shortestCutSeconds && { start: from }),
			...(word.end - to >= shortestCutSeconds && { end: to }),
		};
	});
}
