/** The files of 8-bit encoder weights in the model folder: their names, their lock, their removal. */

import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { takeLock } from '../../core/disk/lock.js';

export const int8Suffix = '.safetensors';

export class Int8Files {
	readonly folder: string;

	constructor(modelDir: string) {
		this.folder = path.join(modelDir, '.earshot', 'int8');
	}

	/** Path of the 8-bit weights made from a ggml file: a hash of that file's real path. Their header says what they were
	 * made from. */
	pathOf(source: string): string {
		const hash = createHash('sha256').update(source).digest('hex').slice(0, 32);
		return path.join(this.folder, `${hash}${int8Suffix}`);
	}

	/** The file name in `folder`, for `remove`. Call it while the ggml file still exists. */
	nameOf(file: string): string {
		return path.basename(this.pathOf(existsSync(file) ? realpathSync(file) : file));
	}

	/** `names`: from `nameOf`. Ignores files that do not exist. */
	async remove(names: readonly string[]): Promise<void> {
		const present = names.map((name) => path.join(this.folder, name)).filter((file) => existsSync(file));
		if (present.length > 0)
			await this.alone(() => Promise.all(present.map((file) => rm(file, { force: true }))));
	}

	/** Runs `work` under a lock between processes: the files are large, and several runners may need one at once. */
	async alone(work: () => Promise<unknown>): Promise<void> {
		const lock = await takeLock(path.join(this.folder, 'making'), new AbortController().signal);
		try {
			await work();
		} finally {
			await lock.release();
		}
	}
}
