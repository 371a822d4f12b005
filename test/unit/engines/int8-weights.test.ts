/** The 8-bit weights of an encoder: the numbers, the file, and the store that keeps it. */

import {
	copyFileSync,
	existsSync,
	readdirSync,
	readFileSync,
	renameSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { saturatesInt8 } from '../../../src/addon/cpu.js';
import { encoderGraph, scalesOf } from '../../../src/engines/whisper/encoder-graph.js';
import { type Int8Deps, Int8Store } from '../../../src/engines/whisper/int8-store.js';
import { int8Layout, quantiseMatrix, writeInt8 } from '../../../src/engines/whisper/int8-weights.js';
import { readGgml } from '../../../src/model-files/ggml-file.js';
import { bytesOf, dequantise, type TensorType } from '../../../src/model-files/ggml-types.js';
import { readOnnx } from '../../../src/model-files/onnx-file.js';
import { Int8Files } from '../../../src/models/store/int8-files.js';
import { writeSharpWhisper } from '../../helpers/files/sensitive-whisper.js';
import { Scratch } from '../../helpers/net/real-server.js';

const never = new AbortController().signal;

const lasting = new Scratch();
const sharp = path.join(lasting.path, 'sharp.bin');
let scratch: Scratch;
let source: string;
beforeAll(() => writeSharpWhisper(sharp));
beforeEach(() => {
	scratch = new Scratch();
	source = path.join(scratch.path, 'sharp.bin');
	copyFileSync(sharp, source);
});
afterEach(() => scratch[Symbol.dispose]());
afterAll(() => lasting[Symbol.dispose]());

function numbersOf(type: TensorType, bytes: Uint8Array, count: number): Float32Array {
	const numbers = new Float32Array(count);
	dequantise(type, bytes, numbers);
	return numbers;
}

describe('the numbers of a ggml file', () => {
	// Quantised by ggml itself, of numbers that its types hold exactly.
	test.each([
		['q4_0', '00340077ee55cc33aa1188ff66dd44bb2299', (i: number) => (((i * 7) % 16) - 8) / 4],
		['q4_1', '003400bc0077ee55cc33aa1188ff66dd44bb2299', (i: number) => ((i * 7) % 16) / 4 - 1],
		['q5_0', '0034983367cc0077ee55cc33aa1188ff66dd44bb2299', (i: number) => (((i * 7) % 32) - 16) / 4],
		['q5_1', '003400bc983367cc0077ee55cc33aa1188ff66dd44bb2299', (i: number) => ((i * 7) % 32) / 4 - 1],
		[
			'q8_0',
			'00347f470fd79f672ff7bf874f17dfa76f37ffc78f571fe7af773f07cf975f27efb7',
			(i: number) => (127 - 8 * ((i * 7) % 32)) / 4,
		],
	] as const)('in blocks of %s are those that were quantised', (type, hex, wanted) => {
		const block = Buffer.from(hex, 'hex');
		expect(block).toHaveLength(bytesOf(type, 32));
		const expected = Float32Array.from({ length: 32 }, (_, i) => wanted(i));
		expect(numbersOf(type, block, 32)).toEqual(expected);
		expect(numbersOf(type, Buffer.concat([Buffer.alloc(block.length), block]), 64).subarray(32)).toEqual(
			expected,
		);
	});

	test('in half and single precision are themselves', () => {
		const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x7e00, 0x3555);
		expect([...numbersOf('f16', new Uint8Array(halves.buffer), 8)]).toEqual([
			1,
			-2,
			65_504,
			2 ** -24,
			-0,
			Infinity,
			Number.NaN,
			1365 * 2 ** -12,
		]);
		const floats = Float32Array.of(0.1, -3e38);
		expect(numbersOf('f32', new Uint8Array(floats.buffer), 2)).toEqual(floats);
	});
});

describe('a matrix in 8 bits', () => {
	const quantise = (rows: readonly (readonly number[])[]) =>
		quantiseMatrix(
			'f32',
			new Uint8Array(Float32Array.from(rows.flat()).buffer),
			rows.length,
			rows[0]?.length ?? 0,
		);

	test('is turned, with a scale for each output', () => {
		const { numbers, scales } = quantise([
			[127, -63.6, 0],
			[1, 0.5, -2],
		]);
		expect([...numbers]).toEqual([127, 64, -64, 32, 0, -127]);
		expect(scales).toEqual(Float32Array.of(1, 2 / 127));
	});

	test('may have outputs of nothing but zeros', () => {
		const { numbers, scales } = quantise([
			[0, 0],
			[1e-45, 0],
		]);
		expect([...numbers]).toEqual([0, 0, 0, 0]);
		expect(scales).toEqual(Float32Array.of(1, 1));
	});

	test.each([Number.NaN, Infinity, -Infinity])('cannot hold %d', (value) => {
		expect(() => quantise([[1, value]])).toThrow('not a finite number');
	});
});

