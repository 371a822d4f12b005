import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as Binding from '../../binding.js';
import { generated, manifest, modelFixture, samplesOf } from '../helpers/fixtures.js';
import {
	addon,
	inChild,
	libraryDir,
	loadSherpa,
	loadWhisper,
	plainSherpa,
	sherpaClip,
	sherpaConfig,
	textOf,
	tonesModel,
	whisperClip,
} from './addon.js';

const silence = (seconds: number) => new Float32Array(seconds * 16_000);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const codeOf = (promise: Promise<unknown>) =>
	promise.then(
		() => 'fulfilled',
		(error: Binding.NativeError) => error.code,
	);

/** What every result keeps to, whichever library made it. */
function expectSound(raw: Binding.RawResult, seconds: number): void {
	const tokens = raw.tokenEnds.length;
	expect(raw.tokenIds).toHaveLength(tokens);
	expect(raw.tokenLogprobs).toHaveLength(tokens);
	expect(raw.tokenTimes).toHaveLength(2 * tokens);
	expect(raw.tokenEnds.at(-1) ?? 0).toBe(raw.bytes.length);
	expect(raw.segments.length % addon.SEGMENT_FIELDS).toBe(0);
	for (const logprob of raw.tokenLogprobs) expect(logprob > 1e-6).toBe(false);
	for (const time of raw.tokenTimes) expect(time < 0 || time > seconds + 1e-3).toBe(false);
	let [tokenEnd, at] = [0, 0];
	for (let i = 0; i < raw.segments.length; i += addon.SEGMENT_FIELDS) {
		const [end = 0, from = 0, to = 0, , noSpeech = 0] = raw.segments.subarray(i, i + 5);
		expect(end).toBeGreaterThanOrEqual(tokenEnd);
		expect(from).toBeGreaterThanOrEqual(at);
		expect(to).toBeGreaterThanOrEqual(from);
		expect(to).toBeLessThanOrEqual(seconds + 1e-3);
		expect(noSpeech < 0 || noSpeech > 1).toBe(false);
		[tokenEnd, at] = [end, to];
	}
	expect(tokenEnd).toBe(tokens);
}

