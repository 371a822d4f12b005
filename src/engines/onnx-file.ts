/**
 * What an ONNX file says of itself, read without its weights: metadata, inputs, outputs, operators, and where
 * further data lie. An encoder of two gigabytes takes a few milliseconds.
 */

import { type FileHandle, open } from 'node:fs/promises';

/** Why a file is not (or no longer) an ONNX model, as the end of a sentence. */
export class NotOnnx extends Error {
	override readonly name = 'NotOnnx';
}

export interface OnnxValue {
	readonly name: string;
	/** ONNX's number of the element type; 1 = float32, 6 = int32, 7 = int64, 9 = bool, 10 = float16. */
	readonly elementType: number;
	/** null where a dimension has no fixed size; undefined where the rank is not told. */
	readonly shape: readonly (number | null)[] | undefined;
}

export interface OnnxFile {
	readonly metadata: ReadonlyMap<string, string>;
	readonly inputs: readonly OnnxValue[];
	readonly outputs: readonly OnnxValue[];
	/** Types of the main graph's nodes, e.g. `DynamicQuantizeLinear`. */
	readonly operators: ReadonlySet<string>;
	/** Files beside this one that hold weights. */
	readonly externalData: ReadonlySet<string>;
}

/** Key → value; empty where the file is not ONNX. */
export async function onnxMetadata(path: string): Promise<ReadonlyMap<string, string>> {
	try {
		return (await readOnnx(path)).metadata;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) return new Map();
		throw thrown;
	}
}

/** Throws NotOnnx, or the error of the file system. */
export async function readOnnx(path: string): Promise<OnnxFile> {
	const handle = await open(path, 'r');
	try {
		const { size } = await handle.stat();
		if (size === 0) throw new NotOnnx('it is empty');
		return await readModel(new Window(handle, size));
	} finally {
		await handle.close();
	}
}

/** Fields of ONNX's messages. */
const model = { irVersion: 1, graph: 7, metadata: 14 } as const;
const graph = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const node = { operator: 4 } as const;
const tensor = { externalData: 13 } as const;
/** Metadata of a speech model is names and a few thousand numbers; names of values are short. */
const longestText = 1 << 20;

async function readModel(file: Window): Promise<OnnxFile> {
	const metadata = new Map<string, string>();
	const parts = {
		inputs: [] as OnnxValue[],
		outputs: [] as OnnxValue[],
		operators: new Set<string>(),
		externalData: new Set<string>(),
	};
	let [hasVersion, hasGraph] = [false, false];
	for await (const field of fieldsOf(file, { from: 0, to: file.size })) {
		if (field.number === model.irVersion && field.span === undefined) hasVersion = true;
		else if (field.number === model.graph && field.span !== undefined) {
			hasGraph = true;
			await readGraph(file, field.span, parts);
		} else if (field.number === model.metadata && field.span !== undefined) {
			const [key, value] = await textsOf(file, field.span, [1, 2]);
			if (key !== undefined) metadata.set(key, value ?? '');
		}
	}
	if (!hasVersion || !hasGraph) throw new NotOnnx('it is not an ONNX model: it holds no graph');
	return { metadata, ...parts };
}

interface GraphParts {
	readonly inputs: OnnxValue[];
	readonly outputs: OnnxValue[];
	readonly operators: Set<string>;
	readonly externalData: Set<string>;
}

async function readGraph(file: Window, span: Span, parts: GraphParts): Promise<void> {
	for await (const { number, span: at } of fieldsOf(file, span)) {
		if (at === undefined) continue;
		if (number === graph.node) {
			const [operator] = await textsOf(file, at, [node.operator]);
			if (operator !== undefined) parts.operators.add(operator);
		} else if (number === graph.initializer) await readInitializer(file, at, parts.externalData);
		else if (number === graph.input) parts.inputs.push(await readValue(file, at));
		else if (number === graph.output) parts.outputs.push(await readValue(file, at));
	}
}

async function readInitializer(file: Window, span: Span, externalData: Set<string>): Promise<void> {
	for await (const { number, span: at } of fieldsOf(file, span)) {
		if (number !== tensor.externalData || at === undefined) continue;
		const [key, value] = await textsOf(file, at, [1, 2]);
		if (key === 'location' && value !== undefined) externalData.add(value);
	}
}