describe('the file of the weights', () => {
	test.each(['f16', 'q8_0'] as const)('of an encoder in %s holds all of it', async (type) => {
		writeSharpWhisper(source, type);
		const made = path.join(scratch.path, 'made');
		await writeInt8(source, made, never);
		const bytes = readFileSync(made);
		const layout = int8Layout(source);
		expect(bytes).toHaveLength(layout.bytes);
		const original = readFileSync(source);
		let matrices = 0;
		const others: boolean[] = [];
		for (const [name, tensor] of readGgml(source).tensors) {
			if (!name.startsWith('encoder.')) continue;
			const piece = ({ offset, length }: { offset: number; length: number }, from: Buffer) =>
				from.subarray(offset, offset + length);
			const { type: becomes, ...place } = layout.tensors.get(name)!;
			if (becomes !== 'int8') {
				others.push(piece(place, bytes).equals(piece(tensor, original)));
				continue;
			}
			matrices += 1;
			const [outputs = 0, inputs = 0] = tensor.shape;
			const before = numbersOf(tensor.type, piece(tensor, original), outputs * inputs);
			const scales = numbersOf('f32', piece(layout.tensors.get(scalesOf(name))!, bytes), outputs);
			const after = new Int8Array(piece(place, bytes));
			let furthest = 0;
			for (let output = 0; output < outputs; output++) {
				for (let input = 0; input < inputs; input++) {
					const scale = scales[output] ?? 0;
					const back = (after[input * outputs + output] ?? 0) * scale;
					furthest = Math.max(furthest, Math.abs(back - (before[output * inputs + input] ?? 0)) / scale);
				}
			}
			expect(furthest).toBeLessThan(0.50001);
		}
		expect(others).toEqual(Array<boolean>(5 + 3 * 9 + 2).fill(true));
		expect(matrices).toBe(3 * 6);
	});

	test('is of the safetensors format', async () => {
		const made = path.join(scratch.path, 'made');
		await writeInt8(source, made, never);
		const bytes = readFileSync(made);
		const length = Number(bytes.readBigUInt64LE());
		const { __metadata__: info, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
			string,
			{ dtype: 'F32' | 'F16' | 'I8'; shape: number[]; data_offsets: [number, number] }
		>;
		expect(info).toMatchObject({ source });
		// One after another, without a hole, as many bytes as the shape has.
		let end = 0;
		for (const {
			dtype,
			shape,
			data_offsets: [from, to],
		} of Object.values(tensors)) {
			expect(from).toBe(end);
			expect(from % { F32: 4, F16: 2, I8: 1 }[dtype]).toBe(0);
			expect(to - from).toBe(shape.reduce((a, b) => a * b) * { F32: 4, F16: 2, I8: 1 }[dtype]);
			end = to;
		}
		expect(8 + length + end).toBe(bytes.length);
	});

	test('is what the graph multiplies with, and nothing of the ggml file', async () => {
		const graph = scratch.file('graph.onnx', encoderGraph(int8Layout(source), 'weights.safetensors'));
		const onnx = await readOnnx(graph);
		expect([...onnx.externalData.keys()]).toEqual(['weights.safetensors']);
		expect(onnx.operators).toContain('MatMulInteger');
		expect(onnx.operators).toContain('DynamicQuantizeLinear');
		expect(onnx.operators).not.toContain('MatMul');
	});

	test('stops when its last caller cancels', async () => {
		const stop = new AbortController();
		stop.abort();
		await expect(writeInt8(source, path.join(scratch.path, 'made'), stop.signal)).rejects.toThrow('abort');
	});
});

describe('products of 8 bits', () => {
	test.each([
		['x64', ['avx2'], true],
		['x64', ['avx2', 'avx512f'], true],
		['x64', ['avx2', 'avx_vnni'], false],
		['x64', ['avx512f', 'avx512_vnni'], false],
		['x64', [], true],
		['arm64', ['asimd'], false],
	] as const)('on %s with %j: may saturate = %s', (arch, flags, expected) => {
		expect(saturatesInt8(arch, flags)).toBe(expected);
	});
});

describe('the store', () => {
	const folder = () => path.join(scratch.path, 'models', '.earshot', 'int8');
	const names = () =>
		readdirSync(folder())
			.filter((name) => name !== 'making.lock')
			.sort();

	function arrange(deps: Partial<Int8Deps> = {}) {
		const made: string[] = [];
		const store = new Int8Store(path.join(scratch.path, 'models'), {
			make: async (from, to) => {
				made.push(path.basename(from));
				await writeInt8(from, to, never);
			},
			...deps,
		});
		return { store, made };
	}

	test('makes them once', async () => {
		const { store, made } = arrange();
		const { path: file, layout } = await store.weightsOf(source);
		expect(readFileSync(file)).toHaveLength(layout.bytes);
		expect(await store.weightsOf(source)).toMatchObject({ path: file });
		expect(made).toEqual(['sharp.bin']);
		expect(names()).toEqual([path.basename(file)]);
	});

	test('makes them once for two concurrent callers', async () => {
		const [one, two] = [arrange(), arrange()];
		await Promise.all([one.store.weightsOf(source), two.store.weightsOf(source)]);
		expect([...one.made, ...two.made]).toEqual(['sharp.bin']);
	});

	test.each<[string, (file: string) => void]>([
		['the model has changed', () => writeSharpWhisper(source, 'q8_0')],
		['the model was written anew', () => utimesSync(source, 1, 1)],
		['they have lost their end', (file) => truncateSync(file, 1_000_000)],
		['they are another file', (file) => writeFileSync(file, 'something')],
	])('makes them again, in place, where %s', async (_why, spoil) => {
		const { store, made } = arrange();
		const { path: file } = await store.weightsOf(source);
		spoil(file);
		const again = await store.weightsOf(source);
		expect(again.path).toBe(file);
		expect(readFileSync(file)).toHaveLength(again.layout.bytes);
		expect(made).toHaveLength(2);
	});

	test('distinguishes a model from another one of the same size and time', async () => {
		const { store, made } = arrange();
		utimesSync(source, 1, 1);
		await store.weightsOf(source);
		const bytes = readFileSync(source);
		const { offset } = readGgml(source).tensors.get('encoder.blocks.2.mlp.0.weight')!;
		bytes.writeUInt16LE(0x3c00, offset);
		writeFileSync(source, bytes);
		utimesSync(source, 1, 1);
		await store.weightsOf(source);
		expect(made).toHaveLength(2);
	});

	test('makes them again where the stored ones are unusable', async () => {
		const { store, made } = arrange();
		await store.weightsOf(source);
		await store.weightsOf(source, true);
		expect(made).toHaveLength(2);
	});

	test('keeps nothing of what failed', async () => {
		const { store } = arrange({
			make: async (_from, to) => {
				writeFileSync(to, 'half');
				throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
			},
		});
		await expect(store.weightsOf(source)).rejects.toMatchObject({ code: 'disk_full' });
		await arrange().store.weightsOf(source);
		expect(names()).toHaveLength(1);
	});

	test.each<[string, Partial<Int8Deps>, string, RegExp]>([
		['disk', { disk: { freeBytes: async () => 1e6 } }, 'disk_full', /need 0\.07 GB .* 0\.00 GB are free/],
		['memory', { freeMemory: () => 50e6 }, 'out_of_memory', /needs 0\.1\d GB of memory, and 0\.05 GB/],
	])('makes none where there is too little %s', async (_what, deps, code, message) => {
		const { store, made } = arrange(deps);
		await expect(store.weightsOf(source)).rejects.toMatchObject({ code, message });
		expect(made).toEqual([]);
		expect(names()).toEqual([]);
	});

	test('says so where it cannot write', async () => {
		scratch.file('models', 'no folder');
		await expect(arrange().store.weightsOf(source)).rejects.toThrow(
			'to be in a folder that this user may write to',
		);
	});

	test('drops them with their model', async () => {
		const { store } = arrange();
		const files = new Int8Files(path.join(scratch.path, 'models'));
		const other = path.join(scratch.path, 'other.bin');
		copyFileSync(sharp, other);
		const [{ path: file }] = [await store.weightsOf(source), await store.weightsOf(other)];
		await files.remove([files.nameOf(source), files.nameOf(path.join(scratch.path, 'unheard-of.bin'))]);
		expect(existsSync(file)).toBe(false);
		expect(names()).toHaveLength(1);
	});

	test('deletes those of removed models when it makes others', async () => {
		const { store } = arrange();
		const { path: old } = await store.weightsOf(source);
		const moved = path.join(scratch.path, 'moved.bin');
		renameSync(source, moved);
		const { path: file } = await store.weightsOf(moved);
		expect(existsSync(old)).toBe(false);
		expect(names()).toEqual([path.basename(file)]);
	});

	test('makes them in a process of its own', async () => {
		const store = new Int8Store(path.join(scratch.path, 'models'));
		const { path: file } = await store.weightsOf(source);
		const here = path.join(scratch.path, 'here');
		await writeInt8(source, here, never);
		expect(readFileSync(file).equals(readFileSync(here))).toBe(true);
	});

	test('reports the output of the process that makes them', async () => {
		const bytes = readFileSync(source);
		const { offset } = readGgml(source).tensors.get('encoder.blocks.2.mlp.0.weight')!;
		bytes.writeUInt16LE(0x7c00, offset);
		writeFileSync(source, bytes);
		const store = new Int8Store(path.join(scratch.path, 'models'));
		await expect(store.weightsOf(source)).rejects.toMatchObject({
			code: 'model_load_failed',
			message: 'a weight is not a finite number',
		});
	});
});
