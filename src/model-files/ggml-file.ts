/** Reads the header and the tensor directory of whisper.cpp's ggml files, without the weights. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { blocksByNumber, bytesOf, type TensorType, typesByNumber } from './ggml-types.js';

export interface WhisperShape {
	readonly audioContext: number;
	readonly audioState: number;
	readonly audioHeads: number;
	readonly audioLayers: number;
	readonly mels: number;
	/** Width of the decoder. */
	readonly textState: number;
}

export interface GgmlTensor {
	readonly type: TensorType;
	/** Slowest dimension first, as in PyTorch. */
	readonly shape: readonly number[];
	readonly offset: number;
	readonly length: number;
}

export interface GgmlFile {
	readonly shape: WhisperShape;
	/** Whether the matrices have a block type. */
	readonly quantised: boolean;
	/** By name; empty if the block type is unknown here. */
	readonly tensors: ReadonlyMap<string, GgmlTensor>;
}

/** The file is not of whisper.cpp, or truncated; the message is a clause that says why. */
export class NotGgml extends Error {
	override readonly name = 'NotGgml';
}

const magic = 0x67676d6c;
/** ggml's `ftype` F32 and F16. */
const plainTypes: readonly number[] = [0, 1];
/** Q4_0, Q4_1, Q8_0, Q5_0 and Q5_1. */
const blockTypes: readonly number[] = [2, 3, 7, 8, 9];
/** `ftype` / 1000 is the version of the block format, which whisper.cpp ignores too. */
const versionFactor = 1000;

/** Throws NotGgml, or the error of the file system. */
export function readGgml(path: string): GgmlFile {
	const file = new Walk(path);
	try {
		return readWhisper(file);
	} finally {
		file.close();
	}
}

/** Tokens in the vocabulary of the model, from the head of its file. Throws NotGgml, or the error of the file system. */
export function readVocabularySize(path: string): number {
	const file = new Walk(path);
	try {
		if (file.integer() !== magic) throw new NotGgml('it is not a ggml file of whisper.cpp');
		return file.integer();
	} finally {
		file.close();
	}
}

/** Throws NotGgml for a file that was cut off or has no weights, and the error of the file system. */
export function checkGgml(path: string, kind: 'whisper' | 'parakeet'): void {
	const file = new Walk(path);
	try {
		const expected = kind === 'whisper' ? skipWhisperHead(file) : skipParakeetHead(file);
		const found = countTensors(file);
		if (found === 0) throw new NotGgml('it holds no weights');
		if (expected !== undefined && found < expected)
			throw new NotGgml(`it is truncated: it has ${found} of ${expected} tensors`);
	} finally {
		file.close();
	}
}

/** Returns the number of tensors that follow. */
function skipWhisperHead(file: Walk): number {
	const numbers = Array.from({ length: 12 }, () => file.integer());
	const [, , , , , audioLayers = 0, , , , textLayers = 0] = numbers;
	file.skip(4 * file.integer() * file.integer());
	skipTokens(file);
	// 7 tensors of the encoder and 4 of the decoder are outside their layers; a decoder layer also has cross-attention.
	return 11 + 15 * audioLayers + 24 * textLayers;
}

/** As parakeet.cpp reads it: 16 numbers, mel filters, window, durations, vocabulary. */
function skipParakeetHead(file: Walk): undefined {
	const numbers = Array.from({ length: 16 }, () => file.integer());
	file.skip(4 * file.integer() * file.integer());
	file.skip(4 * file.integer());
	file.skip(4 * (numbers[14] ?? 0));
	skipTokens(file);
}

function skipTokens(file: Walk): void {
	const tokens = file.integer();
	if (tokens < 0 || tokens > maxTokens) throw new NotGgml('its vocabulary has an impossible size');
	for (let token = 0; token < tokens; token++) file.skip(file.integer());
}

