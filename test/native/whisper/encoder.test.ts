/** The encoder on ONNX Runtime beside ggml's own, of the same file. */

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as Binding from '../../../binding.js';
import { saturatesInt8 } from '../../../src/addon/cpu.js';
import { runtimeFile } from '../../../src/addon/libraries.js';
import { encoderNames } from '../../../src/core/config/whisper-settings.js';
import { EarshotError } from '../../../src/core/errors.js';
import { encoderFor, loadEncoders } from '../../../src/engines/whisper/encoder.js';
import { encoderGraph } from '../../../src/engines/whisper/encoder-graph.js';
import { Int8Store } from '../../../src/engines/whisper/int8-store.js';
import { loadWhisper as loadEngine } from '../../../src/engines/whisper/whisper.js';
import { readGgml } from '../../../src/model-files/ggml-file.js';
import { OnnxGraph } from '../../../src/model-files/onnx-graph.js';
import { melFilters } from '../../helpers/files/ggml.js';
import { writeSharpWhisper } from '../../helpers/files/sensitive-whisper.js';
import { generated, samplesOf } from '../../helpers/fixtures.js';
import { defaultModelOptions, noInt8, plainRecognition } from '../../helpers/options.js';
import { runBatch } from '../../helpers/run-batch.js';
import {
	addon,
	addonFile,
	type EncoderKind,
	encoderOf,
	exactEncoders,
	inChild,
	libraryDir,
	textOf,
	tonesModel,
	whisperClip,
} from '../addon.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-encoder-'));
const sharp = path.join(folder, 'sharp.bin');
const int8 = new Int8Store(path.join(folder, 'models'));
const open: Binding.WhisperModel[] = [];
beforeAll(() => writeSharpWhisper(sharp));
afterAll(async () => {
	await Promise.all(open.map((model) => model.close()));
	rmSync(folder, { recursive: true });
});

async function load(
	file: string,
	encoder: Pick<Binding.WhisperLoad, 'encoders' | 'encoderBits'>,
	slots = 1,
): Promise<Binding.WhisperModel> {
	const model = await addon.loadWhisper({
		path: file,
		slots,
		maxThreads: 2,
		useGpu: false,
		gpuDevice: 0,
		alignmentHeads: [],
		...encoder,
	});
	open.push(model);
	return model;
}
const loadWith = async (kind: EncoderKind, file: string) => load(file, await encoderOf(kind, file));

/** Loud all over the spectrum, the same on every run. */
function hiss(seconds: number): Float32Array {
	let state = 3;
	return Float32Array.from({ length: seconds * 16_000 }, (_, at) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return (state / 0x80000000 - 1) * 0.3 * Math.abs(Math.sin(at / 3000));
	});
}

function largestDifference(a: Float32Array, b: Float32Array): number {
	expect(a).toHaveLength(b.length);
	return a.reduce((largest, value, at) => Math.max(largest, Math.abs(value - (b[at] ?? Number.NaN))), 0);
}

/** The numbers of `sharp` are 0.8 on average, without their sign. */
function meanDifference(a: Float32Array, b: Float32Array): number {
	expect(a).toHaveLength(b.length);
	return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? Number.NaN)), 0) / a.length;
}

/** The same text, tokens and times; returns what both made. */
async function expectSameWords(
	name: string,
	ours: Binding.WhisperModel,
	others: Binding.WhisperModel,
): Promise<readonly [Binding.RawResult, Binding.RawResult]> {
	const options = { ...whisperClip, tokenTimestamps: true, temperatureIncrement: 0.2 };
	const a = await ours.transcribe(samplesOf(name), options);
	const b = await others.transcribe(samplesOf(name), options);
	expect(textOf(a)).toBe(textOf(b));
	expect(a.tokenIds).toEqual(b.tokenIds);
	expect(a.tokenTimes).toEqual(b.tokenTimes);
	return [a, b];
}

