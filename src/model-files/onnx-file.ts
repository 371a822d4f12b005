/**
 * Reads an ONNX file without its weights: metadata, inputs, outputs, operators, and the names of external data files.
 * A file of two gigabytes takes a few milliseconds.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { type ByteRange, type Field, fieldAt, maxHeadBytes, NotOnnx } from './onnx-fields.js';

export interface OnnxValue {
	readonly name: string;
	/** ONNX's number of the element type; 1 = float32, 6 = int32, 7 = int64, 9 = bool, 10 = float16. */
	readonly elementType: number;
	/** null for a dimension without a fixed size; undefined if the rank is not declared. */
	readonly shape: readonly (number | null)[] | undefined;
}

export interface OnnxFile {
	readonly metadata: ReadonlyMap<string, string>;
	readonly inputs: readonly OnnxValue[];
	readonly outputs: readonly OnnxValue[];
	/** Types of the main graph's nodes, e.g. `DynamicQuantizeLinear`. */
	readonly operators: ReadonlySet<string>;
	/** Further files, beside this one, that hold weights: name → the bytes that each must have at least. */
	readonly externalData: ReadonlyMap<string, number>;
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

/** Field numbers of ONNX's protobuf messages. */
const model = { irVersion: 1, graph: 7, metadata: 14 } as const;
const graph = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const node = { operator: 4 } as const;
const tensor = { externalData: 13 } as const;
/** Longer strings are skipped: metadata holds names and at most a few thousand numbers. */
const maxTextBytes = 1 << 20;

async function readModel(file: Window): Promise<OnnxFile> {
	const metadata = new Map<string, string>();
	const parts = {
		inputs: [] as OnnxValue[],
		outputs: [] as OnnxValue[],
		operators: new Set<string>(),
		externalData: new Map<string, number>(),
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
	if (!hasVersion || !hasGraph) throw new NotOnnx('it is not an ONNX model: it has no graph');
	return { metadata, ...parts };
}

interface GraphParts {
	readonly inputs: OnnxValue[];
	readonly outputs: OnnxValue[];
	readonly operators: Set<string>;
	readonly externalData: Map<string, number>;
}

async function readGraph(file: Window, span: ByteRange, parts: GraphParts): Promise<void> {
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

async function readInitializer(
	file: Window,
	span: ByteRange,
	externalData: Map<string, number>,
): Promise<void> {
	const place = new Map<string, string>();
	for await (const { number, span: at } of fieldsOf(file, span)) {
		if (number !== tensor.externalData || at === undefined) continue;
		const [key, value] = await textsOf(file, at, [1, 2]);
		if (key !== undefined && value !== undefined) place.set(key, value);
	}
	const name = place.get('location');
	if (name === undefined) return;
	const end = Number(place.get('offset') ?? 0) + Number(place.get('length') ?? 0);
	externalData.set(name, Math.max(externalData.get(name) ?? 0, Number.isSafeInteger(end) ? end : 0));
}

/** ValueInfoProto: 1 = name, 2 = type › 1 = tensor › 1 = element type, 2 = shape › 1 = dimension › 1 = size. */
async function readValue(file: Window, span: ByteRange): Promise<OnnxValue> {
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

async function* fieldsOf(file: Window, { from, to }: ByteRange): AsyncGenerator<Field> {
	for (let at = from; at < to; ) {
		const field = fieldAt(at, file.peek(at) ?? (await file.load(at)));
		const end = field.span?.to ?? 0;
		if (end > file.size) {
			throw new NotOnnx(
				field.number > 50
					? 'it is not an ONNX model'
					: `it is truncated: it should have at least ${end} bytes and has ${file.size}`,
			);
		}
		if (end > to) throw new NotOnnx('it is not an ONNX model, or damaged');
		yield field;
		at = field.next;
	}
}

async function* spansOf(file: Window, span: ByteRange, number: number): AsyncGenerator<ByteRange> {
	for await (const field of fieldsOf(file, span)) {
		if (field.number === number && field.span !== undefined) yield field.span;
	}
}

async function textsOf(
	file: Window,
	span: ByteRange,
	numbers: readonly number[],
): Promise<(string | undefined)[]> {
	const texts: (string | undefined)[] = numbers.map(() => undefined);
	for await (const field of fieldsOf(file, span)) {
		const index = numbers.indexOf(field.number);
		if (index < 0 || field.span === undefined) continue;
		const { from, to } = field.span;
		texts[index] = to - from > maxTextBytes ? '' : (await file.bytes(from, to)).toString('utf8');
	}
	return texts;
}

/** Serves small reads from a buffered piece of the file. */
class Window {
	readonly size: number;
	readonly #file: FileHandle;
	#start = 0;
	#piece = Buffer.alloc(0);
	static readonly #length = 1 << 16;

	constructor(file: FileHandle, size: number) {
		this.#file = file;
		this.size = size;
	}

	/** The bytes at a position, if they are buffered. */
	peek(at: number): Buffer | undefined {
		const offset = at - this.#start;
		const needed = Math.min(at + maxHeadBytes, this.size) - this.#start;
		if (offset < 0 || needed > this.#piece.length) return undefined;
		return this.#piece.subarray(offset, offset + maxHeadBytes);
	}

	async load(at: number): Promise<Buffer> {
		const piece = Buffer.allocUnsafe(Math.min(Window.#length, this.size - at));
		const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
		this.#start = at;
		this.#piece = piece.subarray(0, bytesRead);
		return this.#piece.subarray(0, maxHeadBytes);
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
