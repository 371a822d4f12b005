/** The folder of weights that several processes share. */

import { access, constants, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/disk/disk.js';
import { EarshotError, reasonOf } from '../../core/errors.js';

/**
 * Creates the folder if it is missing. `undefined` if none is set. Throws `config_invalid` if it cannot be written, or the
 * system cannot share weights.
 */
export async function weightsFolder(
	folder: string,
	platform = process.platform,
): Promise<string | undefined> {
	if (folder === '') return undefined;
	if (platform === 'win32') throw invalid(folder, 'unset on Windows, where processes cannot share weights');
	try {
		await makeFolder(folder, 0o700);
		await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
		await removeDrafts(folder);
		return folder;
	} catch (thrown) {
		throw invalid(folder, `a folder that can be written (${reasonOf(thrown)})`);
	}
}

/** As `native/platform/shared_file.cc` names what it has not written to the end. */
const draftName = /\.weights\.[A-Za-z0-9]{6}$/;
const staleMs = 60 * 60_000;

/** Removes what processes that were killed have left, where this user may: drafts of others are no reason to refuse. */
async function removeDrafts(folder: string): Promise<void> {
	for (const name of await readdir(folder)) {
		if (!draftName.test(name)) continue;
		const file = path.join(folder, name);
		const changedMs = (await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now();
		if (changedMs < Date.now() - staleMs) await rm(file, { force: true }).catch(() => {});
	}
}

const invalid = (folder: string, expected: string): EarshotError =>
	new EarshotError('config_invalid', `Expected \`weights_dir\` to be ${expected}, got \`${folder}\``);
