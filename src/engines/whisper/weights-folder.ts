/** The folder of weights that several processes share. */

import { access, constants } from 'node:fs/promises';
import { makeFolder } from '../../disk/disk.js';
import { EarshotError, reasonOf } from '../../errors.js';

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
		return folder;
	} catch (thrown) {
		throw invalid(folder, `a folder that can be written (${reasonOf(thrown)})`);
	}
}

const invalid = (folder: string, expected: string): EarshotError =>
	new EarshotError('config_invalid', `Expected \`weights_dir\` to be ${expected}, got \`${folder}\``);
