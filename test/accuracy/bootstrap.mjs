// @ts-check
/**
 * How sure a difference of two word error rates is: the paired bootstrap by recording (Bisani and Ney 2004, "Bootstrap
 * estimates for confidence intervals in ASR performance evaluation").
 */

/**
 * Mulberry32: the same figures in the same order everywhere.
 * @param {number} seed whole
 * @returns {() => number} 0 to 1
 */
function randomFrom(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/**
 * @typedef {object} Pair a recording
 * @property {number} words of its reference
 * @property {number} errors of the one
 * @property {number} baseline errors of the other
 */

/**
 * @param {readonly Pair[]} pairs
 * @param {{ resamples?: number, seed?: number, level?: number }} [options] `level`: share of resamples in the interval
 * @returns {{ difference: number, low: number, high: number }} points of word error rate, one minus the other
 */
export function pairedDifference(pairs, { resamples = 10_000, seed = 1, level = 0.95 } = {}) {
	const random = randomFrom(seed);
	const words = Float64Array.from(pairs, (pair) => pair.words);
	const more = Float64Array.from(pairs, ({ errors, baseline }) => errors - baseline);
	const differences = new Float64Array(resamples);
	for (let resample = 0; resample < resamples; resample++) {
		let allWords = 0;
		let allMore = 0;
		for (let drawn = 0; drawn < pairs.length; drawn++) {
			const at = Math.floor(random() * pairs.length);
			allWords += words[at] ?? 0;
			allMore += more[at] ?? 0;
		}
		differences[resample] = (100 * allMore) / allWords;
	}
	differences.sort();
	const quantile = (/** @type {number} */ share) =>
		differences[Math.min(resamples - 1, Math.floor(share * resamples))] ?? Number.NaN;
	const sum = (/** @type {Float64Array} */ values) => values.reduce((total, value) => total + value, 0);
	return {
		difference: (100 * sum(more)) / sum(words),
		low: quantile((1 - level) / 2),
		high: quantile((1 + level) / 2),
	};
}
