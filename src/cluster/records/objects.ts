/** Records that hold objects. What is none, as after a write by hand, counts as absent: it must not stop what has to do with
 * others. Pure. */

import type { StoredRecord } from './records.js';

/** The object of a record; undefined where there is no record, or no object in it. */
export function objectIn(
	found: Pick<StoredRecord, 'value'> | undefined,
): Readonly<Record<string, unknown>> | undefined {
	try {
		const value: unknown = found && JSON.parse(found.value);
		return typeof value === 'object' && value !== null ? { ...value } : undefined;
	} catch {
		return undefined;
	}
}

/** The lines of a list up to the first that is no object. */
export function objectsIn<T extends object>(lines: readonly string[]): T[] {
	const found: T[] = [];
	for (const value of lines) {
		const line = objectIn({ value });
		if (line === undefined) break;
		found.push(line as T);
	}
	return found;
}
