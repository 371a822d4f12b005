// @ts-check
/** Python's ideas of white space and of where a word begins, which differ from those of JavaScript's patterns. */

const space = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const letter = '[\\p{L}\\p{N}_]';

/**
 * @param {string} source of a pattern, with `\b` and `\s` as in Python's `re`
 * @returns {RegExp} global, Unicode
 */
export function bounded(source) {
	const boundary = `(?:(?<=${letter})(?!${letter})|(?<!${letter})(?=${letter}))`;
	return new RegExp(source.replaceAll('\\b', boundary).replaceAll('\\s', space), 'gu');
}

export const spaces = bounded('\\s+');

/** @param {string} text @returns {string[]} as Python's `str.split()` */
export const wordsOf = (text) => text.split(spaces).filter((word) => word !== '');
