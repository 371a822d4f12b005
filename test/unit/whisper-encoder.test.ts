import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { encoderGraph } from '../../src/engines/encoder-graph.js';
import { NotGgml, readGgml } from '../../src/engines/ggml-file.js';
import { readOnnx } from '../../src/engines/onnx-file.js';
import { chooseEncoder, sessionThreads } from '../../src/engines/whisper-encoder.js';
import { generated } from '../helpers/fixtures.js';
import { encodeHeader } from '../helpers/ggml.js';

const tones = path.join(generated, 'whisper', 'tones.bin');
const folder = mkdtempSync(path.join(tmpdir(), 'earshot-ggml-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(bytes: Uint8Array): string {
	const file = path.join(folder, 'model.bin');
	writeFileSync(file, bytes);
	return file;
}

describe('the encoder that a model gets', () => {
	const usual = {
		wanted: 'auto',
		onGpu: false,
		hasLibrary: true,
		hasIntegers: false,
		quantised: false,
		readable: true,
	} as const;
	test.each([
		['auto on a processor', {}, 'onnx', ''],
		['auto on a processor with VNNI', { hasIntegers: true }, 'int16', ''],
		['auto on a processor with VNNI alone', { hasIntegers: true, hasLibrary: false }, 'int16', ''],
		['auto on a GPU', { onGpu: true }, 'ggml', ''],
		['auto on a GPU beside VNNI', { onGpu: true, hasIntegers: true }, 'ggml', ''],
		[
			'auto for a quantised model with VNNI',
			{ quantised: true, hasIntegers: true },
			'ggml',
			'the model is quantised',
		],
		[
			'int16 for a quantised model',
			{ wanted: 'int16', quantised: true, hasIntegers: true, readable: false },
			'int16',
			'',
		],
		['int8', { wanted: 'int8', hasIntegers: true }, 'int8', ''],
		[
			'int8 on a GPU',
			{ wanted: 'int8', onGpu: true, hasIntegers: true },
			'ggml',
			'the model is on a GPU, and int8 is for processors',
		],
		['int16 without VNNI', { wanted: 'int16' }, 'onnx', 'no int16 by this build on this processor'],
		['int8 without VNNI', { wanted: 'int8' }, 'onnx-int8', 'no int8 by this build on this processor'],
		[
			'int16 without VNNI and library',
			{ wanted: 'int16', hasLibrary: false },
			'ggml',
			expect.stringMatching(/^no int16 by this build on this processor; ONNX Runtime.* not here$/),
		],
		['onnx where there is VNNI', { wanted: 'onnx', hasIntegers: true }, 'onnx', ''],
		['auto for a quantised model', { quantised: true }, 'ggml', 'the model is quantised'],
		['auto without the library', { hasLibrary: false }, 'ggml', expect.stringContaining('not here')],
		['ggml', { wanted: 'ggml' }, 'ggml', ''],
		['onnx on a GPU', { wanted: 'onnx', onGpu: true }, 'onnx', ''],
		['onnx for a quantised model', { wanted: 'onnx', quantised: true }, 'ggml', 'the model is quantised'],
		['onnx-int8', { wanted: 'onnx-int8' }, 'onnx-int8', ''],
		['onnx-int8 on a GPU', { wanted: 'onnx-int8', onGpu: true }, 'onnx-int8', ''],
		['onnx-int8 for a quantised model', { wanted: 'onnx-int8', quantised: true }, 'onnx-int8', ''],
		[
			'onnx-int8 for blocks of another type',
			{ wanted: 'onnx-int8', quantised: true, readable: false },
			'ggml',
			expect.stringContaining('cannot be read'),
		],
		[
			'onnx-int8 without the library',
			{ wanted: 'onnx-int8', hasLibrary: false },
			'ggml',
			expect.stringContaining('not here'),
		],
	] as const)('%s', (_case, changes, encoder, reason) => {
		expect(chooseEncoder({ ...usual, ...changes })).toEqual({ encoder, reason });
	});

	test('runs with one thread for clips beside each other and with all for one alone, while the weights are small', () => {
		expect(sessionThreads(8, 80e6)).toEqual([1, 8]);
		expect(sessionThreads(8, 1.2e9)).toEqual([8]);
		expect(sessionThreads(1, 80e6)).toEqual([1]);
	});
});

describe('a ggml file', () => {
	test('tells its shape and where its tensors are', () => {
		const { shape, quantised, tensors } = readGgml(tones);
		expect(quantised).toBe(false);
		expect(shape.audioContext).toBe(1500);
		expect(tensors.get('encoder.positional_embedding')?.shape).toEqual([1500, shape.audioState]);
		expect(tensors.get('encoder.conv1.weight')).toMatchObject({
			type: 'f16',
			shape: [shape.audioState, shape.mels, 3],
		});
	});

	const small = { vocabulary: 51_865, mels: 80, state: 64, heads: 1, audioLayers: 1, textLayers: 1 } as const;

	test('that is quantised is told by its head', () => {
		expect(readGgml(fileOf(encodeHeader({ ...small, type: 'q8_0' }, []))).quantised).toBe(true);
	});

	test('with blocks of a type that is not known tells no tensors', () => {
		const head = Buffer.from(encodeHeader({ ...small, type: 'q8_0' }, []));
		// Q6_K, in version 2.
		head.writeInt32LE(2014, 44);
		expect(readGgml(fileOf(head))).toMatchObject({ quantised: true, tensors: new Map() });
		head.writeInt32LE(2009, 44);
		expect(readGgml(fileOf(head)).quantised).toBe(true);
	});

	test('whose tensor ends within a block is refused', () => {
		const head = encodeHeader({ ...small, type: 'q8_0' }, []);
		const tensor = Buffer.concat([Buffer.from(Int32Array.of(1, 1, 8, 33).buffer), Buffer.from('x')]);
		expect(() => readGgml(fileOf(Buffer.concat([head, tensor, Buffer.alloc(68)])))).toThrow('its blocks');
	});

	test('that ends too early, or is none, is refused', () => {
		const head = encodeHeader({ ...small, type: 'f16' }, [Buffer.from(' ')]);
		for (const bytes of [
			Buffer.from('lmgg'),
			head.subarray(0, 100),
			head.subarray(0, -1),
			Buffer.from('{"a": "json"}'),
		]) {
			expect(() => readGgml(fileOf(bytes))).toThrow(NotGgml);
		}
		expect(() => encoderGraph(readGgml(fileOf(head)), 'model.bin')).toThrow('is not as expected');
	});
});

describe('the graph of an encoder', () => {
	test('is an ONNX model that takes its weights from the ggml file', async () => {
		const file = readGgml(tones);
		const graph = encoderGraph(file, 'tones.bin');
		expect(graph.length).toBeLessThan(65_536);
		const onnx = await readOnnx(fileOf(graph));
		expect([...onnx.externalData]).toEqual(['tones.bin']);
		expect(onnx.inputs).toEqual([{ name: 'in', elementType: 1, shape: [1, file.shape.mels, null] }]);
		expect(onnx.outputs).toEqual([{ name: 'out', elementType: 1, shape: [1, null, file.shape.audioState] }]);
		expect(onnx.operators).toContain('MultiHeadAttention');
	});
});
