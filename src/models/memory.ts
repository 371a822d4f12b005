/** What a model will take in memory, from the size of its files, before anything is loaded. */

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ModelEntry } from './registry/entry.js';
import { memoryOf } from './types/memory.js';

/** As `memoryOf`, of the files of a model on this machine. */
export function expectedBytes({ type, files }: Pick<ModelEntry, 'type' | 'files'>): number {
	return memoryOf(
		type,
		Object.values(files).reduce((sum, file) => sum + bytesOf(file), 0),
	);
}

/** A tokenizer may be a folder. What is not there takes nothing: the load says what is missing. */
function bytesOf(file: string): number {
	const found = statSync(file, { throwIfNoEntry: false });
	if (!found?.isDirectory()) return found?.size ?? 0;
	return readdirSync(file).reduce((sum, name) => sum + bytesOf(path.join(file, name)), 0);
}
