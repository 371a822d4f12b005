/** Where speech is: Silero by itself beside sherpa-onnx's detector, and what both must do. */

import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type * as Binding from '../../binding.js';
import { runtimeFile } from '../../src/addon/libraries.js';
import { createVad } from '../../src/audio/vad.js';
import { OnnxGraph } from '../../src/model-files/onnx-graph.js';
import { audioPath, generated, loudnessDetector, root, samplesOf } from '../helpers/fixtures.js';
import { Scratch } from '../helpers/net/real-server.js';
import {
	addon,
	decodeAudio,
	detect,
	digits,
	libraryDir,
	sherpaDetector,
	silero,
	sileroNetwork,
} from './addon.js';

type Detector = Binding.VoiceActivityLoad['detector'];

const tenDetector = path.join(generated, 'vad', 'ten.onnx');
const scripted = path.join(generated, 'vad', 'scripted.onnx');
const ten: Detector = { libraryDir, path: tenDetector, ten: true, overlap: 0 };
const loudness = sherpaDetector(loudnessDetector);

const rule = { threshold: 0.5, minSilenceSeconds: 0.25, minSpeechSeconds: 0.1, maxSpeechSeconds: 20 };
type Rule = typeof rule;
const load = (detector: Detector, changes: Partial<Rule> = {}) =>
	addon.loadVoiceActivity({ detector, ...rule, ...changes });

const silence = (seconds: number) => new Float32Array(seconds * 16_000);
const codeOf = (promise: Promise<unknown>) =>
	promise.then(
		() => 'fulfilled',
		(error: Binding.NativeError) => error.code,
	);

/** The spans of a recording pushed in pieces. */
async function detectIn(activity: Binding.VoiceActivity, samples: Float32Array, pieces: readonly number[]) {
	const session = activity.openSession();
	const spans: number[] = [];
	for (let at = 0, piece = 0; at <= samples.length; piece++) {
		const length = pieces[piece % pieces.length] ?? samples.length;
		const last = at + length >= samples.length;
		spans.push(...(await session.push(samples.subarray(at, at + length), last)).spans);
		if (last) break;
		at += length;
	}
	await session.close();
	return spans;
}