describe('sherpa-onnx', () => {
	const models = manifest.models.filter(({ engine, name }) => engine === 'sherpa' && name !== 'slow');

	test.each(models.map(({ name }) => name))('%s transcribes tones, alone and in a batch', async (name) => {
		const { expectedTexts, timestamps } = modelFixture(name);
		const model = await loadSherpa(name);
		const names = ['tones-abc', 'tones-e', 'silence', 'tones-edcba'].filter(
			(recording) => recording in expectedTexts,
		);
		const alone: Binding.RawResult[] = [];
		for (const recording of names) {
			const samples = samplesOf(recording);
			const raw = await model.transcribe(samples, sherpaClip);
			expectSound(raw, samples.length / 16_000);
			expect(textOf(raw)).toBe(expectedTexts[recording]);
			// Fun-ASR-Nano's are made up and streaming NeMo's too short; the engine gives neither out.
			if (name !== 'funasr_nano' && name !== 'streaming_nemo_ctc')
				expect(Number.isFinite(raw.tokenTimes[0])).toBe(timestamps && textOf(raw) !== '');
			alone.push(raw);
		}
		// Exported for one clip, and never handed several.
		if (name !== 'streaming_alone') {
			const batch = await Promise.all(model.transcribeBatch(names.map(samplesOf), sherpaClip));
			expect(batch.map(textOf)).toEqual(alone.map(textOf));
		}
		await model.close();
	});

	test('SenseVoice gives language, emotion and event without brackets', async () => {
		const model = await loadSherpa('sense_voice');
		const raw = await model.transcribe(samplesOf('tones-abc'), sherpaClip);
		expect(raw.language).toBe('en');
		expect(`${raw.emotion}${raw.event}`).not.toContain('|');
		await model.close();
	});

	test('transducers give the probability of each token', async () => {
		const model = await loadSherpa('transducer');
		const raw = await model.transcribe(samplesOf('tones-abc'), sherpaClip);
		expect([...raw.tokenLogprobs].every((logprob) => Number.isFinite(logprob))).toBe(true);
		expect(Number.isFinite(raw.segments[3])).toBe(true);
		await model.close();
	});

	test('the shortest clips are silence', async () => {
		const model = await loadSherpa('zipformer_ctc');
		for (const length of [0, 1, 100, 1599]) {
			expect(textOf(await model.transcribe(new Float32Array(length), sherpaClip))).toBe('');
		}
		const batch = await Promise.all(
			model.transcribeBatch([new Float32Array(0), samplesOf('tones-a')], sherpaClip),
		);
		expect(batch.map(textOf)).toEqual(['', 'a']);
		expect(model.transcribeBatch([], sherpaClip)).toEqual([]);
		await model.close();
	});

	test('as many clips at once as it has slots, and no clip twice', async () => {
		const model = await loadSherpa('slow', 2);
		const samples = samplesOf('tones-a');
		const codes = await Promise.all(
			[1, 1, 2, 3].map((clip) => codeOf(model.transcribe(samples, { ...sherpaClip, clip }))),
		);
		expect(codes).toEqual(['fulfilled', 'engine_failed', 'fulfilled', 'engine_failed']);
		expect(await codeOf(model.transcribe(samples, { ...sherpaClip, clip: 3 }))).toBe('fulfilled');
		await model.close();
	});

	test('the result of a cancelled clip is dropped, and the next one runs', async () => {
		const model = await loadSherpa('slow');
		const running = codeOf(model.transcribe(samplesOf('tones-abc'), sherpaClip));
		await pause(50);
		model.cancel(1);
		model.cancel(99);
		expect(await running).toBe('cancelled');
		expect(textOf(await model.transcribe(samplesOf('tones-a'), sherpaClip))).toBe('a');
		await model.close();
	});

	test('close waits for what runs, twice as once; then everything is refused', async () => {
		const model = await loadSherpa('slow');
		const order: string[] = [];
		const running = codeOf(model.transcribe(samplesOf('tones-abcde'), sherpaClip)).then((code) =>
			order.push(code),
		);
		await Promise.all(
			[model.close(), model.close()].map((closing) => closing.then(() => order.push('closed'))),
		);
		await running;
		expect(order).toEqual(['cancelled', 'closed', 'closed']);
		await model.close();
		expect(await codeOf(model.transcribe(silence(1), sherpaClip))).toBe('closed');
		expect(await codeOf(Promise.all(model.transcribeBatch([silence(1)], sherpaClip)))).toBe('closed');
	});

	test('a failure inside the library fails the clip, not the model', async () => {
		const fixture = manifest.troubled.find(({ name }) => name === 'fail_on_e');
		if (!fixture) throw new Error('no fixture fail_on_e');
		const model = await addon.loadSherpa({ ...plainSherpa, slots: 1, config: sherpaConfig(fixture) });
		expect(await codeOf(model.transcribe(samplesOf('tones-e'), sherpaClip))).toBe('engine_failed');
		expect(textOf(await model.transcribe(samplesOf('tones-abc'), sherpaClip))).toBe('a b c');
		await model.close();
	});

	test('hotwords for a model that has none are refused, where the library would end the process', async () => {
		const model = await loadSherpa('zipformer_ctc');
		const asked = model.transcribe(samplesOf('tones-abc'), { ...sherpaClip, hotwords: 'A B' });
		expect(await codeOf(asked)).toBe('engine_failed');
		await model.close();
	});

	test.each([
		[{ 'model_config.no_such_thing': 'x' }],
		[{ 'model_config.num_threads': 'two' }],
		[{ 'model_config.num_threads': 1.5 }],
		[{ 'model_config.tokens': 7 }],
		[{}],
	])('refuses settings %o', async (wrong) => {
		const config = Object.keys(wrong).length === 0 ? {} : { ...sherpaConfig(modelFixture('tdnn')), ...wrong };
		expect(await codeOf(addon.loadSherpa({ ...plainSherpa, slots: 1, config }))).toBe('model_load_failed');
	});

	test('a folder without the library is engine_missing', async () => {
		const config = sherpaConfig(modelFixture('tdnn'));
		expect(await codeOf(addon.loadSherpa({ ...plainSherpa, libraryDir: generated, slots: 1, config }))).toBe(
			'engine_missing',
		);
		expect(() => addon.sherpaVersion(generated)).toThrow(expect.objectContaining({ code: 'engine_missing' }));
	});

	test.each(
		manifest.troubled.map((fixture) => {
			const { load, decode } = fixture as unknown as { load: string; decode?: string };
			return { ...fixture, load, decode };
		}),
	)('bad model $name ends as $load $decode', async ({ load, decode, ...fixture }) => {
		const { code, signal, stdout } = await inChild(
			`const model = await addon.loadSherpa(values[0]);
			console.log('loaded');
			await model.transcribe(Float32Array.from(values[1]), values[2]);
			console.log('transcribed');
			await model.close();`,
			{ ...plainSherpa, slots: 1, config: sherpaConfig(fixture) },
			[...samplesOf('tones-e')],
			sherpaClip,
		);
		const expected =
			load === 'exit'
				? { code: 255, stdout: '' }
				: load !== 'ok'
					? { code: 3, stdout: 'model_load_failed' }
					: decode === 'exit'
						? { code: 255, stdout: 'loaded' }
						: decode === 'signal'
							? { code: null, stdout: 'loaded' }
							: { code: 3, stdout: 'loaded\nengine_failed' };
		expect({ code, stdout }).toEqual(expected);
		expect(signal === null).toBe(decode !== 'signal');
	});
});