const codeOf = (promise: Promise<unknown>) =>
	promise.then(
		() => 'fulfilled',
		(error: Binding.NativeError) => error.code,
	);

/** Those that are not ggml's. */
const ours = exactEncoders.filter((kind) => kind !== 'ggml');

describe('what the encoder makes', () => {
	test.each(ours.flatMap((kind) => [0, 1, 64, 257, 600].map((audioContext) => ({ kind, audioContext }))))(
		'by $kind differs from what ggml makes by half a hundredth at most, at context $audioContext',
		async ({ kind, audioContext }) => {
			const [ours, ggmls] = [await loadWith(kind, sharp), await loadWith('ggml', sharp)];
			const samples = hiss(8);
			const options = { clip: 1, threads: 1, audioContext };
			const made = await ours.encode(samples, options);
			expect(made).toHaveLength((audioContext || 1500) * 128);
			expect(largestDifference(made, await ggmls.encode(samples, options))).toBeLessThan(0.005);
			// The comparison can fail: half a second later it is another sound.
			expect(largestDifference(made, await ours.encode(samples.subarray(8000), options))).toBeGreaterThan(
				0.1,
			);
		},
	);

	test.each(ours)(
		'by %s does not depend on the number of threads, nor on the context of the window before',
		async (kind) => {
			const model = await load(sharp, await encoderOf(kind, sharp, [1, 2]));
			const encode = (threads: number, audioContext: number) =>
				model.encode(hiss(5), { clip: 1, threads, audioContext });
			const alone = await encode(1, 300);
			await encode(1, 0);
			expect(await encode(1, 300)).toEqual(alone);
			expect(largestDifference(await encode(2, 300), alone)).toBeLessThan(0.0001);
		},
	);

	test('is reported by name', async () => {
		expect((await loadWith('onnx', tonesModel)).info.encoder).toMatch(/^onnxruntime 1\.\d+/);
		for (const kind of exactEncoders.filter((each) => each !== 'onnx'))
			expect((await loadWith(kind, tonesModel)).info.encoder).toBe(kind);
	});
});

describe('what the encoder makes in 8 bits', () => {
	async function loadInt8(file: string, changes: Partial<Binding.EncoderLoad> = {}) {
		const { path: made, layout } = await int8.weightsOf(file);
		const graph = encoderGraph(layout, path.basename(made));
		const place = { library: runtimeFile(libraryDir), graph, folder: path.dirname(made), threads: 1 };
		return load(file, { encoders: [await addon.loadEncoder({ ...place, ...changes })] });
	}

	test.each([0, 64, 257, 600])(
		'differs from what the exact one makes by a few hundredths on average, at context %i',
		async (audioContext) => {
			const [ours, exact] = [await loadInt8(sharp), await loadWith('onnx', sharp)];
			const samples = hiss(8);
			const options = { clip: 1, threads: 1, audioContext };
			const made = await ours.encode(samples, options);
			const wanted = await exact.encode(samples, options);
			// Which step a number is rounded to differs between versions of ONNX Runtime, so there is room.
			expect(meanDifference(made, wanted)).toBeLessThan(0.05);
			expect(largestDifference(made, wanted)).toBeLessThan(0.3);
			expect(largestDifference(made, wanted)).toBeGreaterThan(0.005);
			// The comparison can fail: half a second later it is another sound.
			expect(largestDifference(made, await ours.encode(samples.subarray(8000), options))).toBeGreaterThan(
				0.5,
			);
		},
	);

	test('of a quantised model differs as little from what ggml makes of it', async () => {
		const quantised = path.join(folder, 'sharp-q8_0.bin');
		writeSharpWhisper(quantised, 'q8_0');
		const [ours, ggmls] = [await loadInt8(quantised), await loadWith('ggml', quantised)];
		const options = { clip: 1, threads: 1, audioContext: 600 };
		const [a, b] = [await ours.encode(hiss(8), options), await ggmls.encode(hiss(8), options)];
		expect(meanDifference(a, b)).toBeLessThan(0.05);
	});

	const saturates = saturatesInt8(process.arch, addon.processorFlags());
	test.skipIf(saturates)('is the same on a processor without saturation when that is shut out', async () => {
		const [usual, exact] = [await loadInt8(sharp), await loadInt8(sharp, { exactInt8: true })];
		const options = { clip: 1, threads: 1, audioContext: 300 };
		expect(await exact.encode(hiss(5), options)).toEqual(await usual.encode(hiss(5), options));
	});

	test.each(['tones-abc', 'tones-long-pauses', 'tones-deadbead', 'noise', 'silence'])(
		'says of %s what the exact one says',
		async (name) => {
			const [ours, exact] = [await loadInt8(tonesModel), await loadWith('onnx', tonesModel)];
			await expectSameWords(name, ours, exact);
		},
	);
});

