/** What every engine does, whichever library is behind it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clip, ClipResult } from '../../src/core/speech/clip.js';
import type { Capabilities } from '../../src/core/speech/model-info.js';
import type { Batch, Engine } from '../../src/engines/engine.js';
import { audioFixture, samplesOf } from '../helpers/fixtures.js';
import { plainRecognition } from '../helpers/options.js';
import { runBatch } from '../helpers/run-batch.js';

export interface EngineSubject {
	readonly name: string;
	readonly load: () => Promise<Engine>;
	/** Recording → text; missing recordings are not tried. */
	readonly expectedTexts: Readonly<Record<string, string>>;
	/** Whether words come with times. */
	readonly times: boolean;
	/** Words are off by at most this, seconds. */
	readonly timeTolerance: number;
	/** Capabilities that are known before it is loaded; null = none. */
	readonly declared: () => Capabilities | null;
}

/** Recordings that are one clip, 16 kHz mono. */
const recordings = [
	'tones-abc',
	'tones-abcde',
	'tones-edcba',
	'tones-a',
	'tones-deadbead',
	'silence',
] as const;

function clipOf(name: string): Clip {
	const samples = samplesOf(name);
	return { samples, start: 0, end: samples.length / 16_000 };
}

const textIn = ({ segments }: ClipResult) =>
	segments
		.map(({ text }) => text)
		.join('')
		.trim();

