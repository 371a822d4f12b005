/** Files of one JSON object each. */

import { readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, makeFolder } from '../../disk/disk.js';
import { replaceFile, unfinishedName } from '../../disk/replace-file.js';

/** No write takes so long. */
const unfinishedMs = 3_600_000;

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

/** Removes what writers that were killed have left in a folder. */
export async function removeUnfinished(folder: string, nowMs: number): Promise<void> {
	for (const name of await readdir(folder).catch(() => [])) {
		if (!unfinishedName.test(name)) continue;
		const file = path.join(folder, name);
		const found = await stat(file).catch(() => undefined);
		if (found !== undefined && found.mtimeMs < nowMs - unfinishedMs) await rm(file, { force: true });
	}
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