/** The same on every run. */
function randomNumbers(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

describe('Silero by itself', () => {
	const recordings = ['digits-count.wav', 'digits-pause.wav', 'digits-telephone.wav'].map((name) =>
		path.join(root, 'fixtures', 'demo-digits', name),
	);

	test('finds the spans that sherpa-onnx’s detector finds with it, to the sample', async () => {
		const network = await sileroNetwork();
		const recorded = await Promise.all(recordings.map((file) => decodeAudio(file, { maxSeconds: 60 })));
		let spans = 0;
		for (const threshold of [0.05, 0.3, 0.5, 0.7]) {
			for (const minSilenceSeconds of [0.1, 1]) {
				const own = await load(network, { threshold, minSilenceSeconds });
				const theirs = await load(sherpaDetector(silero), { threshold, minSilenceSeconds });
				for (const { samples } of recorded) {
					const expected = await detect(theirs, samples);
					expect(await detect(own, samples)).toEqual(expected);
					spans += expected.length / 2;
				}
				own.close();
				theirs.close();
			}
		}
		expect(spans).toBeGreaterThan(24);
	});

	test('finds the same whatever the length of the recording', async () => {
		const [own, theirs] = [await load(await sileroNetwork()), await load(sherpaDetector(silero))];
		const { samples } = await decodeAudio(digits, { maxSeconds: 60 });
		for (const length of [0, 1, 511, 512, 513, 575, 576, 577, 1024, 1025, 1087, 1088, 1089, 17_000, 33_333]) {
			const from = 30_000;
			const piece = samples.subarray(from, from + length);
			expect([length, await detect(own, piece)]).toEqual([length, await detect(theirs, piece)]);
		}
		own.close();
		theirs.close();
	});

	test('keeps to sherpa-onnx’s rule whatever the network says, in pieces of any length', async () => {
		const graph = new OnnxGraph();
		const windows = graph.node('Reshape', [graph.input('frames', [null, 256]), graph.integers(-1, 1024)]);
		const first = graph.node('Slice', [windows, graph.integers(0), graph.integers(1), graph.integers(1)]);
		graph.output('chances', [null, 1], first);
		graph.output('next_h', [1, 1, 128], graph.input('h', [1, 1, 128]));
		graph.output('next_c', [1, 1, 128], graph.input('c', [1, 1, 128]));
		const library = runtimeFile(libraryDir);
		const network = await addon.loadSpeechNetwork({ library, graph: graph.encode(), folder: generated });

		const random = randomNumbers(7);
		const among = <T>(list: readonly [T, ...T[]]): T => list[Math.floor(random() * list.length)] ?? list[0];
		let spans = 0;
		for (let round = 0; round < 60; round++) {
			const threshold = Math.fround(among([0.05, 0.15, 0.16, 0.3, 0.5, 0.7, 0.9, random() * 0.9 + 0.05]));
			const changes = {
				threshold,
				minSilenceSeconds: among([0.001, 0.1, 0.2, 0.5, 1, 3, random()]),
				minSpeechSeconds: among([0.01, 0.1, 0.25, 0.5]),
				maxSpeechSeconds: among([1, 5, 20, 600]),
			};
			// What the rule compares with, and its neighbours.
			const edges = [threshold, Math.fround(threshold - Math.fround(0.15)), 0.9, 0.75, 0.01, 0, 1] as const;
			const samples = new Float32Array(Math.floor(random() * 20 * 16_000));
			let [mood, left] = [0, 0];
			for (let at = 0; at < samples.length; at += 512) {
				if (left-- <= 0) [mood, left] = [among([0, 1, 2, 3]), random() * random() * 100];
				const moods = [random() * 0.1, 0.9 + random() * 0.1, threshold - 0.2 + random() * 0.4, random()];
				samples[at] = random() < 0.1 ? among(edges) : (moods[mood] ?? 0);
			}
			const [own, theirs] = [await load(network, changes), await load(sherpaDetector(scripted), changes)];
			const expected = await detect(theirs, samples);
			const pieces = among([[samples.length + 1], [16_000, 333], [512], [4_800, 1], [575, 577]]);
			expect([changes, await detectIn(own, samples, pieces)]).toEqual([changes, [...expected]]);
			spans += expected.length / 2;
			own.close();
			theirs.close();
		}
		expect(spans).toBeGreaterThan(60);
	});

	test('is one network for any number of settings and searches', async () => {
		const network = await sileroNetwork();
		const { samples } = await decodeAudio(digits, { maxSeconds: 60 });
		const [strict, usual] = [await load(network, { threshold: 0.9 }), await load(network)];
		const alone = [await detect(strict, samples), await detect(usual, samples)];
		strict.close();
		const together = await Promise.all(Array.from({ length: 6 }, () => detect(usual, samples)));
		for (const spans of together) expect(spans).toEqual(alone[1]);
		expect(alone[0]).not.toEqual(alone[1]);
		usual.close();
	});

	test('is refused where the library, the graph or the file with the weights is not one', async () => {
		const library = runtimeFile(libraryDir);
		const folder = path.dirname(silero);
		const graph = new Uint8Array([1, 2, 3]);
		const refusal = (changes: Partial<Binding.SpeechNetworkLoad>) =>
			codeOf(addon.loadSpeechNetwork({ library, graph, folder, ...changes }));
		expect(await refusal({ library: `${library}.none` })).toBe('engine_missing');
		expect(await refusal({})).toBe('model_load_failed');
		using scratch = new Scratch();
		const file = path.join(scratch.path, path.basename(silero));
		copyFileSync(silero, file);
		await expect(sileroNetwork(file)).resolves.toBeDefined();
		const truncated = new OnnxGraph();
		const place = {
			location: path.basename(silero),
			offset: readFileSync(silero).length - 100,
			length: 1024,
		};
		truncated.output('chances', [256], truncated.external('float', [256], place));
		expect(await refusal({ graph: truncated.encode(), folder: scratch.path })).toBe('model_load_failed');
	});

	test('needs of the libraries ONNX Runtime alone', async () => {
		using scratch = new Scratch();
		symlinkSync(runtimeFile(libraryDir), runtimeFile(scratch.path));
		const finder = createVad({ libraryDir: scratch.path, modelPath: silero });
		const session = await finder.open({ threshold: 0.5, prefixPaddingMs: 0, silenceDurationMs: 200 });
		const { samples } = await decodeAudio(digits, { maxSeconds: 60 });
		expect((await session.push(samples, true)).spans).toHaveLength(2);
		await session.close();
		await finder.close();
	});

	test('is left to sherpa-onnx where ONNX Runtime has no file of its own', async () => {
		using scratch = new Scratch();
		const folder = path.join(scratch.path, 'sherpa');
		mkdirSync(folder);
		const name = path.basename(runtimeFile(libraryDir)).replace('onnxruntime', 'sherpa-onnx-c-api');
		symlinkSync(path.join(libraryDir, name), path.join(folder, name));
		const finder = createVad({ libraryDir: folder, modelPath: silero });
		const session = await finder.open({ threshold: 0.5, prefixPaddingMs: 0, silenceDurationMs: 200 });
		const { samples } = await decodeAudio(digits, { maxSeconds: 60 });
		expect((await session.push(samples, true)).spans).toHaveLength(2);
		await session.close();
		await finder.close();
	});
});

describe('voice activity', () => {
	const networks: Record<string, () => Detector | Promise<Detector>> = {
		'Silero by itself': () => sileroNetwork(),
		'Silero in sherpa-onnx': () => sherpaDetector(silero),
		'a network like Silero': () => loudness,
		'a network like TEN': () => ten,
	};
	const loadNamed = async (name: string) => load((await networks[name]?.()) ?? loudness);

	test.each(['Silero by itself', 'Silero in sherpa-onnx'])('%s finds no speech in silence', async (name) => {
		const activity = await loadNamed(name);
		expect(await detect(activity, silence(10))).toHaveLength(0);
		expect(await detect(activity, new Float32Array(0))).toHaveLength(0);
		expect(await detect(activity, new Float32Array(100))).toHaveLength(0);
		activity.close();
	});

	test('spans are in order, apart, inside the recording, and the same in parallel', async () => {
		const activity = await load(loudness);
		const samples = samplesOf('tones-long-pauses');
		const spans = await detect(activity, samples);
		expect(spans).toHaveLength(10);
		expect([...spans].every((at, i) => at > (spans[i - 1] ?? -1) && at <= samples.length)).toBe(true);
		const parallel = await Promise.all(Array.from({ length: 6 }, () => detect(activity, samples)));
		for (const other of parallel) expect(other).toEqual(spans);
		activity.close();
	});

	test('a detector is as new for its next recording', async () => {
		const activity = await load(loudness);
		const alone = await detect(activity, samplesOf('tones-abc'));
		await detect(activity, samplesOf('tones-minute'));
		expect(await detect(activity, samplesOf('tones-abc'))).toEqual(alone);
		activity.close();
	});

	describe.each([
		['Silero by itself', readFileSync(digits)],
		['Silero in sherpa-onnx', readFileSync(digits)],
		['a network like Silero', readFileSync(audioPath('tones-long-pauses'))],
		['a network like TEN', readFileSync(audioPath('tones-long-pauses'))],
	])('%s finds in pieces what it finds in one go', (name, recording) => {
		test.each([160_000, 16_000, 5_000, 512, 333])('of %i samples', async (length) => {
			const { samples } = await decodeAudio(recording, { maxSeconds: 60 });
			const activity = await loadNamed(name);
			const whole = await detect(activity, samples);
			expect(whole.length).toBeGreaterThan(2);
			const session = activity.openSession();
			const spans: number[] = [];
			let before = { open: -1, settled: 0 };
			for (let at = 0; at < samples.length; at += length) {
				const found = await session.push(samples.subarray(at, at + length), at + length >= samples.length);
				const [start = found.open, end = found.settled] = found.spans;
				// Whoever cuts a recording while it comes in relies on these.
				if (before.open >= 0) {
					expect(start).toBe(before.open);
					expect(end).toBeGreaterThanOrEqual(before.settled);
				} else if (start >= 0) {
					expect(start).toBeGreaterThanOrEqual(before.settled);
				}
				spans.push(...found.spans);
				before = found;
			}
			expect(spans).toEqual([...whole]);
			expect(before).toMatchObject({ open: -1, settled: samples.length });
			await session.close();
			activity.close();
		});
	});

	test('gives the start of speech before it ends', async () => {
		const activity = await load(loudness);
		const samples = samplesOf('tones-long-pauses');
		const [start = 0, end = 0] = await detect(activity, samples);
		const session = activity.openSession();
		const found = await session.push(samples.subarray(0, end - 1600), false);
		expect(found).toMatchObject({ open: start, spans: new Uint32Array(0) });
		expect(found.settled).toBeGreaterThanOrEqual(start);
		expect(found.settled).toBeLessThan(end);
		await session.close();
	});

	test('a session that is given up leaves a detector as new', async () => {
		const activity = await load(loudness);
		const whole = await detect(activity, samplesOf('tones-abc'));
		const session = activity.openSession();
		await session.push(samplesOf('tones-minute').subarray(0, 20_000), false);
		await session.close();
		expect(await detect(activity, samplesOf('tones-abc'))).toEqual(whole);
	});

	test.each(Object.keys(networks))(
		'%s refuses after close, and a session is closed while it runs',
		async (name) => {
			const activity = await loadNamed(name);
			const session = activity.openSession();
			const running = codeOf(session.push(silence(600), true));
			await Promise.all([session.close(), session.close()]);
			expect(await running).toBe('cancelled');
			expect(await codeOf(session.push(silence(1), true))).toBe('closed');
			const open = activity.openSession();
			activity.close();
			activity.close();
			expect((await open.push(silence(1), true)).settled).toBe(16_000);
			expect(await codeOf(detect(activity, silence(1)))).toBe('closed');
		},
	);

	test('refuses a model that is not there', async () => {
		expect(await codeOf(load(sherpaDetector(`${silero}.none`)))).toBe('model_load_failed');
	});
});

describe.each([
	['Silero', silero],
	['another network', loudnessDetector],
])('the bounds of OpenAI’s server_vad with %s', (_, modelPath) => {
	const spansAt = async (samples: Float32Array, threshold: number, silenceDurationMs = 200) => {
		const finder = createVad({ libraryDir, modelPath });
		const search = await finder.open({ threshold, prefixPaddingMs: 0, silenceDurationMs });
		const { spans } = await search.push(samples, true);
		await search.close();
		await finder.close();
		return spans;
	};

	test('at a threshold of 0 everything is speech, silence too', async () => {
		expect(await spansAt(silence(3), 0)).toEqual([{ start: 0, end: 3 }]);
	});

	test('a threshold of 1 or hardly above 0, and a silence of 0, are no mistakes', async () => {
		expect(await spansAt(silence(1), 1)).toEqual([]);
		expect(await spansAt(samplesOf('tones-long-pauses'), 0.0001)).toBeInstanceOf(Array);
		expect(await spansAt(samplesOf('tones-long-pauses'), 0.5, 0)).toBeInstanceOf(Array);
	});
});
