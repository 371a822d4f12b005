// @ts-check
/** What a run is worth: errors by recording, and what should not have been written. */

import { pairedDifference } from './bootstrap.mjs';
import { countedWords } from './text/normalise.mjs';
import { errorCount, errorRate, summed, wordErrors } from './word-errors.mjs';

/**
 * @typedef {object} Outcome of one recording
 * @property {string} id
 * @property {string} text
 * @property {boolean} fellBack some of it was decoded at a higher temperature
 * @property {number} [afterEnd] segments and words with times beyond the end
 * @property {number} [zeroWords] words that end where they begin
 * @property {import('./word-times.mjs').TimedWord[]} [words] with times, where they were asked for and the system has them
 */

/**
 * @typedef {object} Score
 * @property {string} name
 * @property {import('./word-errors.mjs').WordErrors[]} byRecording of the speech, in its order
 * @property {import('./word-errors.mjs').WordErrors} errors sum of them
 * @property {number} rate word error rate, in per cent
 * @property {{ id: string, rate: number, zeroWords: number }[]} long
 * @property {{ id: string, text: string }[]} fromNothing texts of recordings in which nobody speaks
 * @property {number} afterEnd @property {number} zeroWords @property {number} fellBack recordings
 */

/**
 * @param {string} name
 * @param {readonly import('./recordings.mjs').Recording[]} recordings all of them, in any order
 * @param {readonly Outcome[]} outcomes one for each
 * @returns {Score}
 */
export function score(name, recordings, outcomes) {
	const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
	const seen = recordings.map((recording) => {
		const outcome = byId.get(recording.id);
		if (outcome === undefined) throw new Error(`${name} has no result for ${recording.id}`);
		return { recording, outcome };
	});
	const errorsOf = (/** @type {(typeof seen)[number]} */ { recording, outcome }) =>
		wordErrors(countedWords(recording.reference), countedWords(outcome.text));
	const ofKind = (/** @type {string} */ kind) => seen.filter(({ recording }) => recording.kind === kind);
	const byRecording = ofKind('speech').map(errorsOf);
	const errors = summed(byRecording);
	const count = (/** @type {(outcome: Outcome) => number} */ of) =>
		outcomes.reduce((sum, outcome) => sum + of(outcome), 0);
	return {
		name,
		byRecording,
		errors,
		rate: errorRate(errors),
		long: ofKind('long').map((each) => ({
			id: each.recording.id,
			rate: errorRate(errorsOf(each)),
			zeroWords: each.outcome.zeroWords ?? 0,
		})),
		fromNothing: ofKind('nonspeech')
			.filter(({ outcome }) => outcome.text.trim() !== '')
			.map(({ outcome: { id, text } }) => ({ id, text })),
		afterEnd: count(({ afterEnd = 0 }) => afterEnd),
		zeroWords: count(({ zeroWords = 0 }) => zeroWords),
		fellBack: count(({ fellBack }) => (fellBack ? 1 : 0)),
	};
}

/** @param {Score} one @param {Score} other of the same recordings */
export function differenceOf(one, other) {
	return pairedDifference(
		one.byRecording.map((errors, at) => {
			const baseline = other.byRecording[at];
			if (baseline === undefined) throw new Error('the scores are of different recordings');
			return { words: errors.words, errors: errorCount(errors), baseline: errorCount(baseline) };
		}),
	);
}
