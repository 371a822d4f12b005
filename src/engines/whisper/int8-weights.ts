/**
 * Converts a Whisper encoder from a ggml file to 8-bit weights in a safetensors file: matrices become integers with a
 * scale per output, transposed to [inputs, outputs] for the multiplication; other tensors stay as they are.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type GgmlFile, type GgmlTensor, readGgml } from '../../model-files/ggml-file.js';
import { bytesOf, dequantise, type TensorType } from '../../model-files/ggml-types.js';
import { type EncoderWeights, scalesOf } from './encoder-graph.js';

/** Increment it with every change of the file's contents. */
const version = '1';
/** Bytes of each tensor hashed into the fingerprint, so models of equal shape differ. */
const sampledBytes = 64;
/** Upper bound on the header's length, far above that of the largest model. */
const maxHeaderBytes = 1 << 20;
const maxInt8 = 127;
const matrix = /^encoder\.blocks\.\d+\.(attn\.(query|key|value|out)|mlp\.[02])\.weight$/;
/** Safetensors' names of the types; in this order every tensor is aligned. */
const dtypes = { f32: 'F32', f16: 'F16', int8: 'I8' } as const;

interface Int8Tensor {
	readonly type: keyof typeof dtypes;
	readonly shape: readonly number[];
	readonly offset: number;
	readonly length: number;
}

/** The layout of the converted file, computed before it is written. */
export interface Int8Layout extends EncoderWeights {
	readonly tensors: ReadonlyMap<string, Int8Tensor>;
	/** The header: everything before the data. */
	readonly head: Buffer;
	/** Size of the whole file. */
	readonly bytes: number;
	/** Peak memory of the conversion: one tensor before and after. */
	readonly workingBytes: number;
	readonly from: GgmlFile;
}

/** The layout for the ggml file `source`. Throws NotGgml, or the file system's error. */
export function int8Layout(source: string): Int8Layout {
	const from = readGgml(source);
	const list: Pick<Int8Tensor & { name: string }, 'name' | 'type' | 'shape'>[] = [];
	for (const [name, { shape, type }] of encoderTensors(from)) {
		const [outputs = 0, inputs = 0] = shape;
		if (matrix.test(name)) {
			list.push({ name, type: 'int8', shape: [inputs, outputs] });
			list.push({ name: scalesOf(name), type: 'f32', shape: [outputs] });
		} else list.push({ name, type: type === 'f16' ? 'f16' : 'f32', shape });
	}
	const order = Object.keys(dtypes);
	list.sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));

	let end = 0;
	const placed = list.map((tensor) => {
		const offset = end;
		const length = tensor.type === 'int8' ? countOf(tensor) : bytesOf(tensor.type, countOf(tensor));
		end += length;
		return { ...tensor, offset, length };
	});
	const head = headOf(placed, { source, version, fingerprint: fingerprintOf(source, from) });
	const tensors = placed.map(
		({ name, ...tensor }) => [name, { ...tensor, offset: head.length + tensor.offset }] as const,
	);
	const working = encoderTensors(from).map(([, tensor]) => tensor.length + 4 * countOf(tensor));
	return {
		shape: from.shape,
		tensors: new Map(tensors),
		head,
		bytes: head.length + end,
		workingBytes: Math.max(0, ...working),
		from,
	};
}

function encoderTensors({ tensors }: GgmlFile): (readonly [string, GgmlTensor])[] {
	return [...tensors].filter(([name]) => name.startsWith('encoder.'));
}

function countOf({ shape }: Pick<GgmlTensor, 'shape'>): number {
	return shape.reduce((product, size) => product * size, 1);
}

/** Length of the JSON, the JSON, and spaces up to a multiple of eight. */
function headOf(
	placed: readonly (Int8Tensor & { name: string })[],
	info: Readonly<Record<string, string>>,
): Buffer {
	const described: Record<string, unknown> = { __metadata__: info };
	for (const { name, type, shape, offset, length } of placed)
		described[name] = { dtype: dtypes[type], shape, data_offsets: [offset, offset + length] };
	const json = Buffer.from(JSON.stringify(described));
	const padded = Math.ceil(json.length / 8) * 8;
	const head = Buffer.alloc(8 + padded, ' ');
	head.writeBigUInt64LE(BigInt(padded));
	json.copy(head, 8);
	return head;
}

/** The source of a file with 8-bit weights, from its header; undefined if it is not such a file. */
export function int8SourceOf(path: string): string | undefined {
	try {
		const length = Number(beginningOf(path, 8).readBigUInt64LE());
		const json = beginningOf(path, 8 + Math.min(length, maxHeaderBytes)).toString('utf8', 8);
		const { __metadata__: info } = JSON.parse(json) as { __metadata__?: { source?: unknown } };
		return typeof info?.source === 'string' ? info.source : undefined;
	} catch {
		// Damaged, or not written by us.
		return undefined;
	}
}

