/**
 * Reads the directory of a CTranslate2 `model.bin`, without the weights. The layout (binary versions 4 to 6, as
 * `model.cc` of CTranslate2 reads it) is little-endian: `u32` version, name of the specification, `u32` revision,
 * `u32` number of variables; for each its name, `u8` rank, `u32` dimensions, `u8` type, `u32` size, the bytes; then
 * `u32` number of aliases, for each its name and that of a variable. A name is a `u16` length and bytes that end with
 * a NUL.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Indexed by CTranslate2's type number. */
const numberTypes = ['f32', 'i8', 'i16', 'i32', 'f16', 'bf16'] as const;
export type NumberType = (typeof numberTypes)[number];

export const bytesPerNumber: Readonly<Record<NumberType, number>> = {
	f32: 4,
	i8: 1,
	i16: 2,
	i32: 4,
	f16: 2,
	bf16: 2,
};

export interface Variable {
	readonly name: string;
	readonly type: NumberType;
	/** Slowest dimension first; empty for a scalar. */
	readonly shape: readonly number[];
	/** Offset in the file. */
	readonly offset: number;
	readonly bytes: number;
	/** The value of an integer scalar. */
	readonly value: number | undefined;
}

export interface Ctranslate2File {
	/** `WhisperSpec`, `TransformerSpec`, … */
	readonly specification: string;
	readonly variables: ReadonlyMap<string, Variable>;
	/** Alias → name of a variable. */
	readonly aliases: ReadonlyMap<string, string>;
}

/** The file is damaged, not a CTranslate2 model, or not a usable one; the message is a clause that says why. */
export class BadCtranslate2 extends Error {
	override readonly name = 'BadCtranslate2';
}

const versions: readonly number[] = [4, 5, 6];
/** Highest version that `specificationOf` and the reader take for CTranslate2's. */
const maxVersion = 100;
const maxRank = 4;
const maxNameBytes = 1024;
/** Maximum number of variables, and of aliases; Whisper large has 1,300. */
const maxCount = 1 << 16;

/** Throws `BadCtranslate2`, or the error of the file system. */
export function readCtranslate2(path: string): Ctranslate2File {
	const file = new Walk(path);
	try {
		return readModel(file);
	} finally {
		file.close();
	}
}

/** The specification named by a file's first bytes (64 suffice); undefined if it is not a CTranslate2 model. Pure. */
export function specificationOf(head: Buffer): string | undefined {
	if (head.length < 8) return undefined;
	const [version, length] = [head.readUInt32LE(0), head.readUInt16LE(4)];
	if (version < 1 || version > maxVersion || length < 2 || head.length < 6 + length) return undefined;
	const name = head.toString('latin1', 6, 6 + length);
	return /^\w+Spec\0$/.test(name) ? name.slice(0, -1) : undefined;
}

function readModel(file: Walk): Ctranslate2File {
	const version = file.integer(4);
	if (version < 1 || version > maxVersion) throw new BadCtranslate2('it is not a CTranslate2 model');
	const specification = file.name('its specification');
	if (!versions.includes(version))
		throw new BadCtranslate2(
			`its binary version is ${version}, but only versions ${versions.join(', ')} can be read; convert the model again`,
		);
	// The revision is skipped: its differences show in the variables.
	file.integer(4);
	const variables = new Map<string, Variable>();
	const count = file.count('variables');
	for (let index = 0; index < count; index++) {
		const variable = readVariable(file, index);
		if (variables.has(variable.name)) throw new BadCtranslate2(`it has \`${variable.name}\` twice`);
		variables.set(variable.name, variable);
	}
	const aliases = new Map<string, string>();
	const aliasCount = file.count('aliases');
	for (let index = 0; index < aliasCount; index++) {
		const alias = file.name(`alias ${index}`);
		const name = file.name(`what \`${alias}\` stands for`);
		// The alias would hide the variable of the same name.
		if (variables.has(alias)) throw new BadCtranslate2(`it has \`${alias}\` twice`);
		if (aliases.has(alias)) throw new BadCtranslate2(`it has the alias \`${alias}\` twice`);
		if (!variables.has(name))
			throw new BadCtranslate2(`the alias \`${alias}\` is for \`${name}\`, which does not exist`);
		aliases.set(alias, name);
	}
	if (file.left > 0) throw new BadCtranslate2(`it has ${file.left} bytes after its end`);
	return { specification, variables, aliases };
}

