/** Helpers for operations that may fail as a matter of course. */

import { reasonOf } from '../core/errors.js';

/** The result of `find`; undefined if it throws. */
export function attempt<T>(find: () => T): T | undefined {
	try {
		return find();
	} catch {
		// The caller continues without a result.
		return undefined;
	}
}

export function firstLine(thrown: unknown): string {
	const text = reasonOf(thrown);
	return text.split('\n', 1)[0] ?? text;
}
