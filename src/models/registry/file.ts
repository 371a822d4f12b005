/** Creates models.yaml, and edits it under a lock. */

import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { environmentSource, flagSource, resolveConfig } from '../../core/config/resolve.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { diskFailure, makeFolder } from '../../core/disk/disk.js';
import { takeLock } from '../../core/disk/lock.js';
import { codeOf, EarshotError } from '../../core/errors.js';
import { writeWhole } from '../store/store.js';
import { freshRegistry } from './edit.js';
import { parseRegistry } from './parse.js';
import type { Problem } from './yaml-reader.js';

/** Creates models.yaml if it is missing, for commands that edit or serve it. Ignores folders that cannot be written. */
export async function ensureRegistry(flags: SettingTexts): Promise<void> {
	const { config } = resolveConfig([flagSource(flags), environmentSource()]);
	try {
		await createRegistry(config);
	} catch (thrown) {
		// Serving does not need to write; a later edit reports the error.
		if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTSUP', 'ENOTDIR'].includes(codeOf(thrown))) throw thrown;
	}
}

/** Returns whether the file was created. Throws the file system's error. */
export async function createRegistry(file: string): Promise<boolean> {
	await makeFolder(path.dirname(file));
	try {
		await writeFile(file, freshRegistry, { flag: 'wx' });
		return true;
	} catch (thrown) {
		if (codeOf(thrown) === 'EEXIST') return false;
		throw thrown;
	}
}

/** Throws `config_invalid` if the file is invalid before the change, or the change would introduce a mistake. */
export async function editRegistry(
	file: string,
	modelDir: string,
	change: (text: string) => string,
	signal: AbortSignal,
): Promise<void> {
	try {
		await createRegistry(file);
		// Keeps a symbolic link, for example into a folder of dot files.
		const target = await realpath(file);
		const lock = await takeLock(target, signal);
		try {
			const text = await readFile(target, 'utf8');
			const known = parseRegistry(text, file, modelDir).problems.map(({ sentence }) => sentence);
			const changed = change(text);
			const added = newProblem(known, parseRegistry(changed, file, modelDir).problems);
			if (added) throw new EarshotError('config_invalid', added.message);
			if (changed !== text) await replace(target, changed);
		} finally {
			await lock.release();
		}
	} catch (thrown) {
		throw diskFailure(thrown, path.dirname(file), 'config') ?? thrown;
	}
}

/** A problem that the change introduced; line numbers do not count. */
function newProblem(known: readonly string[], problems: readonly Problem[]): Problem | undefined {
	const withoutLine = (sentence: string) => sentence.replace(/^line \d+/, '');
	const before = new Set(known.map(withoutLine));
	return problems.find(({ sentence }) => !before.has(withoutLine(sentence)));
}

async function replace(target: string, text: string): Promise<void> {
	try {
		await writeWhole(target, text);
	} catch (thrown) {
		// A file that is bind-mounted into a container cannot be replaced by a rename.
		if (!['EBUSY', 'EXDEV'].includes(codeOf(thrown)) || !(await stat(target)).isFile()) throw thrown;
		await writeFile(target, text);
	}
}