function readVariable(file: Walk, index: number): Variable {
	const name = file.name(`variable ${index}`);
	const rank = file.integer(1);
	if (rank > maxRank) throw new BadCtranslate2(`\`${name}\` has ${rank} dimensions`);
	const shape = Array.from({ length: rank }, () => file.integer(4));
	const number = file.integer(1);
	const type = numberTypes[number];
	if (type === undefined) throw new BadCtranslate2(`\`${name}\` has the unknown number type ${number}`);
	const bytes = file.integer(4);
	const expected = shape.reduce((product, size) => product * size, bytesPerNumber[type]);
	if (bytes !== expected)
		throw new BadCtranslate2(
			`\`${name}\` ([${shape.join(', ')}] of ${type}) has ${bytes} bytes instead of ${expected}`,
		);
	const offset = file.position;
	if (bytes > file.left)
		throw new BadCtranslate2(`it is truncated within \`${name}\`: ${bytes - file.left} bytes are missing`);
	const isWhole = rank === 0 && (type === 'i8' || type === 'i16' || type === 'i32');
	const value = isWhole ? file.signed(bytesPerNumber[type]) : undefined;
	if (!isWhole) file.skip(bytes);
	return { name, type, shape, offset, bytes, value };
}

/** Reads forward through a file in small pieces, since there is little between the weights. */
class Walk {
	readonly #file: number;
	readonly #size: number;
	readonly #piece = Buffer.alloc(4096);
	#start = 0;
	#filled = 0;
	#at = 0;

	constructor(path: string) {
		this.#file = openSync(path, 'r');
		this.#size = fstatSync(this.#file).size;
	}

	get position(): number {
		return this.#at;
	}

	get left(): number {
		return this.#size - this.#at;
	}

	integer(bytes: 1 | 2 | 4): number {
		return this.#take(bytes).readUIntLE(0, bytes);
	}

	signed(bytes: number): number {
		return this.#take(bytes).readIntLE(0, bytes);
	}

	count(what: string): number {
		const count = this.integer(4);
		if (count > maxCount)
			throw new BadCtranslate2(`it declares ${count} ${what}, more than the limit of ${maxCount}`);
		return count;
	}

	/** `what`: what has the name, for error messages. */
	name(what: string): string {
		const length = this.integer(2);
		if (length < 2 || length > maxNameBytes)
			throw new BadCtranslate2(`the name of ${what} has ${length} bytes`);
		const text = this.#take(length).toString('latin1');
		if (!/^[\x20-\x7e]+\0$/.test(text))
			throw new BadCtranslate2(`the name of ${what} is not printable ASCII`);
		return text.slice(0, -1);
	}

	/** The caller must have compared with `left`. */
	skip(bytes: number): void {
		this.#at += bytes;
	}

	close(): void {
		closeSync(this.#file);
	}

	#take(bytes: number): Buffer {
		if (bytes > this.left) throw new BadCtranslate2('it is truncated');
		if (this.#at < this.#start || this.#at + bytes > this.#start + this.#filled) {
			this.#filled = readSync(this.#file, this.#piece, 0, this.#piece.length, this.#at);
			this.#start = this.#at;
			if (this.#filled < bytes) throw new BadCtranslate2('it is truncated');
		}
		const from = this.#at - this.#start;
		this.#at += bytes;
		return this.#piece.subarray(from, from + bytes);
	}
}