describe('whisper.cpp', () => {
	let model: Awaited<ReturnType<typeof loadWhisper>>;
	beforeAll(async () => {
		model = await loadWhisper(2);
	});
	afterAll(async () => {
		await model.close();
	});
	const { expectedTexts } = modelFixture('tones');
	const transcribe = (name: string, options: Partial<Binding.WhisperClipOptions> = {}) =>
		model.transcribe(samplesOf(name), { ...whisperClip, ...options });

	test('has its info', () => {
		expect(model.info).toMatchObject({ size: 'unknown', multilingual: true, device: 'CPU' });
		expect(model.info.languages).toHaveLength(99);
		expect(model.info.languages).toContain('de');
		expect(model.info.weightBytes).toBeGreaterThan(20_000_000);
	});

	test.each(['tones-abc', 'tones-abcde', 'tones-long-pauses', 'silence', 'noise', 'blip'])(
		'transcribes %s, in valid segments',
		async (name) => {
			const raw = await transcribe(name, { tokenTimestamps: true });
			expectSound(raw, samplesOf(name).length / 16_000);
			expect(textOf(raw)).toBe(expectedTexts[name]);
			expect(raw.language).toBe('en');
		},
	);

	test('times of tokens only on request', async () => {
		expect((await transcribe('tones-abc')).tokenTimes.every((time) => Number.isNaN(time))).toBe(true);
		const { tokenTimes } = await transcribe('tones-abc', { tokenTimestamps: true });
		expect([...tokenTimes].every((time, i) => time >= (tokenTimes[i - 1] ?? 0))).toBe(true);
	});

	test('a character split over tokens survives in the bytes', async () => {
		const raw = await transcribe('tones-e');
		expect(raw.tokenEnds.length).toBeGreaterThan(1);
		expect(Buffer.from(raw.bytes).toString()).toContain('你');
	});

	test('gives probability, no-speech probability and temperature of each segment', async () => {
		const [, , , logprob = Number.NaN, noSpeech, temperature] = (await transcribe('tones-abc')).segments;
		expect(logprob).toBeLessThanOrEqual(0);
		expect(logprob).toBeGreaterThan(-1);
		expect(noSpeech).toBeGreaterThanOrEqual(0);
		expect(noSpeech).toBeLessThan(0.5);
		expect(temperature).toBe(0);
		expect((await transcribe('tones-abc', { temperature: 0.4 })).segments[5]).toBeCloseTo(0.4);
	});

	test('detects the language when none is given, to the same words', async () => {
		const given = await transcribe('tones-abc');
		const detected = await transcribe('tones-abc', { language: '' });
		expect(detected.language).toBe('en');
		expect(detected.bytes).toEqual(given.bytes);
		expect(detected.segments).toEqual(given.segments);
	});

	test('refuses a language that the model does not know', async () => {
		expect(await codeOf(transcribe('tones-abc', { language: 'tlh' }))).toBe('engine_failed');
	});

	test('a clip gives the same text whatever its slot ran before', async () => {
		const first = await transcribe('tones-abc', { temperature: 0.7 });
		await transcribe('tones-deadbead', { prompt: 'echo echo echo', beamSize: 3 });
		await transcribe('tones-long-pauses', { temperature: 0.9 });
		expect(await transcribe('tones-abc', { temperature: 0.7 })).toEqual(first);
	});

	test('slots, threads and beams agree', async () => {
		const [one, two] = await Promise.all([
			transcribe('tones-abcde'),
			transcribe('tones-edcba', { clip: 2, threads: 2 }),
		]);
		expect(textOf(one)).toBe(expectedTexts['tones-abcde']);
		expect(textOf(two)).toBe(expectedTexts['tones-edcba']);
		expect(textOf(await transcribe('tones-abcde', { beamSize: 5 }))).toBe(expectedTexts['tones-abcde']);
	});

	test('a batch is its clips one after another', async () => {
		const names = ['tones-a', 'silence', 'tones-abc'];
		const batch = await Promise.all(model.transcribeBatch(names.map(samplesOf), whisperClip));
		expect(batch.map(textOf)).toEqual(names.map((name) => expectedTexts[name]));
	});

	test('clips of any length, down to none', async () => {
		for (const length of [0, 1, 199, 1599, 15_999, 16_000, 480_001]) {
			const raw = await model.transcribe(new Float32Array(length), whisperClip);
			expectSound(raw, length / 16_000);
			expect(textOf(raw)).toBe('');
		}
	});

	test('a cancelled clip ends at once, and its slot serves the next', async () => {
		const minutes = new Float32Array(16_000 * 120).map((_, i) => Math.sin(i / 5));
		const running = codeOf(model.transcribe(minutes, whisperClip));
		await pause(100);
		const asked = performance.now();
		model.cancel(1);
		expect(await running).toBe('cancelled');
		expect(performance.now() - asked).toBeLessThan(2000);
		expect(textOf(await transcribe('tones-abc'))).toBe(expectedTexts['tones-abc']);
	});

	test('close ends what runs; then everything is refused', async () => {
		const other = await loadWhisper(1);
		const running = Array.from({ length: other.info.maxBatchedClips }, (_, clip) =>
			codeOf(other.transcribe(silence(60), { ...whisperClip, clip })),
		);
		// The slot holds no more.
		expect(await codeOf(other.transcribe(silence(1), { ...whisperClip, clip: 99 }))).toBe('engine_failed');
		await other.close();
		await other.close();
		expect(await Promise.all(running)).toEqual(running.map(() => 'cancelled'));
		expect(await codeOf(other.transcribe(silence(1), whisperClip))).toBe('closed');
	});

	/** Each edit of a good file makes one that whisper.cpp would trust to its end. */
	const bad: readonly [name: string, edit: string][] = [
		['is empty', 'bytes = Buffer.alloc(0)'],
		['is text', "bytes = Buffer.from('{}')"],
		['has another magic', 'bytes.writeUInt32LE(0x46554747, 0)'],
		['ends in its header', 'bytes = bytes.subarray(0, 30)'],
		['ends in its vocabulary', 'bytes = bytes.subarray(0, 70_000)'],
		['ends in its weights', 'bytes = bytes.subarray(0, bytes.length - 5)'],
		['ends between two weights', 'bytes = bytes.subarray(0, bytes.length >> 1)'],
		['goes on after its weights', 'bytes = Buffer.concat([bytes, Buffer.alloc(40, 7)])'],
		['has a huge vocabulary', 'bytes.writeInt32LE(0x7fffffff, 4)'],
		['has a negative size', 'bytes.writeInt32LE(-1, 12)'],
		['has no heads', 'bytes.writeInt32LE(0, 16)'],
		['has a million layers', 'bytes.writeInt32LE(1_000_000, 20)'],
		['has 200 mel bands', 'bytes.writeInt32LE(200, 40)'],
		['is of an unknown type', 'bytes.writeInt32LE(99, 44)'],
		['has endless filters', 'bytes.writeInt32LE(0x7fffffff, 52)'],
		['has endless tokens', 'bytes.writeInt32LE(0x7fffffff, 56 + 4 * 80 * 201)'],
		['has an endless token', 'bytes.writeInt32LE(-1, 60 + 4 * 80 * 201)'],
		['has a tensor of 99 dimensions', 'bytes.writeInt32LE(99, tensor)'],
		['has a nameless tensor', 'bytes.writeInt32LE(0, tensor + 4)'],
		['has a tensor of an unknown type', 'bytes.writeInt32LE(77, tensor + 8)'],
		['has a tensor of negative size', 'bytes.writeInt32LE(-5, tensor + 12)'],
		['has an unknown tensor', "bytes[bytes.indexOf('encoder.ln_post.weight')] = 88"],
	];

	test('a bad model file is refused, never followed', async () => {
		const { code, signal, stdout } = await inChild(
			`const fs = require('node:fs');
			const folder = fs.mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'earshot-model-'));
			const file = folder + '/model.bin';
			const good = fs.readFileSync(values[0]);
			const first = good.indexOf('encoder.positional_embedding');
			try {
				for (const [name, edit] of values[1]) {
					let bytes = Buffer.from(good);
					const tensor = first - 20;
					eval(edit);
					fs.writeFileSync(file, bytes);
					await addon.loadWhisper({ path: file, slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] }).then(
						() => console.log(name + ': loaded'),
						(error) => { if (error.code !== 'model_load_failed') console.log(name + ': ' + error.code); },
					);
				}
				for (const path of [folder, file + '.none', '/dev/zero']) {
					await addon.loadWhisper({ path, slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] }).then(
						() => console.log(path + ': loaded'),
						(error) => { if (error.code !== 'model_load_failed') console.log(path + ': ' + error.code); },
					);
				}
			} finally {
				fs.rmSync(folder, { recursive: true });
			}`,
			tonesModel,
			bad,
		);
		expect({ code, signal, stdout }).toEqual({ code: 0, signal: null, stdout: '' });
	});
});

