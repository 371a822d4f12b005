/** Parses records that hold JSON objects. A damaged record counts as absent, so that it does not stop the work on
 * other records. Pure. */

import type { StoredRecord } from './records.js';

/** The object of a record; undefined if there is no record, or it holds no object. */
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

/** The objects of a list's lines, up to the first line that holds none. */
export function objectsIn<T extends object>(lines: readonly string[]): T[] {
	const found: T[] = [];
	for (const value of lines) {
		const line = objectIn({ value });
		if (line === undefined) break;
		found.push(line as T);
	}
	return found;
}
