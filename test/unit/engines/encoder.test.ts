import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { addon } from '../../../src/addon/addon.js';
import type { EncoderName } from '../../../src/core/config/whisper-settings.js';
import { EarshotError, type ErrorCode } from '../../../src/core/errors.js';
import {
	chooseEncoder,
	encoderFor,
	loadWithEncoder,
	refusalsOf,
	sessionThreads,
} from '../../../src/engines/whisper/encoder.js';
import { encoderGraph } from '../../../src/engines/whisper/encoder-graph.js';
import { NotGgml, readGgml } from '../../../src/model-files/ggml-file.js';
import { readOnnx } from '../../../src/model-files/onnx-file.js';
import { encodeHeader } from '../../helpers/files/ggml.js';
import { generated } from '../../helpers/fixtures.js';
import { noInt8 } from '../../helpers/options.js';

const tones = path.join(generated, 'whisper', 'tones.bin');
const folder = mkdtempSync(path.join(tmpdir(), 'earshot-ggml-'));
afterAll(() => rmSync(folder, { recursive: true }));

const small = { vocabulary: 51_865, mels: 80, state: 64, heads: 1, audioLayers: 1, textLayers: 1 } as const;

function fileOf(bytes: Uint8Array): string {
	const file = path.join(folder, 'model.bin');
	writeFileSync(file, bytes);
	return file;
}

