// @ts-check
/**
 * Which words have the right speaker, as the word diarization error rate counts it (Shafey and others 2019): what was said
 * and what was written are aligned, and of the pairs, equal or not, those count as right that have the same speaker. Found
 * speakers are assigned to true ones one to one. Times play no part: a word whose times are wrong is not excused by them.
 */

import { countedWords } from '../text/normalise.mjs';
import { alignment } from '../word-errors.mjs';
import { bestMapping } from './error-rate.mjs';

/** @typedef {{ text: string, speaker: string }} Said words, one or more, of one speaker */

/**
 * @param {readonly Said[]} said what was said, in order
 * @param {readonly Said[]} written
 * @returns {{ right: number, pairs: number, said: number }} words
 */
export function wordsRight(said, written) {
	const [one, other] = [said, written].map((all) =>
		all.flatMap(({ text, speaker }) => countedWords(text).map((word) => ({ word, speaker }))),
	);
	const texts = (/** @type {{ word: string }[]} */ all = []) => all.map(({ word }) => word);
	const pairs = [];
	for (const { of, in: at } of alignment(texts(one), texts(other)))
		if (of !== undefined && at !== undefined)
			pairs.push([one?.[of]?.speaker ?? '', other?.[at]?.speaker ?? '']);
	/** @type {Map<string, Map<string, number>>} */
	const together = new Map();
	for (const [person = '', found = ''] of pairs) {
		const row = together.get(found) ?? new Map();
		together.set(found, row.set(person, (row.get(person) ?? 0) + 1));
	}
	const mapping = bestMapping(together, [...new Set(said.map(({ speaker }) => speaker))]);
	const right = pairs.filter(([person, found]) => mapping.get(found) === person).length;
	return { right, pairs: pairs.length, said: one?.length ?? 0 };
}
