/** Reads and writes files that hold one JSON object each. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/disk/disk.js';
import { replaceFile } from '../../core/disk/replace-file.js';
import { codeOf } from '../../core/errors.js';

/** undefined if the file is absent or holds no JSON object. Throws the system's error. */
export async function readRecord(file: string): Promise<Record<string, unknown> | undefined> {
	try {
		const value: unknown = JSON.parse(await readFile(file, 'utf8'));
		return typeof value === 'object' && value !== null ? { ...value } : undefined;
	} catch (thrown) {
		if (thrown instanceof SyntaxError || codeOf(thrown) === 'ENOENT') return undefined;
		throw thrown;
	}
}

/** Writes the file, readable by this user only. Resolves once it is on disk. Throws the system's error. */
export async function writeRecord(file: string, record: object): Promise<void> {
	await makeFolder(path.dirname(file), 0o700);
	await replaceFile(file, (handle) => handle.writeFile(JSON.stringify(record)));
}

/** The names of a folder's records, sorted; empty if the folder is absent. Throws the system's error. */
export async function recordNames(folder: string): Promise<string[]> {
	try {
		return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
	} catch (thrown) {
		if (codeOf(thrown) === 'ENOENT') return [];
		throw thrown;
	}
}
