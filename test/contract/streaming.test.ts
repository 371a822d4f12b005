/** What streaming models do beside whole clips: results during speech. */

import { describe, expect, it } from 'vitest';
import {
	isStreaming,
	type PartialResult,
	type SpeechStream,
	type StreamingEngine,
} from '../../src/engines/engine.js';
import { familyOf, isSherpaType } from '../../src/models/types/types.js';
import { type ModelFixture, manifest, modelFixture, samplesOf } from '../helpers/fixtures.js';
import { plainRecognition } from '../helpers/options.js';
import { runBatch } from '../helpers/run-batch.js';
import { disposable, loadFixture } from './load-fixture.js';

async function load(
	model: ModelFixture,
	more?: ModelFixture['options'],
): Promise<StreamingEngine & AsyncDisposable> {
	const engine = await loadFixture(model, more, 2);
	if (!isStreaming(engine)) throw new Error(`${model.type} does not stream`);
	return disposable(engine);
}

const streaming = manifest.models.filter(
	({ type }) => isSherpaType(type) && familyOf(type).chunk !== undefined,
);
const textOf = ({ result }: Pick<PartialResult, 'result'>) =>
	result.segments.map(({ text }) => text.trim()).join(' ');
const silence = (seconds: number) => new Float32Array(seconds * 16_000);

/** What is said from one endpoint to the next, fed in blocks. */
async function utterances(stream: SpeechStream, samples: Float32Array, block = 1600): Promise<string[]> {
	const said: string[] = [];
	for (let at = 0; at < samples.length; at += block) {
		const partial = await stream.feed(samples.subarray(at, at + block), at + block >= samples.length);
		said.push(...(partial.ended ?? []).map((result) => textOf({ result })));
		if (partial.endpoint) said.push(textOf(partial));
	}
	await stream.close();
	return said.filter((text) => text !== '');
}

it('is every family that decodes in chunks', () => {
	expect([...new Set(streaming.map(({ type }) => type))].sort()).toEqual([
		'streaming_nemo_ctc',
		'streaming_nemo_transducer',
		'streaming_paraformer',
		'streaming_transducer',
		'streaming_zipformer_ctc',
	]);
});

describe.each(streaming.map((model) => [model.name, model] as const))('%s', (_, model) => {
	it.each([160, 1600, 16_000, 160_000])(
		'gives the same text in blocks of %i samples as in one',
		async (block) => {
			await using engine = await load(model);
			for (const recording of ['tones-abc', 'tones-deadbead', 'silence']) {
				const expected = model.expectedTexts[recording];
				const said = await utterances(engine.stream(plainRecognition), samplesOf(recording), block);
				expect(said.join(' ')).toBe(expected);
			}
		},
	);

	it('gives partial results', async () => {
		await using engine = await load(model);
		const stream = engine.stream(plainRecognition);
		const samples = samplesOf('tones-deadbead');
		const partials = new Set<string>();
		for (let at = 0; at < samples.length; at += 1600) {
			partials.add(textOf(await stream.feed(samples.subarray(at, at + 1600), false)));
		}
		partials.add(textOf(await stream.feed(silence(0), true)));
		const texts = [...partials];
		expect(texts.length).toBeGreaterThan(4);
		for (const [index, text] of texts.entries()) expect(text.startsWith(texts[index - 1] ?? '')).toBe(true);
		expect(texts.at(-1)).toBe(model.expectedTexts['tones-deadbead']);
		await stream.close();
	});

	// As many seconds at once as a client sends them when its connection was slow.
	it.each([160, 1600, 48_000, 1e9])(
		'ends an utterance at silence, and starts the next one empty, in blocks of %i samples',
		async (block) => {
			await using engine = await load(model);
			const [first, second] = [samplesOf('tones-abc'), samplesOf('tones-edcba')];
			const pause = silence(4);
			const samples = Float32Array.from([...first, ...pause, ...second, ...pause]);
			expect(await utterances(engine.stream(plainRecognition), samples, block)).toEqual([
				model.expectedTexts['tones-abc'],
				model.expectedTexts['tones-edcba'],
			]);
		},
	);

	it('does not end an utterance where nobody pauses for a minute', async () => {
		await using engine = await load(model);
		// Without the silence at its start and end.
		const once = samplesOf('tones-deadbead').subarray(0.5 * 16_000, 4.5 * 16_000);
		const samples = new Float32Array(60 * 16_000);
		for (let at = 0; at < samples.length; at += once.length)
			samples.set(once.subarray(0, samples.length - at), at);
		const clip = { samples, start: 0, end: 60 };
		const [whole] = await runBatch(engine, { clips: [clip], options: plainRecognition, threads: 1 });
		const said = await utterances(engine.stream(plainRecognition), samples, 16_000);
		expect(said).toEqual([textOf({ result: whole! })]);
	});

	it('transcribes many in parallel with clips, each independently', async () => {
		await using engine = await load(model);
		const names = ['tones-abc', 'tones-edcba', 'tones-e', 'silence', 'tones-abcde', 'tones-deadbead'];
		const clip = { samples: samplesOf('tones-abc'), start: 0, end: 2 };
		const whole = runBatch(engine, { clips: [clip], options: plainRecognition, threads: 1 });
		const said = await Promise.all(
			names.map(async (name) =>
				(await utterances(engine.stream(plainRecognition), samplesOf(name))).join(' '),
			),
		);
		expect(said).toEqual(names.map((name) => model.expectedTexts[name]));
		expect((await whole)[0]?.segments[0]?.text.trim()).toBe(model.expectedTexts['tones-abc']);
	});

	it('is closed in the middle, and refuses after that', async () => {
		const engine = await load(model);
		const stream = engine.stream(plainRecognition);
		const feeding = stream.feed(silence(600), true).catch((error: unknown) => error);
		await Promise.all([stream.close(), stream.close()]);
		expect(await feeding).toMatchObject({ code: 'cancelled' });
		await expect(stream.feed(silence(1), true)).rejects.toMatchObject({ code: 'closed' });
		await engine.close();
		expect(() => engine.stream(plainRecognition)).toThrow(expect.objectContaining({ code: 'closed' }));
	});

	it('opens no stream once its model is closing', async () => {
		const engine = await load(model);
		const closing = engine.close();
		expect(() => engine.stream(plainRecognition)).toThrow(expect.objectContaining({ code: 'closed' }));
		await closing;
	});
});

