/** Clips that whisper.cpp decodes together, beside the same clips alone. */

import { afterAll, describe, expect, test } from 'vitest';
import type * as Binding from '../../../binding.js';
import { root, samplesOf } from '../../helpers/fixtures.js';
import { usualLoad } from '../../helpers/whisper-defaults.mjs';
import { addon, inChild, loadWhisper, textOf, tonesModel, whisperClip } from '../addon.js';

/** Whether clips are decoded in step: one after the other they are right as well, but the endless one keeps the rest. */
const inStep = addon.kernels() !== 'none';
const open: Binding.WhisperModel[] = [];
afterAll(() => Promise.all(open.map((model) => model.close())));

async function load(file = tonesModel): Promise<Binding.WhisperModel> {
	const model = await loadWhisper(1, file);
	open.push(model);
	return model;
}
/** All clips of a batch, of which none may fail. */
function together(
	model: Binding.WhisperModel,
	clips: readonly Float32Array[],
	options: Binding.WhisperClipOptions,
) {
	return Promise.all(model.transcribeBatch(clips, options));
}

const codeOf = (work: Promise<unknown>) =>
	work.then(
		() => 'fulfilled',
		(error: { code?: string }) => error.code,
	);

function repeated(samples: Float32Array, times: number): Float32Array {
	const all = new Float32Array(samples.length * times);
	for (let time = 0; time < times; time++) all.set(samples, time * samples.length);
	return all;
}

/** Of different lengths, and so done at different times. */
const names = ['tones-abcde', 'tones-a', 'tones-deadbead', 'silence', 'tones-edcba', 'tones-abc'];

/** What a caller sees, to the last bit. */
function seen(raw: Binding.RawResult) {
	return {
		text: textOf(raw),
		tokens: [...raw.tokenIds],
		times: [...raw.tokenTimes],
		segments: [...raw.segments],
		logprobs: [...raw.tokenLogprobs],
	};
}

