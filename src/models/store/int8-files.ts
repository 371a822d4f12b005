/** The files of 8-bit encoder weights in the model folder: their names, their lock, their removal. */

import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { takeLock } from '../../disk/lock.js';

export const int8Suffix = '.safetensors';

export class Int8Files {
	readonly folder: string;

	constructor(modelDir: string) {
		this.folder = path.join(modelDir, '.earshot', 'int8');
	}

	/** Of the weights of a ggml file, by its real path: a hash of it. The head of the weights says what they were made of. */
	pathOf(source: string): string {
		const hash = createHash('sha256').update(source).digest('hex').slice(0, 32);
		return path.join(this.folder, `${hash}${int8Suffix}`);
	}

	/** The file name in `folder`, to be asked while the ggml file is still there, for `remove`. */
	nameOf(file: string): string {
		return path.basename(this.pathOf(existsSync(file) ? realpathSync(file) : file));
	}

	/** `names` as `nameOf` gives them. Does nothing for those that do not exist. */
	async remove(names: readonly string[]): Promise<void> {
		const kept = names.map((name) => path.join(this.folder, name)).filter((file) => existsSync(file));
		if (kept.length > 0) await this.alone(() => Promise.all(kept.map((file) => rm(file, { force: true }))));
	}

	/** Runs `work` while no other process writes here: the files are large, and several runners may ask at once. */
	async alone(work: () => Promise<unknown>): Promise<void> {
		const lock = await takeLock(path.join(this.folder, 'making'), new AbortController().signal);
		try {
			await work();
		} finally {
			await lock.release();
		}
	}
}
