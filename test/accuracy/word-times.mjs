// @ts-check
/** When words begin, beside another system that heard them on the same weights. */

import { median, percentile } from '../bench/lib/statistics.mjs';
import { alignment } from './word-errors.mjs';

/**
 * @typedef {object} TimedWord
 * @property {string} text
 * @property {number} start seconds
 */

const plain = (/** @type {string} */ text) => text.toLowerCase().replace(/[^a-z0-9']+/g, '');

/**
 * Of the words that both heard, how far apart they begin.
 * @param {readonly TimedWord[]} ours @param {readonly TimedWord[]} theirs
 * @returns {number[]} seconds
 */
export function startDifferences(ours, theirs) {
	const [one, other] = [ours, theirs].map((words) => words.map(({ text }) => plain(text)));
	const found = [];
	for (const { of, in: at } of alignment(one ?? [], other ?? [])) {
		if (of === undefined || at === undefined || one?.[of] !== other?.[at]) continue;
		found.push(Math.abs((ours[of]?.start ?? 0) - (theirs[at]?.start ?? 0)));
	}
	return found;
}

/**
 * @param {string} name @param {string} other whose words they are set beside
 * @param {readonly number[]} differences seconds
 */
export function wordTimesLine(name, other, differences) {
	const ms = (/** @type {number} */ seconds) => `${Math.round(1000 * seconds)} ms`;
	return (
		`${name}: ${differences.length} words as ${other} heard them begin ${ms(median([...differences]))} (median), ` +
		`${ms(percentile([...differences], 0.95))} (95 %) from where it says`
	);
}