describe('times of live streams', () => {
	const recording = manifest.audio.find(({ name }) => name === 'tones-edcba');

	it.each(['streaming_transducer', 'streaming_nemo_transducer', 'streaming_zipformer_ctc'])(
		'are those of the stream, behind an endpoint too: %s',
		async (name) => {
			await using engine = await load(modelFixture(name));
			const stream = engine.stream({ ...plainRecognition, words: true });
			const before = Float32Array.from([...samplesOf('tones-abc'), ...silence(4)]);
			for (let at = 0; at < before.length; at += 1600) {
				await stream.feed(before.subarray(at, at + 1600), false);
			}
			const { result } = await stream.feed(samplesOf('tones-edcba'), true);
			const words = result.segments[0]?.words ?? [];
			expect(words).toHaveLength(5);
			for (const [index, { start }] of words.entries()) {
				const spoken = before.length / 16_000 + (recording?.tones[index]?.start ?? 0);
				expect(Math.abs(start - spoken)).toBeLessThan(0.2);
			}
			await stream.close();
		},
	);
});

describe('a language', () => {
	it('is chosen for one stream and one clip, whatever the others speak, and else detected', async () => {
		await using engine = await load(modelFixture('streaming_nemotron'));
		expect(engine.info.capabilities).toMatchObject({
			languages: ['en', 'de', 'en-us', 'de-de'],
			choosesLanguage: true,
			detectsLanguage: true,
		});
		const asked = ['de', null, 'de-de', 'en', 'de', 'en-us'];
		const [german, english] = ['b c d', 'a b c'];
		const expected = asked.map((language) => (language?.startsWith('de') === true ? german : english));
		const samples = samplesOf('tones-abc');
		const said = asked.map((language) =>
			utterances(engine.stream({ ...plainRecognition, language }), samples),
		);
		expect((await Promise.all(said)).flat()).toEqual(expected);
		const clips = [{ samples, start: 0, end: samples.length / 16_000 }];
		// As many as it has slots.
		const results = asked.slice(0, 2).map(async (language) => {
			const batch = { clips: [...clips, ...clips], options: { ...plainRecognition, language }, threads: 1 };
			return (await runBatch(engine, batch)).map((result) => [
				result.language,
				result.segments[0]?.text.trim(),
			]);
		});
		expect(await Promise.all(results)).toEqual(
			asked.slice(0, 2).map((language, index) => [
				[language, expected[index]],
				[language, expected[index]],
			]),
		);
	});

	it('is refused by a model of one language', async () => {
		await using engine = await load(modelFixture('streaming_nemo_transducer'));
		expect(engine.info.capabilities).toMatchObject({
			languages: null,
			choosesLanguage: false,
			detectsLanguage: false,
		});
	});
});

describe('words to listen for', () => {
	const beam = { decoding_method: 'modified_beam_search' };

	it('are taken by a transducer under beam search', async () => {
		await using engine = await load(modelFixture('streaming_transducer'), beam);
		expect(engine.info.capabilities.keywords).toBe(true);
		const stream = engine.stream({ ...plainRecognition, keywords: ['xylophone'] });
		await expect(stream.feed(silence(1), true)).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'keywords',
		});
		await stream.close();
	});
});