describe.skipIf(!addon.integerEncoders())('what the encoder makes in integers', () => {
	const wholeContext = { clip: 1, threads: 1, audioContext: 0 };

	test('of 16 bits is nearer to that of f32 than ggml, which multiplies half floats', async () => {
		const [ours, exact] = [await loadWith('int16', sharp), await loadWith('onnx', sharp)];
		const ggmls = await loadWith('ggml', sharp);
		const [made, wanted, theirs] = [
			await ours.encode(hiss(8), wholeContext),
			await exact.encode(hiss(8), wholeContext),
			await ggmls.encode(hiss(8), wholeContext),
		];
		expect(meanDifference(made, wanted)).toBeLessThan(meanDifference(theirs, wanted));
		expect(largestDifference(made, wanted)).toBeGreaterThan(0);
	});

	test('of 8 bits differs by a few hundredths on average', async () => {
		const [ours, exact] = [await load(sharp, { encoderBits: 8 }), await loadWith('onnx', sharp)];
		for (const audioContext of [0, 64, 257, 600]) {
			const options = { ...wholeContext, audioContext };
			const [made, wanted] = [await ours.encode(hiss(8), options), await exact.encode(hiss(8), options)];
			expect(meanDifference(made, wanted)).toBeLessThan(0.05);
			expect(largestDifference(made, wanted)).toBeLessThan(0.3);
			expect(largestDifference(made, wanted)).toBeGreaterThan(0.005);
		}
	});

	test.each([
		['that no block and no panel divides', { state: 140, heads: 7 }],
		['of heads wider than a block', { state: 272, heads: 2 }],
		['of one small head', { state: 32, heads: 1 }],
	])('is right for widths %s', async (_widths, changes) => {
		const file = path.join(folder, `sharp-${changes.state}.bin`);
		writeSharpWhisper(file, 'f16', changes);
		const [ours, exact] = [await loadWith('int16', file), await loadWith('onnx', file)];
		const options = { ...wholeContext, audioContext: 100 };
		const [made, wanted] = [await ours.encode(hiss(2), options), await exact.encode(hiss(2), options)];
		expect(largestDifference(made, wanted)).toBeLessThan(0.005);
	});

	test.each(
		[
			'positional_embedding',
			'blocks.1.attn.query.bias',
			'blocks.2.attn.value.bias',
			'blocks.2.mlp.0.bias',
		].flatMap((tensor) => ([16, 8] as const).map((encoderBits) => ({ tensor, encoderBits }))),
	)('is no number where one of $tensor is none, in $encoderBits bits', async ({ tensor, encoderBits }) => {
		const file = path.join(folder, 'sharp-broken.bin');
		writeSharpWhisper(file, 'f16', { broken: `encoder.${tensor}` });
		const made = await (await load(file, { encoderBits })).encode(hiss(2), {
			...wholeContext,
			audioContext: 100,
		});
		expect(made.every((number) => Number.isNaN(number))).toBe(true);
	});

	// ggml lays those of Q4_0 out anew, in buffers of its own kind.
	test.each(['q4_0', 'q8_0'] as const)(
		'of a model of %s is that of the numbers that it has',
		async (type) => {
			const quantised = path.join(folder, `sharp-integers-${type}.bin`);
			writeSharpWhisper(quantised, type);
			const [ours, ggmls] = [await loadWith('int16', quantised), await loadWith('ggml', quantised)];
			const [a, b] = [await ours.encode(hiss(8), wholeContext), await ggmls.encode(hiss(8), wholeContext)];
			// ggml rounds what it multiplies to 8 bits as well.
			expect(meanDifference(a, b)).toBeLessThan(0.02);
		},
	);

	test.each(['tones-abc', 'tones-long-pauses', 'tones-deadbead', 'noise', 'silence'])(
		'of 8 bits says of %s what the exact one says',
		async (name) => {
			const [ours, exact] = [await load(tonesModel, { encoderBits: 8 }), await loadWith('onnx', tonesModel)];
			await expectSameWords(name, ours, exact);
		},
	);

	test('takes the place of the weights that it is made of', async () => {
		const [ours, ggmls] = [await loadWith('int16', tonesModel), await loadWith('ggml', tonesModel)];
		expect(ours.info.weightBytes).toBeLessThan(1.3 * ggmls.info.weightBytes);
		expect((await load(tonesModel, { encoderBits: 8 })).info.weightBytes).toBeLessThan(ours.info.weightBytes);
	});
});

