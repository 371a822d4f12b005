/** What may fail without anything being wrong. */

/** Undefined where it throws. */
export function attempt<T>(find: () => T): T | undefined {
	try {
		return find();
	} catch {
		// The caller goes on without.
		return undefined;
	}
}

export function firstLine(thrown: unknown): string {
	const text = thrown instanceof Error ? thrown.message : String(thrown);
	return text.split('\n', 1)[0] ?? text;
}
