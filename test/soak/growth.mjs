// Whether what was measured over time has grown.

/** @param {readonly number[]} values @returns {number} NaN without values */
export function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length / 2;
	return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The first quarter is left out: caches fill and the heap finds its size. Medians, since garbage waits to be collected.
 * @param {readonly number[]} values at equal distances in time
 * @returns {{ from: number, to: number }} medians of the second and of the last quarter
 */
export function growthOf(values) {
	const quarter = Math.floor(values.length / 4);
	return {
		from: median(values.slice(quarter, 2 * quarter)),
		to: median(values.slice(values.length - quarter)),
	};
}