test.skipIf(addon.integerEncoders())(
	'an encoder in integers is refused where the processor has none',
	async () => {
		expect(await codeOf(load(tonesModel, { encoderBits: 16 }))).toBe('engine_missing');
	},
);

describe('the log-mel spectrogram', () => {
	/** An encoder that gives back every other frame that it is given, filled up to the model's width. */
	function window(width: number): Uint8Array {
		const graph = new OnnxGraph();
		const frames = graph.node('Transpose', [graph.input('in', [1, 80, null])], { perm: [0, 2, 1] });
		const half = graph.node('Slice', [
			frames,
			graph.integers(0),
			graph.integers(3000),
			graph.integers(1),
			graph.integers(2),
		]);
		graph.output(
			'out',
			[1, null, width],
			graph.node('Pad', [half, graph.integers(0, 0, 0, 0, 0, width - 80)]),
		);
		return graph.encode();
	}

	/** By the definition of openai/whisper audio.py, in double precision. */
	function reference(samples: Float32Array, frame: number): number[] {
		const sampleAt = (at: number) => (at < 0 ? (samples[-at] ?? 0) : (samples[at] ?? 0));
		const windowed = Array.from(
			{ length: 400 },
			(_, i) => sampleAt(160 * frame - 200 + i) * 0.5 * (1 - Math.cos((2 * Math.PI * i) / 400)),
		);
		const powers = Array.from({ length: 201 }, (_, bin) => {
			let [re, im] = [0, 0];
			for (const [i, value] of windowed.entries()) {
				re += value * Math.cos((2 * Math.PI * bin * i) / 400);
				im -= value * Math.sin((2 * Math.PI * bin * i) / 400);
			}
			return re * re + im * im;
		});
		const filters = melFilters(80);
		return Array.from({ length: 80 }, (_, mel) =>
			Math.log10(
				Math.max(
					1e-10,
					powers.reduce((sum, power, bin) => sum + power * (filters[mel * 201 + bin] ?? 0), 0),
				),
			),
		);
	}

	test('is that of OpenAI, with silence behind the clip', async () => {
		const file = {
			graph: window(128),
			library: runtimeFile(libraryDir),
			folder,
			threads: 1,
		};
		const model = await load(sharp, { encoders: [await addon.loadEncoder(file)] });
		const samples = hiss(2).map((value, at) => value * 0.01 + 0.5 * Math.sin(at / 7));
		const made = await model.encode(samples, { clip: 1, threads: 1, audioContext: 0 });
		const logs = Array.from({ length: 202 }, (_, frame) => reference(samples, frame));
		const least = logs.flat().reduce((high, value) => Math.max(high, value), -Infinity) - 8;
		let largest = 0;
		for (let position = 0; position < 1500; position++) {
			const expected = logs[2 * position] ?? new Array<number>(80).fill(-10);
			for (const [mel, log] of expected.entries()) {
				const wanted = (Math.max(log, least) + 4) / 4;
				largest = Math.max(largest, Math.abs((made[position * 128 + mel] ?? Number.NaN) - wanted));
			}
		}
		expect(largest).toBeLessThan(1e-3);
	});
});

