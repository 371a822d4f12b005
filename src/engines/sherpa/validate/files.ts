/** Reads a model's files for validation, and makes the errors about them. */

import { open, readFile, stat } from 'node:fs/promises';
import { EarshotError, reasonOf } from '../../../core/errors.js';
import { NotOnnx } from '../../../model-files/onnx-fields.js';

export const fetchAgain = 'download it again';

export function refuse(role: string, file: string, why: string, advice: string): EarshotError {
	return new EarshotError(
		'model_load_failed',
		`its file \`${role}\` cannot be used: ${file}: ${why}; ${advice}`,
	);
}

export function unreadable(role: string, file: string, thrown: unknown): EarshotError {
	const why = reasonOf(thrown);
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

/** The largest known vocabularies have a quarter of this. */
export const maxSymbols = 1_000_000;

/** The largest known text files of models have a quarter of this. */
const maxTextBytes = 64 * 2 ** 20;

/** The text of a regular file, if it is small enough to be read and checked within a second. */
export async function readText(role: string, file: string): Promise<string> {
	try {
		const found = await stat(file);
		if (!found.isFile()) throw new NotOnnx('it is not a regular file');
		if (found.size > maxTextBytes)
			throw new NotOnnx(`it has ${found.size} bytes, more than the ${maxTextBytes} that are read of a text`);
		const text = await readFile(file, 'utf8');
		if (text.trim() === '') throw new NotOnnx('it is empty');
		return text;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) throw refuse(role, file, thrown.message, fetchAgain);
		throw unreadable(role, file, thrown);
	}
}

/** The lines of a text one by one, with their numbers from 1: an array of them would take many times their size. */
export function* linesOf(text: string): Generator<readonly [number: number, line: string]> {
	let start = 0;
	for (let number = 1; start < text.length; number++) {
		const found = text.indexOf('\n', start);
		const end = found < 0 ? text.length : found;
		yield [number, text.slice(start, end)];
		start = end + 1;
	}
}

/** Parts of a line as C++ reads them from a stream: only these characters separate. At most `limit`, in linear time. */
export function fieldsOf(line: string, limit: number): string[] {
	const fields: string[] = [];
	const field = /[^ \t\v\f\r\n]+/g;
	for (let found = field.exec(line); found && fields.length < limit; found = field.exec(line))
		fields.push(found[0]);
	return fields;
}

/** Shortens text from a file for a message. */
export function shown(text: string): string {
	return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}
