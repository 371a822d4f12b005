// @ts-check
/** Word errors by Levenshtein's alignment. */

/**
 * @typedef {object} WordErrors
 * @property {number} words of the reference
 * @property {number} substituted
 * @property {number} deleted words of the reference that are missing
 * @property {number} inserted
 */

/**
 * The fewest changes that turn the reference into what was written, from the end to the start; of equally short ways one
 * with the most substitutions. A step has the word's place in both, one of them undefined where it was deleted or inserted.
 * Time and memory are of the order of the product of the lengths.
 * @param {readonly string[]} reference @param {readonly string[]} written
 * @returns {Generator<{ of?: number, in?: number }>}
 */
export function* alignment(reference, written) {
	const width = written.length + 1;
	const cost = new Uint32Array((reference.length + 1) * width);
	for (let column = 0; column < width; column++) cost[column] = column;
	for (let row = 1; row <= reference.length; row++) {
		cost[row * width] = row;
		for (let column = 1; column < width; column++) {
			const at = row * width + column;
			const differs = reference[row - 1] === written[column - 1] ? 0 : 1;
			cost[at] = Math.min(
				(cost[at - width - 1] ?? 0) + differs,
				(cost[at - width] ?? 0) + 1,
				(cost[at - 1] ?? 0) + 1,
			);
		}
	}
	let row = reference.length;
	let column = written.length;
	while (row > 0 || column > 0) {
		const here = cost[row * width + column] ?? 0;
		const differs = reference[row - 1] === written[column - 1] ? 0 : 1;
		if (row > 0 && column > 0 && here === (cost[(row - 1) * width + column - 1] ?? 0) + differs)
			yield { of: --row, in: --column };
		else if (row > 0 && here === (cost[(row - 1) * width + column] ?? 0) + 1) yield { of: --row };
		else yield { in: --column };
	}
}

/** @param {readonly string[]} reference @param {readonly string[]} written @returns {WordErrors} */
export function wordErrors(reference, written) {
	const errors = { words: reference.length, substituted: 0, deleted: 0, inserted: 0 };
	for (const { of, in: at } of alignment(reference, written)) {
		if (of === undefined) errors.inserted++;
		else if (at === undefined) errors.deleted++;
		else if (reference[of] !== written[at]) errors.substituted++;
	}
	return errors;
}

/** @param {WordErrors} errors */
export const errorCount = ({ substituted, deleted, inserted }) => substituted + deleted + inserted;

/** @param {readonly WordErrors[]} all @returns {WordErrors} */
export function summed(all) {
	const sum = { words: 0, substituted: 0, deleted: 0, inserted: 0 };
	for (const each of all) {
		sum.words += each.words;
		sum.substituted += each.substituted;
		sum.deleted += each.deleted;
		sum.inserted += each.inserted;
	}
	return sum;
}

/** @param {WordErrors} errors @returns {number} word error rate, in per cent */
export const errorRate = (errors) => (100 * errorCount(errors)) / errors.words;
