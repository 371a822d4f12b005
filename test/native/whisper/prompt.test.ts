/** What Whisper is told before a clip: computed once for all tries that begin with it, and read where it belongs. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type * as Binding from '../../../binding.js';
import { encodeWhisper } from '../../helpers/files/ggml.js';
import { generated, samplesOf } from '../../helpers/fixtures.js';
import { usualLoad } from '../../helpers/whisper-defaults.mjs';
import { addon, type EncoderKind, encoderOf, exactEncoders, tonesModel, whisperClip } from '../addon.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-prompt-'));
const open: Binding.WhisperModel[] = [];
afterAll(async () => {
	await Promise.all(open.map((model) => model.close()));
	rmSync(folder, { recursive: true });
});

async function load(file: string, kind: EncoderKind = 'ggml'): Promise<Binding.WhisperModel> {
	const model = await addon.loadWhisper({ ...usualLoad, path: file, ...(await encoderOf(kind, file)) });
	open.push(model);
	return model;
}

/** Fails every check at every temperature, at the same token each time. */
const stuck = path.join(generated, 'whisper', 'stuck-for-good.bin');
/** A second of sound, for one window. */
const clip = new Float32Array(16_000).map((_, at) => 0.3 * Math.sin(at / 3) * Math.sin(at / 5));
const temperatures = [0, 0.2, 0.4, 0.6, 0.8, 1];
/** `<|startoftranscript|>`, the language, the task. */
const task = 3;
const ladder = { temperatureIncrement: 0.2 };

type Options = Partial<Binding.WhisperClipOptions>;
const say = (model: Binding.WhisperModel, options: Options, samples: Float32Array = clip) =>
	model.transcribe(samples, { ...whisperClip, ...options });

/** Tokens computed when each temperature is tried by itself. */
async function computedApart(model: Binding.WhisperModel, options: Options): Promise<number[]> {
	const computed: number[] = [];
	for (const temperature of temperatures)
		computed.push((await say(model, { ...options, temperature })).decodedTokens);
	return computed;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('a prompt', () => {
	test('is computed once for all temperatures', async () => {
		const model = await load(stuck);
		const apart = sum(await computedApart(model, {}));
		expect((await say(model, ladder)).decodedTokens).toBe(apart - (temperatures.length - 1) * task);
	});

	test('is computed once with the text before the clip, and once without, where that is dropped', async () => {
		const model = await load(stuck);
		const prompt = 'as it was said before';
		// The model has a token for each letter, and one comes before them.
		const whole = 1 + prompt.length + task;
		const apart = sum(await computedApart(model, { prompt }));
		expect((await say(model, { ...ladder, prompt })).decodedTokens).toBe(apart - 2 * whole - 2 * task);
	});

	test.each(exactEncoders)('is computed anew for each window: %s', async (kind) => {
		const model = await load(stuck, kind);
		const minute = samplesOf('tones-minute');
		const [first, again] = [await say(model, ladder, minute), await say(model, ladder, minute)];
		expect(first).toEqual(again);
		const windows = 3;
		expect(again.decodedTokens).toBe(windows * (await say(model, ladder)).decodedTokens);
	});

	test.each<[string, Options]>([
		['after a language was detected', { language: '', temperatureIncrement: 1 }],
		[
			'with text before the clip and times of tokens',
			{ prompt: 'alpha bravo', temperatureIncrement: 0.45, tokenTimestamps: true },
		],
	])(
		'leads to the same whatever ran before: %s',
		async (_, options) => {
			const model = await load(tonesModel);
			// None of the words it knows, so that it is sure of nothing.
			const suppress = Array.from({ length: 200 }, (_, at) => 200 + at);
			const unsure = { ...options, suppress, audioContext: 256 };
			const first = await say(model, unsure);
			// A state whose cache is larger than this clip needs, and full of another one.
			await say(model, { beamSize: 8 }, samplesOf('tones-minute'));
			expect(await say(model, unsure)).toEqual(first);
			// Its first decode is not what it ended with.
			expect(first.segments[5]).toBeGreaterThan(0);
		},
		60_000,
	);
});

describe('the probability of no speech', () => {
	test('is the same whatever ran before, for an English-only model with a prompt', async () => {
		const file = path.join(folder, 'english.bin');
		writeFileSync(file, Buffer.concat([...englishWhisper()]));
		const model = await load(file);
		const noSpeech = async () => (await say(model, { prompt: 'ab' })).segments[4];
		const first = await noSpeech();
		expect(first).toBeGreaterThan(0);
		await say(model, { temperature: 0.7 });
		expect(await noSpeech()).toBe(first);
	});
});

/** Says whatever its random numbers make it say. */
function englishWhisper(): Iterable<Uint8Array> {
	let state = 7;
	const random = () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 0x80000000 - 1;
	};
	const shape = { vocabulary: 51_864, mels: 80, state: 32, heads: 2, audioLayers: 1, textLayers: 1 };
	const bytes = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte));
	return encodeWhisper({ ...shape, type: 'f16' }, bytes, (name, count) => {
		if (/ln(_post)?\.weight$/.test(name)) return new Float32Array(count).fill(1);
		const isRandom = /^decoder\.(token|positional)_embedding/.test(name);
		return Float32Array.from({ length: count }, () => (isRandom ? random() : 0));
	});
}