describe('the machine', () => {
	test('has a processor, and instructions that the build uses', () => {
		const devices = addon.devices();
		expect(devices.filter(({ kind }) => kind === 'cpu')).toHaveLength(1);
		expect(devices[0]?.memoryBytes).toBeGreaterThan(0);
		expect(addon.cpuFeatures()).toContain('LLAMAFILE');
	});

	test('reports the versions of its parts', () => {
		const versions = addon.versions();
		expect(versions).toMatchObject({ whisper: '1.9.1', ggml: '0.15.1', sherpaExpected: '1.13.8' });
		expect(versions.avformat).toMatch(/^\d+\.\d+\.\d+$/);
		expect(addon.sherpaVersion(libraryDir)).toMatchObject({ version: '1.13.8', onnxruntime: '1.28.2' });
	});

	test("the engines' lines go to the sink, and nowhere after null", async () => {
		const lines: string[] = [];
		addon.setLogSink((level, line) => lines.push(`${level} ${line}`));
		await (await loadWhisper(1)).close();
		await pause(50);
		expect(lines.some((line) => line.startsWith('info whisper_model_load'))).toBe(true);
		addon.setLogSink(null);
		const count = lines.length;
		await (await loadWhisper(1)).close();
		await pause(50);
		expect(lines).toHaveLength(count);
	});
});

