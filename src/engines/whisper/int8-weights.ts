/**
 * The weights of a Whisper encoder in 8 bits, in a file of the safetensors format that is made once of a ggml file:
 * matrices as whole numbers with a scale for each output, turned to [inputs, outputs] as they are multiplied; all
 * else as it was.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type GgmlFile, type GgmlTensor, readGgml } from '../../model-files/ggml-file.js';
import { bytesOf, dequantise, type TensorType } from '../../model-files/ggml-types.js';
import { type EncoderWeights, scalesOf } from './encoder-graph.js';

/** Rises with every change of what is written. */
const version = '1';
/** Of each tensor, into the fingerprint: a model of the same shape has other weights. */
const sampledBytes = 64;
/** Far above that of the largest model. */
const mostDescription = 1 << 20;
const greatest = 127;
const matrix = /^encoder\.blocks\.\d+\.(attn\.(query|key|value|out)|mlp\.[02])\.weight$/;
/** Safetensors' names of the types; in this order nothing lies on an odd address. */
const dtypes = { f32: 'F32', f16: 'F16', int8: 'I8' } as const;

interface Int8Tensor {
	readonly type: keyof typeof dtypes;
	readonly shape: readonly number[];
	readonly offset: number;
	readonly length: number;
}

/** What the file made of a ggml file looks like, before it is made. */
export interface Int8Layout extends EncoderWeights {
	readonly tensors: ReadonlyMap<string, Int8Tensor>;
	/** All that comes before the numbers. */
	readonly head: Buffer;
	/** Of the whole file. */
	readonly bytes: number;
	/** What making it holds at once: a tensor as it was and as it becomes. */
	readonly workingBytes: number;
	readonly from: GgmlFile;
}

/** Of the ggml file `source`. Throws NotGgml, or the error of the file system. */
export function int8Layout(source: string): Int8Layout {
	const from = readGgml(source);
	const wanted: Pick<Int8Tensor & { name: string }, 'name' | 'type' | 'shape'>[] = [];
	for (const [name, { shape, type }] of encoderTensors(from)) {
		const [outputs = 0, inputs = 0] = shape;
		if (matrix.test(name)) {
			wanted.push({ name, type: 'int8', shape: [inputs, outputs] });
			wanted.push({ name: scalesOf(name), type: 'f32', shape: [outputs] });
		} else wanted.push({ name, type: type === 'f16' ? 'f16' : 'f32', shape });
	}
	const order = Object.keys(dtypes);
	wanted.sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));

	let end = 0;
	const placed = wanted.map((tensor) => {
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

/** Length of the description, the description, and spaces up to a multiple of eight. */
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

/** The file that a file with 8-bit weights was made of; undefined where it is none. */
export function int8SourceOf(path: string): string | undefined {
	try {
		const length = Number(beginningOf(path, 8).readBigUInt64LE());
		const json = beginningOf(path, 8 + Math.min(length, mostDescription)).toString('utf8', 8);
		const { __metadata__: info } = JSON.parse(json) as { __metadata__?: { source?: unknown } };
		return typeof info?.source === 'string' ? info.source : undefined;
	} catch {
		// Broken, or not of ours.
		return undefined;
	}
}

/** Whether the file at `path` is whole and made of the source as it is now. */
export function isMade(path: string, { head, bytes }: Int8Layout): boolean {
	try {
		return statSync(path).size === bytes && beginningOf(path, head.length).equals(head);
	} catch {
		// Not there.
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

/** Tells a file from the one that was there before, without reading it whole. */
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

/** Writes the file of the weights of `source`, tensor by tensor. Throws where a weight is no finite number. */
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
	/** What the numbers of each output are multiplied by. */
	readonly scales: Float32Array;
}

/** Of a matrix [outputs, inputs]: each output's largest number becomes ±127. Throws where one is not finite. Pure. */
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
		if (!Number.isFinite(largest)) throw new Error('a weight is no finite number');
		// Of nothing but zeros any scale is right.
		const scale = Math.fround(largest / greatest) || 1;
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