function countTensors(file: Walk): number {
	let count = 0;
	for (; !file.ended; count++) {
		const { numbers, name, number } = tensorHead(file);
		const block = blocksByNumber.get(number);
		if (block === undefined) throw new NotGgml(`${name} is of type ${number}`);
		file.skip(Math.ceil(numbers / block.numbers) * block.bytes);
	}
	return count;
}

interface TensorHead {
	readonly name: string;
	/** ggml's number of its type. */
	readonly number: number;
	/** Fastest dimension first. */
	readonly sizes: readonly number[];
	/** Their product. */
	readonly numbers: number;
}

function tensorHead(file: Walk): TensorHead {
	const [dimensions, nameLength, number] = [file.integer(), file.integer(), file.integer()];
	if (dimensions < 1 || dimensions > 4) throw new NotGgml('a tensor has an invalid number of dimensions');
	const sizes = Array.from({ length: dimensions }, () => file.integer());
	const name = file.text(nameLength);
	return { name, number, sizes, numbers: sizes.reduce((product, size) => product * size) };
}

/** Magic, hyperparameters, mel filters, vocabulary, tensors; little-endian. */
function readWhisper(file: Walk): GgmlFile {
	if (file.integer() !== magic) throw new NotGgml('it is not a ggml file of whisper.cpp');
	const [, audioContext = 0, audioState = 0, audioHeads = 0, audioLayers = 0, ...rest] = Array.from(
		{ length: 11 },
		() => file.integer(),
	);
	const [, textState = 0, , , mels = 0, versioned = -1] = rest;
	const type = versioned % versionFactor;
	const shape = { audioContext, audioState, audioHeads, audioLayers, mels, textState };
	const quantised = !plainTypes.includes(type);
	if (quantised && !blockTypes.includes(type)) return { shape, quantised, tensors: new Map() };
	file.skip(4 * file.integer() * file.integer());
	skipTokens(file);

	const tensors = new Map<string, GgmlTensor>();
	while (!file.ended) {
		const { name, number, sizes, numbers } = tensorHead(file);
		const type = typesByNumber.get(number);
		if (type === undefined) throw new NotGgml(`${name} is of type ${number}`);
		const length = bytesOf(type, numbers);
		if (!Number.isInteger(length)) throw new NotGgml(`${name} does not fill its blocks`);
		tensors.set(name, { type, shape: sizes.toReversed(), offset: file.position, length });
		file.skip(length);
	}
	return { shape, quantised, tensors };
}

/** Parakeet has 8192 tokens, Whisper 51,866. */
const maxTokens = 1_000_000;

/** Reads forward through a file, a piece at a time. */
class Walk {
	readonly #file: number;
	readonly #size: number;
	#start = 0;
	#piece = Buffer.alloc(0);
	#at = 0;
	static readonly #length = 1 << 16;

	constructor(path: string) {
		this.#file = openSync(path, 'r');
		this.#size = fstatSync(this.#file).size;
	}

	get position(): number {
		return this.#at;
	}

	get ended(): boolean {
		return this.#at >= this.#size;
	}

	integer(): number {
		return this.#bytes(4).readInt32LE();
	}

	text(length: number): string {
		if (length < 0 || length > 1024) throw new NotGgml('a tensor has an invalid name');
		return this.#bytes(length).toString('latin1');
	}

	skip(count: number): void {
		if (count < 0 || this.#at + count > this.#size) throw new NotGgml('it is truncated');
		this.#at += count;
	}

	close(): void {
		closeSync(this.#file);
	}

	#bytes(count: number): Buffer {
		const from = this.#at;
		this.skip(count);
		if (from < this.#start || this.#at > this.#start + this.#piece.length) {
			const piece = Buffer.allocUnsafe(Math.min(Walk.#length, this.#size - from));
			this.#piece = piece.subarray(0, readSync(this.#file, piece, 0, piece.length, from));
			this.#start = from;
			if (this.#piece.length < count) throw new NotGgml('it is truncated');
		}
		return this.#piece.subarray(from - this.#start, this.#at - this.#start);
	}
}