describe.each(ours)('text and times by %s', (kind) => {
	test.each(['tones-abc', 'tones-long-pauses', 'tones-deadbead', 'noise', 'silence'])(
		'of %s are those with ggml',
		async (name) => {
			const [ours, ggmls] = [await loadWith(kind, tonesModel), await loadWith('ggml', tonesModel)];
			const [a, b] = await expectSameWords(name, ours, ggmls);
			const timesOf = ({ segments }: Binding.RawResult) =>
				segments.filter((_, at) => [0, 1, 2, 6].includes(at % addon.SEGMENT_FIELDS));
			expect(timesOf(a)).toEqual(timesOf(b));
		},
	);

	test('of clips on several slots at once are those of each alone', async () => {
		const model = await load(tonesModel, await encoderOf(kind), 3);
		const names = ['tones-abc', 'tones-edcba', 'tones-deadbead'];
		const transcribe = (name: string, clip: number) =>
			model.transcribe(samplesOf(name), { ...whisperClip, clip });
		const together = (await Promise.all(names.map(transcribe))).map(textOf);
		const alone: string[] = [];
		for (const [clip, name] of names.entries()) alone.push(textOf(await transcribe(name, clip)));
		expect(together).toEqual(alone);
	});
});

describe('an encoder that fails', () => {
	test('fails the clip, in which nothing of the clip before is said', async () => {
		// An output of other shape than the model's: ONNX Runtime refuses the pass.
		const file = readGgml(sharp);
		const graph = encoderGraph(file, path.basename(sharp));
		const wrong = await addon.loadEncoder({
			library: runtimeFile(libraryDir),
			graph,
			folder,
			threads: 1,
		});
		const model = await load(tonesModel, { encoders: [wrong] });
		for (const options of [whisperClip, { ...whisperClip, language: '' }]) {
			const result = model.transcribe(samplesOf('tones-abc'), options);
			await expect(result).rejects.toMatchObject({ code: 'engine_failed', message: /onnxruntime/ });
		}
	});

	test('serves one model only', async () => {
		const encoder = await encoderOf('onnx');
		await load(tonesModel, encoder);
		await expect(async () => load(tonesModel, encoder)).rejects.toThrow('that no other model has taken');
	});

	test.each([
		['a library that is not there', { library: '/nowhere/libonnxruntime.so' }, 'engine_missing'],
		['a library of something else', { library: addonFile }, 'engine_missing'],
		['a graph that is none', { graph: Buffer.from('no graph') }, 'model_load_failed'],
		['weights that are not there', { folder: '/nowhere' }, 'model_load_failed'],
	])('to load because of %s says so', async (_why, changes, code) => {
		const load = {
			library: runtimeFile(libraryDir),
			graph: encoderGraph(readGgml(tonesModel), path.basename(tonesModel)),
			folder: path.dirname(tonesModel),
			threads: 1,
		};
		expect(await codeOf(addon.loadEncoder({ ...load, ...changes }))).toBe(code);
	});
});

