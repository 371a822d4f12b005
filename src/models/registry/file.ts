/** models.yaml on the disk: created with comments, changed by one process at a time. */

import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { environmentSource, flagSource, resolveConfig } from '../../config/resolve.js';
import type { SettingName } from '../../config/settings.js';
import { codeOf, diskFailure } from '../../disk/disk.js';
import { takeLock } from '../../disk/lock.js';
import { writeWhole } from '../store/store.js';
import { freshRegistry } from './edit.js';
import { parseRegistry } from './parse.js';

/** For commands that write to it or serve from it: made where it is missing, wherever it is to be. */
export async function ensureRegistry(flags: Partial<Record<SettingName, string>>): Promise<void> {
	const { config } = resolveConfig([flagSource(flags), environmentSource()]);
	try {
		await createRegistry(config);
	} catch (thrown) {
		// A folder that is only read can still be served from; whoever writes to it is told then.
		if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes(codeOf(thrown))) throw thrown;
	}
}

/** True where it was not there before. Throws what the file system says. */
export async function createRegistry(file: string): Promise<boolean> {
	await mkdir(path.dirname(file), { recursive: true });
	try {
		await writeFile(file, freshRegistry, { flag: 'wx' });
		return true;
	} catch (thrown) {
		if (codeOf(thrown) === 'EEXIST') return false;
		throw thrown;
	}
}

/** Throws `config_invalid` where the file is not fit to be changed, or would not be afterwards. */
export async function editRegistry(
	file: string,
	modelDir: string,
	change: (text: string) => string,
	signal: AbortSignal,
): Promise<void> {
	try {
		await createRegistry(file);
		// A link in a folder of dot files stays one.
		const target = await realpath(file);
		const lock = await takeLock(target, signal);
		try {
			const text = await readFile(target, 'utf8');
			parseRegistry(text, file, modelDir);
			const changed = change(text);
			parseRegistry(changed, file, modelDir);
			if (changed !== text) await replace(target, changed);
		} finally {
			await lock.release();
		}
	} catch (thrown) {
		throw diskFailure(thrown, path.dirname(file), 'config') ?? thrown;
	}
}

async function replace(target: string, text: string): Promise<void> {
	try {
		await writeWhole(target, text);
	} catch (thrown) {
		// A file that is mounted by itself into a container cannot be renamed over.
		if (!['EBUSY', 'EXDEV'].includes(codeOf(thrown)) || !(await stat(target)).isFile()) throw thrown;
		await writeFile(target, text);
	}
}