describe('the encoder that a model gets', () => {
	const usual = {
		requested: 'auto',
		onGpu: false,
		hasLibrary: true,
		hasIntegers: false,
		quantised: false,
		readable: true,
		refused: [],
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
			{ requested: 'int16', quantised: true, hasIntegers: true, readable: false },
			'int16',
			'',
		],
		['exact beside VNNI', { requested: 'exact', hasIntegers: true }, 'onnx', ''],
		['exact on a GPU', { requested: 'exact', onGpu: true, hasIntegers: true }, 'ggml', ''],
		[
			'exact for a quantised model',
			{ requested: 'exact', quantised: true, hasIntegers: true },
			'ggml',
			'the model is quantised',
		],
		[
			'exact without the library',
			{ requested: 'exact', hasIntegers: true, hasLibrary: false },
			'ggml',
			expect.stringContaining('not installed'),
		],
		[
			'exact where ONNX Runtime does not take the model',
			{ requested: 'exact', hasIntegers: true, refused: [{ encoder: 'onnx', why: 'tensor y' }] },
			'ggml',
			'onnx does not support this model: tensor y',
		],
		['int8', { requested: 'int8', hasIntegers: true }, 'int8', ''],
		[
			'int8 on a GPU',
			{ requested: 'int8', onGpu: true, hasIntegers: true },
			'ggml',
			'the model runs on a GPU, and int8 runs only on a CPU',
		],
		[
			'int16 without VNNI',
			{ requested: 'int16' },
			'onnx',
			'int16 is not supported by this build on this processor',
		],
		[
			'int8 without VNNI',
			{ requested: 'int8' },
			'onnx-int8',
			'int8 is not supported by this build on this processor',
		],
		[
			'int16 without VNNI and library',
			{ requested: 'int16', hasLibrary: false },
			'ggml',
			expect.stringMatching(
				/^int16 is not supported by this build on this processor; ONNX Runtime.* not installed$/,
			),
		],
		[
			'auto where int16 does not take the model',
			{ hasIntegers: true, refused: [{ encoder: 'int16', why: 'tensor x' }] },
			'onnx',
			'int16 does not support this model: tensor x',
		],
		[
			'auto where neither int16 nor ONNX Runtime take it',
			{
				hasIntegers: true,
				refused: [
					{ encoder: 'int16', why: 'tensor x' },
					{ encoder: 'onnx', why: 'tensor y' },
				],
			},
			'ggml',
			'int16 does not support this model: tensor x; onnx does not support this model: tensor y',
		],
		[
			'int8 where it does not take the model',
			{ requested: 'int8', hasIntegers: true, refused: [{ encoder: 'int8', why: 'tensor x' }] },
			'onnx-int8',
			'int8 does not support this model: tensor x',
		],
		['onnx where there is VNNI', { requested: 'onnx', hasIntegers: true }, 'onnx', ''],
		['auto for a quantised model', { quantised: true }, 'ggml', 'the model is quantised'],
		['auto without the library', { hasLibrary: false }, 'ggml', expect.stringContaining('not installed')],
		['ggml', { requested: 'ggml' }, 'ggml', ''],
		['onnx on a GPU', { requested: 'onnx', onGpu: true }, 'onnx', ''],
		['onnx for a quantised model', { requested: 'onnx', quantised: true }, 'ggml', 'the model is quantised'],
		['onnx-int8', { requested: 'onnx-int8' }, 'onnx-int8', ''],
		['onnx-int8 on a GPU', { requested: 'onnx-int8', onGpu: true }, 'onnx-int8', ''],
		['onnx-int8 for a quantised model', { requested: 'onnx-int8', quantised: true }, 'onnx-int8', ''],
		[
			'onnx-int8 for blocks of another type',
			{ requested: 'onnx-int8', quantised: true, readable: false },
			'ggml',
			expect.stringContaining('only ggml reads'),
		],
		[
			'onnx-int8 without the library',
			{ requested: 'onnx-int8', hasLibrary: false },
			'ggml',
			expect.stringContaining('not installed'),
		],
	] as const)('%s', (_case, changes, encoder, reason) => {
		expect(chooseEncoder({ ...usual, ...changes })).toEqual({ encoder, reason });
	});

	const request = { requested: 'auto', path: tones, libraryDir: '/nowhere', useGpu: false } as const;

	test('is ggml where the library of ONNX Runtime cannot be loaded, and says why', () => {
		expect(encoderFor({ ...request, requested: 'onnx' })).toEqual({
			encoder: 'ggml',
			reason: expect.stringContaining('/nowhere'),
		});
	});

	test('is found by the file where its tensors or its decoder are not as that encoder has them', () => {
		const head = (audioState: number) => {
			const bytes = Buffer.from(encodeHeader({ ...small, type: 'f16' }, [Buffer.from(' ')]));
			bytes.writeInt32LE(audioState, 12);
			return readGgml(fileOf(bytes));
		};
		const noTensor = { encoder: 'onnx', why: 'encoder.conv1.weight is not as expected' };
		expect(refusalsOf(readGgml(tones))).toEqual([]);
		expect(refusalsOf(head(64))).toEqual([noTensor]);
		const why = 'its encoder is 128 wide and its decoder 64';
		expect(refusalsOf(head(128))).toEqual([{ encoder: 'int16', why }, { encoder: 'int8', why }, noTensor]);
	});

	describe('and that does not take the model', () => {
		const settings = { ...request, libraryDir: undefined, maxThreads: 1, int8Weights: noInt8 };
		/** Loads with whatever is not among these. */
		async function load(
			requested: EncoderName,
			refusing: readonly string[],
			code: ErrorCode = 'model_load_failed',
		) {
			const tried: string[] = [];
			const loading = loadWithEncoder({ ...settings, requested }, async ({ encoder }) => {
				tried.push(encoder);
				if (refusing.includes(encoder)) throw new EarshotError(code, `not with ${encoder}`);
				return encoder;
			});
			return { tried, loading };
		}

		test.runIf(addon().integerEncoders())('gives way to the next, with the reason', async () => {
			for (const requested of ['auto', 'int16'] as const) {
				const { tried, loading } = await load(requested, ['int16']);
				expect(await loading).toEqual({
					model: 'ggml',
					encoder: 'ggml',
					reason: expect.stringMatching(/^int16 does not support this model: not with int16; ONNX Runtime/),
				});
				expect(tried).toEqual(['int16', 'ggml']);
			}
		});

		test('is the end of it where ggml does not either', async () => {
			const { loading } = await load('auto', ['int16', 'onnx', 'ggml']);
			await expect(loading).rejects.toThrow('not with ggml');
		});

		test.runIf(addon().integerEncoders())('because it was closed is not tried again', async () => {
			const { tried, loading } = await load('auto', ['int16'], 'closed');
			await expect(loading).rejects.toMatchObject({ code: 'closed' });
			expect(tried).toEqual(['int16']);
		});
	});

	test('runs with one thread for clips beside each other and with all for one alone, while the weights are small', () => {
		expect(sessionThreads(8, 80e6)).toEqual([1, 8]);
		expect(sessionThreads(8, 1.2e9)).toEqual([8]);
		expect(sessionThreads(1, 80e6)).toEqual([1]);
	});
});

describe('a ggml file', () => {
	test('gives its shape and where its tensors are', () => {
		const { shape, quantised, tensors } = readGgml(tones);
		expect(quantised).toBe(false);
		expect(shape.audioContext).toBe(1500);
		expect(tensors.get('encoder.positional_embedding')?.shape).toEqual([1500, shape.audioState]);
		expect(tensors.get('encoder.conv1.weight')).toMatchObject({
			type: 'f16',
			shape: [shape.audioState, shape.mels, 3],
		});
	});

	test('that is quantised is recognised by its header', () => {
		expect(readGgml(fileOf(encodeHeader({ ...small, type: 'q8_0' }, []))).quantised).toBe(true);
	});

	test('with blocks of an unknown type gives no tensors', () => {
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
		expect([...onnx.externalData.keys()]).toEqual(['tones.bin']);
		expect(onnx.inputs).toEqual([{ name: 'in', elementType: 1, shape: [1, file.shape.mels, null] }]);
		expect(onnx.outputs).toEqual([{ name: 'out', elementType: 1, shape: [1, null, file.shape.audioState] }]);
		expect(onnx.operators).toContain('MultiHeadAttention');
	});
});