describe('cancelling', () => {
	test.each(ours)('ends the encoder of %s in the middle, and the slot goes on as before', async (kind) => {
		const model = await loadWith(kind, tonesModel);
		const before = textOf(await model.transcribe(samplesOf('tones-abc'), whisperClip));
		for (let round = 0; round < 5; round++) {
			const clip = 10 + round;
			const running = model.transcribe(samplesOf('tones-minute'), { ...whisperClip, clip });
			setImmediate(() => model.cancel(clip));
			expect(await codeOf(running)).toBe('cancelled');
			expect(textOf(await model.transcribe(samplesOf('tones-abc'), whisperClip))).toBe(before);
		}
	});

	test('by the end of the process does not wait for the encoder', async () => {
		const { code, signal } = await inChild(
			`const encoder = await addon.loadEncoder({ ...values[0], graph: Buffer.from(values[1], 'base64') });
			const model = await addon.loadWhisper({ ...values[2], encoders: [encoder] });
			model.transcribe(new Float32Array(480_000), values[3]).catch(() => {});
			setTimeout(() => process.exit(7), 20);`,
			{ library: runtimeFile(libraryDir), folder: path.dirname(tonesModel), threads: 1 },
			Buffer.from(encoderGraph(readGgml(tonesModel), path.basename(tonesModel))).toString('base64'),
			{ path: tonesModel, slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] },
			whisperClip,
		);
		expect({ code, signal }).toEqual({ code: 7, signal: null });
	});
});

describe('a short audio context', () => {
	const script = (name: string) => path.join(generated, 'whisper', `${name}.bin`);

	test.each(['stuck', 'stuck-for-good', 'murmur'])(
		'whose text of %s goes wrong gives what the whole context gives',
		async (name) => {
			const settings = {
				id: name,
				path: script(name),
				slots: 1,
				maxThreads: 1,
				useGpu: false,
				gpuDevice: 0,
				...defaultModelOptions,
				suppress: [],
				alignmentHeads: [],
				int8Weights: noInt8,
				libraryDir,
			} as const;
			const samples = hiss(4);
			const batch = {
				clips: [{ samples, start: 0, end: 4 }],
				options: { ...plainRecognition, language: 'en' },
				threads: 1,
			};
			const results = [];
			for (const audioContext of ['auto', 'full'] as const) {
				const engine = await loadEngine({ ...settings, audioContext });
				results.push(await runBatch(engine, batch));
				await engine.close();
			}
			expect(results[0]).toEqual(results[1]);
		},
	);
});

