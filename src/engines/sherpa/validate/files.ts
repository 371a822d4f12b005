/** Reads a model's files for validation, and makes the errors about them. */

import { open, readFile } from 'node:fs/promises';
import { EarshotError } from '../../../errors.js';
import { NotOnnx } from '../../../model-files/onnx-fields.js';

export const fetchAgain = 'download it again';

export function refuse(role: string, file: string, why: string, cure: string): EarshotError {
	return new EarshotError(
		'model_load_failed',
		`its file \`${role}\` cannot be used: ${file}: ${why}; ${cure}`,
	);
}

export function unreadable(role: string, file: string, thrown: unknown): EarshotError {
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	return new EarshotError('model_load_failed', `its file \`${role}\` cannot be read: ${why || file}`, {
		cause: thrown,
	});
}

export async function readHead(file: string, length: number): Promise<Buffer> {
	const handle = await open(file, 'r');
	try {
		return (await handle.read(Buffer.alloc(length), 0, length, 0)).buffer;
	} finally {
		await handle.close();
	}
}

export async function readText(role: string, file: string): Promise<string> {
	try {
		const text = await readFile(file, 'utf8');
		if (text.trim() === '') throw new NotOnnx('it is empty');
		return text;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) throw refuse(role, file, thrown.message, fetchAgain);
		throw unreadable(role, file, thrown);
	}
}

/** Shortens text from a file for a message. */
export function shown(text: string): string {
	return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}
