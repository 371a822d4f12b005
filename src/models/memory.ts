/** Estimates a model's memory from the size of its files, before it is loaded. */

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ModelEntry } from './registry/entry.js';
import { memoryOf } from './types/memory.js';

/** `memoryOf` for the files of a model on this machine. */
export function expectedBytes({ type, files }: Pick<ModelEntry, 'type' | 'files'>): number {
	return memoryOf(
		type,
		Object.values(files).reduce((sum, file) => sum + bytesOf(file), 0),
	);
}

/** A tokenizer may be a folder. A missing file counts as 0; loading the model reports it. */
function bytesOf(file: string): number {
	const found = statSync(file, { throwIfNoEntry: false });
	if (!found?.isDirectory()) return found?.size ?? 0;
	return readdirSync(file).reduce((sum, name) => sum + bytesOf(path.join(file, name)), 0);
}