describe('the choice of an encoder', () => {
	const settings = {
		requested: 'onnx',
		path: tonesModel,
		libraryDir,
		maxThreads: 2,
		useGpu: false,
		int8Weights: noInt8,
	} as const;
	const usualEngine = {
		id: 'tones',
		slots: 1,
		gpuDevice: 0,
		...defaultModelOptions,
		suppress: [],
		alignmentHeads: [],
	} as const;
	const inInt8 = { ...settings, requested: 'onnx-int8' } as const;

	test('finds the weights through a link', async () => {
		const link = path.join(folder, 'link.bin');
		symlinkSync(tonesModel, link);
		const { encoders, reason } = await loadEncoders({ ...settings, path: link });
		expect({ count: encoders.length, reason }).toEqual({ count: 2, reason: '' });
		expect(
			textOf(await (await load(link, { encoders })).transcribe(samplesOf('tones-abc'), whisperClip)),
		).toBe('alpha bravo charlie');
	});

	test('falls back to ggml, and says why, where ONNX Runtime is missing or refuses', async () => {
		expect(await loadEncoders({ ...settings, libraryDir: undefined })).toEqual({
			encoder: 'ggml',
			encoders: [],
			reason: 'ONNX Runtime, which comes with sherpa-onnx, is not installed',
		});
		const { encoders, reason } = await loadEncoders({ ...settings, libraryDir: folder });
		expect(encoders).toEqual([]);
		expect(reason).toMatch(/cannot be loaded/);
	});

	test('is that in integers where the processor has it, without another library', async () => {
		const choice = await loadEncoders({ ...settings, requested: 'auto', libraryDir: undefined });
		expect(choice).toEqual(
			addon.integerEncoders()
				? { encoder: 'int16', encoders: [], encoderBits: 16, reason: '' }
				: expect.objectContaining({ encoder: 'ggml' }),
		);
	});

	test('leaves the error of a broken file to the load', async () => {
		for (const file of [path.join(generated, 'manifest.json'), path.join(folder, 'none.bin')]) {
			expect(await loadEncoders({ ...settings, path: file })).toEqual({
				encoder: 'ggml',
				encoders: [],
				reason: '',
			});
		}
	});

	describe.each(['f16', 'q4_0', 'q8_0'] as const)('of a model of %s', (type) => {
		const file = path.join(folder, `chosen-${type}.bin`);
		beforeAll(() => writeSharpWhisper(file, type));

		test.each(encoderNames)(
			'is what is reported without loading it, where %s is requested',
			async (requested) => {
				const { encoder, reason } = encoderFor({ ...settings, requested, path: file });
				const engine = await loadEngine({
					...settings,
					...usualEngine,
					path: file,
					encoder: requested,
					int8Weights: (weights, again) => int8.weightsOf(weights, again),
				});
				const named = { onnx: /^onnxruntime [\d.]+$/, 'onnx-int8': /^onnxruntime [\d.]+ \(onnx-int8\)$/ };
				const [made, ...why] = (engine.info.encoder ?? '').split(': ');
				expect(made).toMatch(encoder in named ? named[encoder as 'onnx'] : new RegExp(`^${encoder}$`));
				expect(why.join(': ')).toBe(reason);
				await engine.close();
			},
		);
	});

	test('makes 8-bit weights on request, and names them', async () => {
		const engine = await loadEngine({
			...inInt8,
			...usualEngine,
			encoder: 'onnx-int8',
			int8Weights: (file, again) => int8.weightsOf(file, again),
		});
		expect(engine.info.encoder).toMatch(/^onnxruntime 1\.\d+\.\d+ \(onnx-int8\)$/);
		await engine.close();
	});

	test('falls back to the exact encoder, and says why, where 8-bit weights cannot be had', async () => {
		const int8Weights = () => Promise.reject(new EarshotError('disk_full', 'the disk is full'));
		const { encoder, encoders, reason } = await loadEncoders({ ...inInt8, int8Weights });
		expect([encoder, encoders.length, reason]).toEqual([
			'onnx',
			2,
			'the 8-bit encoder is not available: the disk is full',
		]);
	});

	test('falls back to ggml where those of a quantised model cannot be had', async () => {
		const quantised = path.join(folder, 'quantised.bin');
		writeSharpWhisper(quantised, 'q8_0');
		const int8Weights = () => Promise.reject(new EarshotError('disk_full', 'the disk is full'));
		expect(await loadEncoders({ ...inInt8, path: quantised, int8Weights })).toEqual({
			encoder: 'ggml',
			encoders: [],
			reason: 'the 8-bit encoder is not available: the disk is full',
		});
	});

	test('remakes 8-bit weights that ONNX Runtime refuses, once', async () => {
		const asked: (boolean | undefined)[] = [];
		const cut = path.join(folder, 'cut.safetensors');
		writeFileSync(cut, 'cut');
		const spoilt = async (file: string, again?: boolean) => {
			asked.push(again);
			const made = await int8.weightsOf(file, again);
			return again ? made : { ...made, path: cut };
		};
		expect(await loadEncoders({ ...inInt8, int8Weights: spoilt })).toMatchObject({
			encoder: 'onnx-int8',
			reason: '',
		});
		const hopeless = async (file: string, again?: boolean) => {
			asked.push(again);
			return { ...(await int8.weightsOf(file)), path: cut };
		};
		expect(await loadEncoders({ ...inInt8, int8Weights: hopeless })).toMatchObject({
			encoder: 'onnx',
			reason: expect.stringContaining('the 8-bit encoder is not available: onnxruntime'),
		});
		expect(asked).toEqual([undefined, true, undefined, true]);
	});
});