export function engineContract({
	name,
	load,
	expectedTexts,
	times,
	timeTolerance,
	declared,
}: EngineSubject): void {
	describe(`the engine of ${name}`, () => {
		let engine: Engine;
		beforeAll(async () => {
			engine = await load();
		});
		afterAll(() => engine.close());

		const run = (
			clips: readonly Clip[],
			changes: Partial<Batch['options']> = {},
			signal = new AbortController().signal,
		) => runBatch(engine, { clips, options: { ...plainRecognition, ...changes }, threads: 1 }, signal);
		const textOf = async (clips: readonly Clip[]) => (await run(clips)).map(textIn);

		it('has the capabilities that were declared before it was loaded', () => {
			const before = declared();
			if (before === null) return;
			const { languages, translates, ...can } = engine.info.capabilities;
			expect(before).toMatchObject(can);
			// Unknown before, if only the file says so.
			if (before.languages) expect([...before.languages].sort()).toEqual([...(languages ?? [])].sort());
			if (before.languages) expect(before.translates).toBe(translates);
		});

		for (const recording of recordings) {
			const expected = expectedTexts[recording];
			if (expected === undefined) continue;
			it(`transcribes ${recording} as "${expected}"`, async () => {
				expect(await textOf([clipOf(recording)])).toEqual([expected]);
			});
		}

		it('gives the same for clips run together, in their order, as for each alone', async () => {
			const names = ['tones-abcde', 'tones-a', 'tones-abc'].slice(0, engine.limits.maxBatchClips);
			const alone = [];
			for (const each of names) alone.push(...(await textOf([clipOf(each)])));
			expect(await textOf(names.map(clipOf))).toEqual(alone);
			expect(await textOf([...names].reverse().map(clipOf))).toEqual(alone.reverse());
		});

		it('ends the clip of a batch that is cancelled, and gives of the others what they are alone', async () => {
			const names = ['tones-abcde', 'tones-a', 'tones-abc'].slice(0, engine.limits.maxBatchClips);
			const alone: unknown[] = [];
			for (const each of names) alone.push(...(await run([clipOf(each)])).map(textIn));
			const controls = names.map(() => new AbortController());
			const results = engine.run(
				{ clips: names.map(clipOf), options: plainRecognition, threads: 1 },
				controls.map(({ signal }) => signal),
			);
			controls[0]?.abort();
			const ends = await Promise.allSettled(results);
			expect(ends[0]).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
			const others = ends.slice(1).map((end) => end.status === 'fulfilled' && textIn(end.value));
			expect(others).toEqual(alone.slice(1));
		});

		it('gives the same whatever ran before', async () => {
			const [before] = await textOf([clipOf('tones-abc')]);
			await textOf([clipOf('tones-deadbead')]);
			await textOf([clipOf('silence')]);
			expect(await textOf([clipOf('tones-abc')])).toEqual([before]);
		});

		it('runs as many clips at once as it has slots', async () => {
			const slots = Array.from({ length: engine.limits.slots }, () => textOf([clipOf('tones-abc')]));
			expect(new Set((await Promise.all(slots)).flat()).size).toBe(1);
		});

		it('puts every segment inside the clip', async () => {
			for (const { segments } of await run([clipOf('tones-deadbead')])) {
				for (const { start, end } of segments) {
					expect(start).toBeGreaterThanOrEqual(0);
					expect(end).toBeGreaterThanOrEqual(start);
					expect(end).toBeLessThanOrEqual(audioFixture('tones-deadbead').seconds);
				}
			}
		});

		it(
			times ? 'gives the times of words where they were spoken' : 'refuses words where it has no times',
			async () => {
				const result = run([clipOf('tones-abc')], { words: true });
				if (!times) {
					await expect(result).rejects.toMatchObject({
						code: 'unsupported_value',
						param: 'timestamp_granularities',
					});
					const optional = await run([clipOf('tones-abc')], { words: true, wordsOptional: true });
					for (const { segments } of optional)
						for (const segment of segments) expect(segment).not.toHaveProperty('words');
					return;
				}
				const words = (await result).flatMap(({ segments }) =>
					segments.flatMap((segment) => segment.words ?? []),
				);
				const { tones } = audioFixture('tones-abc');
				const spoken =
					words.length === tones.length
						? tones
						: [tones[0], tones.at(-1)].filter((tone) => tone !== undefined);
				expect(words[0]?.start).toBeGreaterThan((spoken[0]?.start ?? 0) - timeTolerance);
				expect(words[0]?.start).toBeLessThan((spoken[0]?.start ?? 0) + timeTolerance);
				expect(words.at(-1)?.start).toBeLessThan((spoken.at(-1)?.end ?? 0) + timeTolerance);
				for (const [index, word] of words.entries()) {
					expect(word.end).toBeGreaterThanOrEqual(word.start);
					expect(word.start).toBeGreaterThanOrEqual(words[index - 1]?.start ?? 0);
				}
			},
		);

		it('gives log-probabilities if it declares them, else null', async () => {
			const [result] = await run([clipOf('tones-abc')], { logprobs: engine.info.capabilities.logprobs });
			const [segment] = result?.segments ?? [];
			if (!engine.info.capabilities.logprobs) {
				expect(segment?.avgLogprob).toBeNull();
				return;
			}
			expect(segment?.avgLogprob).toBeLessThanOrEqual(0);
			expect(segment?.logprobs?.length).toBeGreaterThan(0);
			for (const { logprob } of segment?.logprobs ?? []) expect(logprob).toBeLessThanOrEqual(0.001);
		});

		it('refuses a clip that was cancelled before it began', async () => {
			await expect(run([clipOf('tones-abc')], {}, AbortSignal.abort())).rejects.toMatchObject({
				code: 'cancelled',
			});
		});

		it('accepts a clip of one sample', async () => {
			const [result] = await run([
				{
					samples: new Float32Array(Math.max(1, engine.limits.minClipSeconds * 16_000)),
					start: 0,
					end: 0.0001,
				},
			]);
			expect(result?.segments).toEqual([]);
		});

		it('can be closed twice, and refuses clips afterwards', async () => {
			const other = await load();
			const batch = { clips: [clipOf('tones-abc')], options: plainRecognition, threads: 1 };
			const running = runBatch(other, batch);
			running.catch(() => {});
			await other.close();
			await other.close();
			await Promise.allSettled([running]);
			await expect(runBatch(other, batch)).rejects.toMatchObject({ code: 'closed' });
		});
	});
}
