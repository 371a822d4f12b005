/** Words that last through a pause, which models end where the next one begins. Pure. */

import type { Stretch, Word } from '../speech/transcript.js';

/** The times of words and of detected speech differ by as much. */
const slackSeconds = 0.1;

/** Silence of a word that is less is left: consonants are quiet. */
const shortestCutSeconds = 0.3;

/** Speech of a word that is less is that of its neighbour. */
const shortestPartSeconds = 0.1;

/**
 * The words of a segment, each without the silence in it: it ends with the speech that it begins in, or the first one
 * begins with the speech that it ends in. `speech`: in order of time, by the same clock.
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
