/** Helpers for operations that may fail as a matter of course. */

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
	const text = thrown instanceof Error ? thrown.message : String(thrown);
	return text.split('\n', 1)[0] ?? text;
}
