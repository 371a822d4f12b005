/** Bounds of the `session` object in client events, which the server echoes. Pure. */

import { Refused } from './events.js';

const maxLevels = 32;

/** Its size as JSON then stays below the unsent bytes at which a connection is closed, escapes included. */
const maxCharacters = 1 << 19;

/** JSON of other values than texts, such as numbers: at most this many characters, the comma included. */
const charactersOfOther = 32;

/** Throws Refused. */
export function checkBounds(session: unknown): void {
	let characters = 0;
	const count = (value: unknown, levels: number): void => {
		if (levels > maxLevels)
			throw new Refused(
				'invalid_value',
				`Expected \`session\` to have at most ${maxLevels} levels of objects and arrays, got more`,
				'session',
			);
		characters += typeof value === 'string' ? value.length : charactersOfOther;
		if (characters > maxCharacters)
			throw new Refused(
				'invalid_value',
				`Expected \`session\` to be at most ${maxCharacters} characters of JSON, got more`,
				'session',
			);
		if (typeof value !== 'object' || value === null) return;
		for (const [name, each] of Object.entries(value)) {
			characters += name.length;
			count(each, levels + 1);
		}
	};
	count(session, 0);
}