/** Whether the file at `path` is complete and was converted from the source in its current state. */
export function isUpToDate(path: string, { head, bytes }: Int8Layout): boolean {
	try {
		return statSync(path).size === bytes && beginningOf(path, head.length).equals(head);
	} catch {
		// It does not exist.
		return false;
	}
}

function beginningOf(path: string, length: number): Buffer {
	const handle = openSync(path, 'r');
	try {
		const found = Buffer.alloc(length);
		return found.subarray(0, readSync(handle, found, 0, length, 0));
	} finally {
		closeSync(handle);
	}
}

/** Identifies the source's state without reading it completely. */
function fingerprintOf(source: string, file: GgmlFile): string {
	const { size, mtimeMs } = statSync(source);
	const hash = createHash('sha256').update(`${size} ${mtimeMs}`);
	const handle = openSync(source, 'r');
	try {
		const sample = Buffer.alloc(sampledBytes);
		for (const [, { offset, length }] of encoderTensors(file)) {
			const read = readSync(handle, sample, 0, Math.min(sampledBytes, length), offset);
			hash.update(sample.subarray(0, read));
		}
	} finally {
		closeSync(handle);
	}
	return hash.digest('hex');
}

/** Converts `source` to `target`, tensor by tensor. Throws if a weight is not finite. */
export async function writeInt8(source: string, target: string, signal: AbortSignal): Promise<void> {
	const { head, tensors, from } = int8Layout(source);
	const input = await open(source, 'r');
	try {
		const output = await open(target, 'w');
		try {
			const put = (name: string, numbers: Int8Array | Float32Array | Buffer) =>
				write(output, numbers, tensors.get(name)?.offset ?? 0);
			await write(output, head, 0);
			for (const [name, tensor] of encoderTensors(from)) {
				signal.throwIfAborted();
				const bytes = Buffer.allocUnsafe(tensor.length);
				const { bytesRead } = await input.read(bytes, 0, bytes.length, tensor.offset);
				if (bytesRead !== bytes.length) throw new Error(`${name} ends too early`);
				const [outputs = 0, inputs = 0] = tensor.shape;
				if (matrix.test(name)) {
					const { numbers, scales } = quantiseMatrix(tensor.type, bytes, outputs, inputs);
					await put(name, numbers);
					await put(scalesOf(name), scales);
				} else if (tensor.type === tensors.get(name)?.type) await put(name, bytes);
				else {
					const numbers = new Float32Array(countOf(tensor));
					dequantise(tensor.type, bytes, numbers);
					await put(name, numbers);
				}
			}
			await output.datasync();
		} finally {
			await output.close();
		}
	} finally {
		await input.close();
	}
}

export interface QuantisedMatrix {
	/** [inputs, outputs], from -127 to 127. */
	readonly numbers: Int8Array;
	/** Factor for the numbers of each output. */
	readonly scales: Float32Array;
}

/** Quantises a matrix [outputs, inputs]: each output's largest magnitude becomes 127. Throws on a non-finite number. Pure. */
export function quantiseMatrix(
	type: TensorType,
	bytes: Uint8Array,
	outputs: number,
	inputs: number,
): QuantisedMatrix {
	const numbers = new Int8Array(inputs * outputs);
	const scales = new Float32Array(outputs);
	const row = new Float32Array(inputs);
	const rowBytes = bytesOf(type, inputs);
	for (let output = 0; output < outputs; output++) {
		dequantise(type, bytes.subarray(output * rowBytes, (output + 1) * rowBytes), row);
		let largest = 0;
		for (let i = 0; i < inputs; i++) largest = Math.max(largest, Math.abs(row[i] ?? 0));
		if (!Number.isFinite(largest)) throw new Error('a weight is not a finite number');
		// For a row of zeros any scale other than 0 works.
		const scale = Math.fround(largest / maxInt8) || 1;
		scales[output] = scale;
		for (let i = 0; i < inputs; i++) numbers[i * outputs + output] = Math.round((row[i] ?? 0) / scale);
	}
	return { numbers, scales };
}

async function write(
	output: FileHandle,
	{ buffer, byteOffset, byteLength }: NodeJS.ArrayBufferView,
	position: number,
): Promise<void> {
	const bytes = new Uint8Array(buffer, byteOffset, byteLength);
	for (let done = 0; done < bytes.length; ) {
		const { bytesWritten } = await output.write(bytes, done, bytes.length - done, position + done);
		done += bytesWritten;
	}
}
