/** Validates the folder of a tokenizer. */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fetchAgain, readText, refuse, unreadable } from './files.js';

/** `names`: files that the folder must contain; those ending in `.json` must be JSON. Throws `model_load_failed`. */
export async function checkTokenizer(folder: string, names: readonly string[]): Promise<void> {
	const there = await readdir(folder).catch((thrown: unknown) => {
		throw unreadable('tokenizer', folder, thrown);
	});
	for (const name of names) {
		const file = path.join(folder, name);
		if (!there.includes(name)) {
			throw refuse('tokenizer', folder, `it has no ${name}`, `it must contain ${names.join(', ')}`);
		}
		const text = await readText('tokenizer', file);
		if (name.endsWith('.json') && !isObject(text))
			throw refuse('tokenizer', file, 'it is not JSON', fetchAgain);
		if (name === 'merges.txt' && !text.startsWith('#version') && !/^\S+ \S+\r?$/m.test(text))
			throw refuse('tokenizer', file, 'it contains no merges', fetchAgain);
	}
}

function isObject(text: string): boolean {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null;
	} catch {
		return false;
	}
}
