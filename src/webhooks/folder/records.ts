/** Files of one JSON object each. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, makeFolder } from '../../disk/disk.js';
import { replaceFile } from '../../disk/replace-file.js';

/** undefined for a file that is absent, or not one of these. Throws the system's error. */
export async function readRecord(file: string): Promise<Record<string, unknown> | undefined> {
	try {
		const value: unknown = JSON.parse(await readFile(file, 'utf8'));
		return typeof value === 'object' && value !== null ? { ...value } : undefined;
	} catch (thrown) {
		if (thrown instanceof SyntaxError || codeOf(thrown) === 'ENOENT') return undefined;
		throw thrown;
	}
}

/** Only this user can read it. Resolves when it is on disk. Throws the system's error. */
export async function writeRecord(file: string, record: object): Promise<void> {
	await makeFolder(path.dirname(file), 0o700);
	await replaceFile(file, (handle) => handle.writeFile(JSON.stringify(record)));
}

/** The names of a folder's records, sorted; none where there is no folder. Throws the system's error. */
export async function recordNames(folder: string): Promise<string[]> {
	try {
		return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
	} catch (thrown) {
		if (codeOf(thrown) === 'ENOENT') return [];
		throw thrown;
	}
}