/** ValueInfoProto: 1 = name, 2 = type › 1 = tensor › 1 = element type, 2 = shape › 1 = dimension › 1 = size. */
async function readValue(file: Window, span: Span): Promise<OnnxValue> {
	const [name = ''] = await textsOf(file, span, [1]);
	let elementType = 0;
	let shape: (number | null)[] | undefined;
	for await (const type of spansOf(file, span, 2)) {
		for await (const tensorType of spansOf(file, type, 1)) {
			for await (const field of fieldsOf(file, tensorType)) {
				if (field.number === 1) elementType = field.value;
				if (field.number !== 2 || field.span === undefined) continue;
				shape = [];
				for await (const dimension of spansOf(file, field.span, 1)) {
					let size: number | null = null;
					for await (const part of fieldsOf(file, dimension)) {
						if (part.number === 1 && part.span === undefined) size = part.value;
					}
					shape.push(size);
				}
			}
		}
	}
	return { name, elementType, shape };
}

// ---- protocol buffers --------------------------------------------------------------------------

interface Span {
	readonly from: number;
	readonly to: number;
}

interface Field {
	readonly number: number;
	/** Of a number. */
	readonly value: number;
	/** Of a text, bytes or a message. */
	readonly span: Span | undefined;
}

async function* fieldsOf(file: Window, { from, to }: Span): AsyncGenerator<Field> {
	for (let at = from; at < to; ) {
		const head = file.peek(at) ?? (await file.load(at));
		const [tag, afterTag] = varint(head, 0);
		const [wire, number] = [tag & 7, Math.floor(tag / 8)];
		if (number === 0) throw new NotOnnx('it is not an ONNX model');
		if (wire === 0) {
			const [value, after] = varint(head, afterTag);
			yield { number, value, span: undefined };
			at += after;
		} else if (wire === 1 || wire === 5) {
			yield { number, value: 0, span: undefined };
			at += afterTag + (wire === 1 ? 8 : 4);
		} else if (wire === 2) {
			const [length, after] = varint(head, afterTag);
			const span = { from: at + after, to: at + after + length };
			if (span.to > file.size) {
				throw new NotOnnx(
					number > 50
						? 'it is not an ONNX model'
						: `it is truncated: it should have at least ${span.to} bytes and has ${file.size}`,
				);
			}
			if (span.to > to) throw new NotOnnx('it is not an ONNX model, or damaged');
			yield { number, value: 0, span };
			at = span.to;
		} else {
			throw new NotOnnx('it is not an ONNX model');
		}
	}
}

async function* spansOf(file: Window, span: Span, number: number): AsyncGenerator<Span> {
	for await (const field of fieldsOf(file, span)) {
		if (field.number === number && field.span !== undefined) yield field.span;
	}
}

async function textsOf(
	file: Window,
	span: Span,
	numbers: readonly number[],
): Promise<(string | undefined)[]> {
	const texts: (string | undefined)[] = numbers.map(() => undefined);
	for await (const field of fieldsOf(file, span)) {
		const index = numbers.indexOf(field.number);
		if (index < 0 || field.span === undefined) continue;
		const { from, to } = field.span;
		texts[index] = to - from > longestText ? '' : (await file.bytes(from, to)).toString('utf8');
	}
	return texts;
}

/** Value and the offset behind it. Above 2^53 nothing here makes sense, but a negative number takes ten bytes. */
function varint(bytes: Buffer, from: number): [number, number] {
	let value = 0;
	for (let index = 0; index < 10; index++) {
		const byte = bytes[from + index];
		if (byte === undefined) break;
		value += (byte & 0x7f) * 2 ** (7 * index);
		if (byte < 0x80) return [value, from + index + 1];
	}
	throw new NotOnnx('it is not an ONNX model, or truncated');
}

/** Small reads served from one piece of the file. */
class Window {
	readonly size: number;
	readonly #file: FileHandle;
	#start = 0;
	#piece = Buffer.alloc(0);
	static readonly #length = 1 << 16;
	/** Tag and length, at their longest. */
	static readonly #head = 20;

	constructor(file: FileHandle, size: number) {
		this.#file = file;
		this.size = size;
	}

	/** What stands at a position, if it is here already. */
	peek(at: number): Buffer | undefined {
		const offset = at - this.#start;
		const needed = Math.min(at + Window.#head, this.size) - this.#start;
		if (offset < 0 || needed > this.#piece.length) return undefined;
		return this.#piece.subarray(offset, offset + Window.#head);
	}

	async load(at: number): Promise<Buffer> {
		const piece = Buffer.allocUnsafe(Math.min(Window.#length, this.size - at));
		const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
		this.#start = at;
		this.#piece = piece.subarray(0, bytesRead);
		return this.#piece.subarray(0, Window.#head);
	}

	async bytes(from: number, to: number): Promise<Buffer> {
		if (from >= this.#start && to <= this.#start + this.#piece.length) {
			return this.#piece.subarray(from - this.#start, to - this.#start);
		}
		const buffer = Buffer.allocUnsafe(to - from);
		const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, from);
		return buffer.subarray(0, bytesRead);
	}
}