describe('a batch of clips', () => {
	test('gives each the same text as alone, on a state that ran something else before', async () => {
		const model = await load();
		expect(model.info.maxBatchedClips).toBe(inStep ? 4 : 1);
		const options = { ...whisperClip, tokenTimestamps: true, temperatureIncrement: 0.2 };
		const clips = names.map(samplesOf);
		const alone: ReturnType<typeof seen>[] = [];
		for (const clip of clips) alone.push(seen(await model.transcribe(clip, options)));
		expect(new Set(alone.map(({ text }) => text)).size).toBe(names.length);
		for (const order of [clips.keys(), [5, 4, 3, 2, 1, 0], [2, 2, 0]].map((each) => [...each])) {
			const batch = order.map((at) => clips[at] ?? new Float32Array());
			const made = await together(model, batch, options);
			expect(made.map(seen)).toEqual(order.map((at) => alone[at]));
		}
	});

	test('uses each clip’s own audio context', async () => {
		const model = await load();
		const clips = ['tones-abcde', 'tones-a'].map(samplesOf);
		const audioContexts = [512, 64];
		const alone: ReturnType<typeof seen>[] = [];
		for (const [at, clip] of clips.entries()) {
			alone.push(
				seen(await model.transcribe(clip, { ...whisperClip, audioContext: audioContexts[at] ?? 0 })),
			);
		}
		const made = await together(model, clips, { ...whisperClip, audioContexts });
		expect(made.map(seen)).toEqual(alone);
		await expect(together(model, clips, { ...whisperClip, audioContexts: [512] })).rejects.toMatchObject({
			code: 'engine_failed',
			message: /as many audio contexts as clips/,
		});
	});

	test('uses each clip’s own beam size', async () => {
		const model = await load();
		const clips = ['tones-abcde', 'tones-a'].map(samplesOf);
		const beamSizes = [1, 5];
		const alone: ReturnType<typeof seen>[] = [];
		for (const [at, clip] of clips.entries()) {
			alone.push(seen(await model.transcribe(clip, { ...whisperClip, beamSize: beamSizes[at] ?? 0 })));
		}
		const made = await together(model, clips, { ...whisperClip, beamSizes });
		expect(made.map(seen)).toEqual(alone);
		await expect(together(model, clips, { ...whisperClip, beamSizes: [5] })).rejects.toMatchObject({
			code: 'engine_failed',
			message: /as many beam sizes as clips/,
		});
	});

	test('is joined by clips of its slot that come later, and all say what they say alone', async () => {
		const model = await load();
		const options = { ...whisperClip, tokenTimestamps: true, temperatureIncrement: 0.2 };
		const alone: ReturnType<typeof seen>[] = [];
		for (const name of names) alone.push(seen(await model.transcribe(samplesOf(name), options)));
		const made: Promise<Binding.RawResult>[] = [];
		const running = new Set<Promise<unknown>>();
		for (const [clip, name] of names.entries()) {
			if (running.size === model.info.maxBatchedClips) await Promise.race(running);
			const transcribing = model.transcribe(samplesOf(name), { ...options, clip, slot: 0 });
			made.push(transcribing);
			running.add(transcribing);
			void transcribing.finally(() => running.delete(transcribing));
			for (let turn = 0; turn < 5 * clip; turn++) await new Promise((resolve) => setImmediate(resolve));
		}
		expect((await Promise.all(made)).map(seen)).toEqual(alone);
	});

	test.runIf(inStep)('gives the places of clips that are done to others, though it goes on', async () => {
		const model = await load();
		const [endless, ...short] = model.transcribeBatch(
			[repeated(samplesOf('tones-minute'), 8), ...['tones-a', 'tones-abc', 'tones-a'].map(samplesOf)],
			{ ...whisperClip, clip: 1 },
		);
		await Promise.all(short);
		for (const clip of [2, 3]) {
			const others = [samplesOf('tones-a'), samplesOf('tones-abc'), samplesOf('tones-a')];
			const said = others.map((samples, at) =>
				model.transcribe(samples, { ...whisperClip, clip: 10 * clip + at }).then(textOf),
			);
			expect(await Promise.all(said)).toEqual(['alpha', 'alpha bravo charlie', 'alpha']);
		}
		model.cancel(1);
		expect(await codeOf(Promise.resolve(endless))).toBe('cancelled');
	});

	test.each([
		[-1, 'invalid_argument'],
		[1, 'engine_failed'],
	])('on a slot that there is not is refused: %i', async (slot, code) => {
		const model = await load();
		expect(await codeOf(model.transcribe(samplesOf('tones-a'), { ...whisperClip, slot }))).toBe(code);
	});

	test('ends as a whole when it is cancelled, and its slot is free for the next one', async () => {
		const model = await load();
		const clips = Array.from({ length: 4 }, () => samplesOf('tones-minute'));
		const running = model.transcribeBatch(clips, { ...whisperClip, clip: 7 });
		model.cancel(7);
		expect(await Promise.all(running.map(codeOf))).toEqual(clips.map(() => 'cancelled'));
		const [after] = await together(model, [samplesOf('tones-abc')], whisperClip);
		expect(after && textOf(after)).toBe('alpha bravo charlie');
	});

	test.runIf(inStep)(
		'reports each clip when it is done, and cancels one while the others go on',
		async () => {
			const model = await load();
			const alone = seen(await model.transcribe(samplesOf('tones-deadbead'), whisperClip));
			const [endless, other, short] = model.transcribeBatch(
				[repeated(samplesOf('tones-minute'), 8), samplesOf('tones-deadbead'), samplesOf('tones-a')],
				{ ...whisperClip, clip: 7 },
			);
			const ended = endless && codeOf(endless);
			expect(await short?.then(textOf)).toBe('alpha');
			model.cancel(7, 0);
			expect(await ended).toBe('cancelled');
			expect(await other?.then(seen)).toEqual(alone);
		},
	);

	test('is not disturbed by one that is cancelled at whatever moment', async () => {
		const model = await load();
		const clips = ['tones-deadbead', 'tones-abcde', 'tones-edcba'].map(samplesOf);
		const options = { ...whisperClip, audioContext: 512 };
		const alone: unknown[] = [];
		for (const clip of clips) alone.push(seen(await model.transcribe(clip, options)));
		for (let round = 0; round < 9; round++) {
			const gone = round % clips.length;
			const running = model.transcribeBatch(clips, { ...options, clip: round });
			const ends = Promise.allSettled(running);
			for (let turn = 0; turn < round * round; turn++) await new Promise(setImmediate);
			model.cancel(round, gone);
			const said = (await ends).map((end) => (end.status === 'fulfilled' ? seen(end.value) : undefined));
			expect(said.filter((_, at) => at !== gone)).toEqual(alone.filter((_, at) => at !== gone));
		}
	});

	test('that is not batched loses only the clip that is cancelled', async () => {
		const model = await load();
		const clips = ['tones-minute', 'tones-abc', 'tones-a'].map(samplesOf);
		for (const how of [{ threads: 2 }, { prompt: 'delta' }]) {
			const running = model.transcribeBatch(clips, { ...whisperClip, ...how, clip: 7 });
			model.cancel(7, 0);
			const said = running.map((each) => each.then(textOf, (error: { code: string }) => error.code));
			expect(await Promise.all(said)).toEqual(['cancelled', 'alpha bravo charlie', 'alpha']);
		}
	});

	test.runIf(inStep)('lets its worker and its process end in the middle', async () => {
		const { code, signal, stdout } = await inChild(
			`const start = async () => {
				const model = await addon.loadWhisper(values[0]);
				const clips = [new Float32Array(values[2]), new Float32Array(values[3])];
				const [endless, short] = model.transcribeBatch(clips, values[1]);
				endless.catch(() => {});
				return short;
			};
			const body = "const addon = require('node-gyp-build')(" + JSON.stringify(values[4]) + ");" +
				"const values = " + JSON.stringify(values) + ";" +
				"(" + start + ")().then(() => require('node:worker_threads').parentPort.postMessage('short'));";
			const worker = new Worker(body, { eval: true });
			await new Promise((resolve) => worker.once('message', resolve));
			console.log('terminated', await worker.terminate());
			await start();
			process.exit(7);`,
			{ ...usualLoad, path: tonesModel },
			whisperClip,
			16_000 * 60,
			16_000,
			root,
		);
		expect({ code, signal, stdout }).toEqual({ code: 7, signal: null, stdout: 'terminated 1' });
	});

	test('is not disturbed by a heap that is trimmed meanwhile', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a', 'tones-abcde'].map(samplesOf);
		const running = together(model, clips, whisperClip);
		for (let time = 0; time < 20; time++) addon.trimHeap();
		expect((await running).map(textOf).slice(0, 2)).toEqual(['alpha bravo charlie', 'alpha']);
	});

	test('says the same in the background', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a'].map(samplesOf);
		for (const background of [true, false, true]) {
			const made = await together(model, clips, { ...whisperClip, background });
			expect(made.map(textOf)).toEqual(['alpha bravo charlie', 'alpha']);
		}
	});

	test('comes one after the other where decoding together brings nothing', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a'].map(samplesOf);
		for (const how of [{ threads: 2 }, { prompt: 'delta' }]) {
			const made = await together(model, clips, { ...whisperClip, ...how });
			expect(made.map(textOf)).toEqual(['alpha bravo charlie', 'alpha']);
		}
	});
});
