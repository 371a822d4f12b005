/** The same clip has the same result, to the last bit: whatever it is batched with, in any slot, on any number of threads. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type * as Binding from '../../../binding.js';
import { root, samplesOf } from '../../helpers/fixtures.js';
import { usualLoad } from '../../helpers/whisper-defaults.mjs';
import { addon, decodeAudio, textOf, tonesModel, whisperClip } from '../addon.js';

/** The real model where it is there, which has something to be wrong about. */
const real = path.join(root, 'build', 'models', 'whisper-tiny.en', 'ggml-tiny.en.bin');
const isReal = existsSync(real);
const names = isReal
	? ['LJ001-0005', '1688-142285-0001', '367-130732-0004']
	: ['tones-abcde', 'tones-a', 'tones-deadbead'];

/** A kernel of ours for attention and for each type of weights; otherwise ggml's order depends on the threads. */
const hasKernels = ['avx512', 'vnni', 'amx'].includes(addon.kernels());
const kinds: readonly (readonly [string, Partial<Binding.WhisperLoad>])[] = [
	['float', {}],
	...(addon.integerEncoders()
		? ([
				['int16', { encoderBits: 16 }],
				['int8', { encoderBits: 8 }],
				['int16 and q8_0', { encoderBits: 16, quantiseDecoder: true }],
			] as const)
		: []),
];

function seen(raw: Binding.RawResult) {
	const { bytes, tokenIds, tokenTimes, tokenLogprobs, segments } = raw;
	return { text: textOf(raw), arrays: [bytes, tokenIds, tokenTimes, tokenLogprobs, segments] };
}

const clipsOf = () =>
	Promise.all(
		names.map(async (name) =>
			isReal
				? (await decodeAudio(path.join(root, 'fixtures', 'accuracy', `${name}.opus`), { maxSeconds: 60 }))
						.samples
				: samplesOf(name),
		),
	);

describe.runIf(hasKernels)('the same clip', () => {
	test.each(kinds)(
		'has the same result by %s, alone and in company',
		{ timeout: 300_000 },
		async (_, kind) => {
			const model = await addon.loadWhisper({
				...usualLoad,
				path: isReal ? real : tonesModel,
				slots: 2,
				maxThreads: 2,
				...kind,
			});
			const clips = await clipsOf();
			// Without a ladder: what is drawn by chance is the same, too, but long.
			for (const beamSize of [1, 5]) {
				const options = {
					...whisperClip,
					beamSize,
					tokenTimestamps: true,
					suppressNonSpeech: true,
					audioContext: 384,
				};
				const alone: ReturnType<typeof seen>[] = [];
				for (const clip of clips) alone.push(seen(await model.transcribe(clip, options)));
				expect(new Set(alone.map(({ text }) => text)).size).toBe(clips.length);
				// ggml's own encoder adds in another order on more threads.
				if ('encoderBits' in kind) {
					for (const [at, clip] of clips.entries()) {
						expect(seen(await model.transcribe(clip, { ...options, threads: 2 }))).toEqual(alone[at]);
					}
				}
				for (const [slot, order] of [
					[0, 1, 2, 1],
					[2, 0],
				].entries()) {
					const batch = order.map((at) => clips[at] ?? new Float32Array());
					const made = await Promise.all(model.transcribeBatch(batch, { ...options, slot: slot % 2 }));
					expect(made.map(seen)).toEqual(order.map((at) => alone[at]));
				}
			}
			await model.close();
		},
	);
});