describe('a process ends', () => {
	const load = `await addon.loadWhisper({ path: values[0], slots: 2, maxThreads: 2, useGpu: false, gpuDevice: 0, alignmentHeads: [] })`;

	test('by itself, with a model open and a log sink set, and nothing printed', async () => {
		const { code, stdout, stderr } = await inChild(
			`addon.setLogSink(() => {});
			const model = ${load};
			await model.transcribe(new Float32Array(16_000), values[1]);`,
			tonesModel,
			whisperClip,
		);
		expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
	});

	test('by process.exit() while clips run, soon', async () => {
		const started = performance.now();
		const { code, signal, stderr } = await inChild(
			`const model = ${load};
			for (const clip of [1, 2]) {
				model.transcribe(new Float32Array(16_000 * 120).map((_, i) => Math.sin(i / 5)), { ...values[1], clip, threads: 2 });
			}
			setTimeout(() => process.exit(7), 300);`,
			tonesModel,
			whisperClip,
		);
		expect({ code, signal, stderr }).toEqual({ code: 7, signal: null, stderr: '' });
		expect(performance.now() - started).toBeLessThan(10_000);
	});

	test('by an error while clips run, with that error', async () => {
		const { code, stderr } = await inChild(
			`const model = await addon.loadSherpa(values[0]);
			model.transcribe(new Float32Array(16_000 * 3), values[1]);
			setTimeout(() => { throw new Error('on purpose'); }, 100);`,
			{ ...plainSherpa, slots: 1, config: sherpaConfig(modelFixture('slow')) },
			sherpaClip,
		);
		expect(code).toBe(1);
		expect(stderr).toContain('on purpose');
	});

	test('after worker threads that used the addon were terminated in the middle', async () => {
		const { code, signal, stdout } = await inChild(
			`const body = \`
				const { workerData, parentPort } = require('node:worker_threads');
				const addon = require('node-gyp-build')(workerData.root);
				addon.setLogSink(() => {});
				addon.loadWhisper({ path: workerData.path, slots: 1, maxThreads: 2, useGpu: false, gpuDevice: 0, alignmentHeads: [] }).then((model) => {
					model.transcribe(new Float32Array(16_000 * 20), workerData.clip);
					for (let i = 0; i < 20; i++) addon.openAudio(Buffer.alloc(100_000, i), { maxSeconds: 10 }).open().catch(() => {});
					parentPort.postMessage('running');
				});\`;
			for (let round = 0; round < 2; round++) {
				const worker = new Worker(body, { eval: true, workerData: { root: values[0], path: values[1], clip: values[2] } });
				await new Promise((resolve) => worker.once('message', resolve));
				await worker.terminate();
			}
			const model = await addon.loadWhisper({ path: values[1], slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] });
			const raw = await model.transcribe(new Float32Array(16_000), values[2]);
			console.log('then', raw.segments.length);`,
			process.cwd(),
			tonesModel,
			{ ...whisperClip, temperatureIncrement: 0 },
		);
		expect({ code, signal, stdout }).toEqual({ code: 0, signal: null, stdout: 'then 0' });
	}, 60_000);
});
