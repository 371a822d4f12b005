/** Clips that whisper.cpp decodes together, beside the same clips alone. */

import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type * as Binding from '../../binding.js';
import { generated, samplesOf } from '../helpers/fixtures.js';
import { addon, loadWhisper, textOf, tonesModel, whisperClip } from './addon.js';

const open: Binding.WhisperModel[] = [];
afterAll(() => Promise.all(open.map((model) => model.close())));

async function load(file = tonesModel): Promise<Binding.WhisperModel> {
	const model = await loadWhisper(1, file);
	open.push(model);
	return model;
}
const script = (name: string) => path.join(generated, 'whisper', `${name}.bin`);

/** Of different lengths, and so done at different times. */
const names = ['tones-abcde', 'tones-a', 'tones-deadbead', 'silence', 'tones-edcba', 'tones-abc'];

/** What a caller sees, with room for rounding: the order of a sum is another one. */
function seen(raw: Binding.RawResult) {
	return {
		text: textOf(raw),
		tokens: [...raw.tokenIds],
		times: [...raw.tokenTimes],
		segments: [...raw.segments].map((number) => Math.round(number * 100) / 100),
		logprobs: [...raw.tokenLogprobs].map((number) => Math.round(number * 100) / 100),
	};
}

describe('a batch of clips', () => {
	test('says what they say alone, on a state that heard something else before', async () => {
		const model = await load();
		expect(model.info.clipsTogether).toBe(4);
		const options = { ...whisperClip, tokenTimestamps: true, temperatureIncrement: 0.2 };
		const clips = names.map(samplesOf);
		const alone: ReturnType<typeof seen>[] = [];
		for (const clip of clips) alone.push(seen(await model.transcribe(clip, options)));
		expect(new Set(alone.map(({ text }) => text)).size).toBe(names.length);
		for (const order of [clips.keys(), [5, 4, 3, 2, 1, 0], [2, 2, 0]].map((each) => [...each])) {
			const batch = order.map((at) => clips[at] ?? new Float32Array());
			const together = await model.transcribeBatch(batch, options);
			expect(together.map(seen)).toEqual(order.map((at) => alone[at]));
		}
	});

	test('hears each with a context of its own', async () => {
		const model = await load();
		const clips = ['tones-abcde', 'tones-a'].map(samplesOf);
		const audioContexts = [512, 64];
		const alone: ReturnType<typeof seen>[] = [];
		for (const [at, clip] of clips.entries()) {
			alone.push(
				seen(await model.transcribe(clip, { ...whisperClip, audioContext: audioContexts[at] ?? 0 })),
			);
		}
		const together = await model.transcribeBatch(clips, { ...whisperClip, audioContexts });
		expect(together.map(seen)).toEqual(alone);
		await expect(
			model.transcribeBatch(clips, { ...whisperClip, audioContexts: [512] }),
		).rejects.toMatchObject({ code: 'engine_failed', message: /as many audio contexts as clips/ });
	});

	test('is not kept from its end by one that fails its checks', async () => {
		const model = await load(script('stuck'));
		const clip = new Float32Array(4 * 16_000).fill(0.1);
		const options = { ...whisperClip, firstTryOnly: true };
		const failed = await model.transcribe(clip, options);
		expect(failed.failed).toBe(true);
		const made = await model.transcribeBatch([clip, new Float32Array(), clip], options);
		expect(made.map((raw) => raw.failed)).toEqual([true, false, true]);
	});

	test('ends as a whole when it is cancelled, and its lane hears the next one', async () => {
		const model = await load();
		const clips = Array.from({ length: 4 }, () => samplesOf('tones-minute'));
		const running = model.transcribeBatch(clips, { ...whisperClip, clip: 7 });
		model.cancel(7);
		await expect(running).rejects.toMatchObject({ code: 'cancelled' });
		const [after] = await model.transcribeBatch([samplesOf('tones-abc')], whisperClip);
		expect(after && textOf(after)).toBe('alpha bravo charlie');
	});

	test('is not disturbed by a heap that is trimmed meanwhile', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a', 'tones-abcde'].map(samplesOf);
		const running = model.transcribeBatch(clips, whisperClip);
		for (let time = 0; time < 20; time++) addon.trimHeap();
		expect((await running).map(textOf).slice(0, 2)).toEqual(['alpha bravo charlie', 'alpha']);
	});

	test('says the same in the background', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a'].map(samplesOf);
		for (const background of [true, false, true]) {
			const made = await model.transcribeBatch(clips, { ...whisperClip, background });
			expect(made.map(textOf)).toEqual(['alpha bravo charlie', 'alpha']);
		}
	});

	test('comes one after the other where decoding together brings nothing', async () => {
		const model = await load();
		const clips = ['tones-abc', 'tones-a'].map(samplesOf);
		for (const how of [{ threads: 2 }, { beamSize: 2 }, { prompt: 'delta' }]) {
			const made = await model.transcribeBatch(clips, { ...whisperClip, ...how });
			expect(made.map(textOf)).toEqual(['alpha bravo charlie', 'alpha']);
		}
	});
});
