/** Words in which a transcript differs from a reference. Rough: enough to see that a side did the work. */

const titles = new Map([
	['mr', 'mister'],
	['mrs', 'missus'],
	['dr', 'doctor'],
]);

/** @param {string} text @returns {string[]} lower case, without punctuation */
export function wordsOf(text) {
	const plain = text
		.toLowerCase()
		.replaceAll(/['’]/g, '')
		.replaceAll(/[^a-z0-9]+/g, ' ');
	return plain
		.split(' ')
		.filter(Boolean)
		.map((word) => titles.get(word) ?? word);
}

/**
 * @param {string[]} reference @param {string[]} words
 * @returns {number} words to put in, take out or change (Levenshtein's distance)
 */
export function wordErrors(reference, words) {
	let row = words.map((_, index) => index + 1);
	for (const [line, wanted] of reference.entries()) {
		let left = line + 1;
		let diagonal = line;
		row = row.map((above, index) => {
			const cost = Math.min(above + 1, left + 1, diagonal + (words[index] === wanted ? 0 : 1));
			diagonal = above;
			left = cost;
			return cost;
		});
	}
	return row.at(-1) ?? reference.length;
}
