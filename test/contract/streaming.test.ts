/** What streaming models do beside whole clips: results while somebody speaks. */

import { describe, expect, it } from 'vitest';
import {
	isStreaming,
	type PartialResult,
	type RecognizeOptions,
	type SpeechStream,
	type StreamingEngine,
} from '../../src/engines/engine.js';
import { familyOf, isSherpaType } from '../../src/engines/families.js';
import { loadSherpa } from '../../src/engines/sherpa.js';
import { findSherpaLibrary } from '../../src/engines/sherpa-library.js';
import { filesOf, type ModelFixture, manifest, modelFixture, samplesOf } from '../helpers/fixtures.js';

const plain: RecognizeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
};

async function load(
	{ name, type, files, options }: ModelFixture,
	more: ModelFixture['options'] = {},
): Promise<StreamingEngine & AsyncDisposable> {
	if (!isSherpaType(type)) throw new Error(type);
	const engine = await loadSherpa({
		id: name,
		type,
		files: filesOf({ files }),
		options: { ...options, ...more },
		languages: null,
		libraryDir: findSherpaLibrary(undefined),
		lanes: 2,
	});
	if (!isStreaming(engine)) throw new Error(`${type} does not stream`);
	return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.close() });
}

const streaming = manifest.models.filter(
	({ type }) => isSherpaType(type) && familyOf(type).chunk !== undefined,
);
const textOf = ({ result }: PartialResult) => result.segments.map(({ text }) => text.trim()).join(' ');
const silence = (seconds: number) => new Float32Array(seconds * 16_000);

/** What is said from one endpoint to the next, fed in blocks. */
async function utterances(stream: SpeechStream, samples: Float32Array, block = 1600): Promise<string[]> {
	const said: string[] = [];
	for (let at = 0; at < samples.length; at += block) {
		const heard = await stream.feed(samples.subarray(at, at + block), at + block >= samples.length);
		if (heard.endpoint) said.push(textOf(heard));
	}
	await stream.close();
	return said.filter((text) => text !== '');
}

it('is every family that decodes in chunks', () => {
	expect(streaming.map(({ type }) => type).sort()).toEqual([
		'streaming_nemo_ctc',
		'streaming_nemo_transducer',
		'streaming_paraformer',
		'streaming_transducer',
		'streaming_zipformer_ctc',
	]);
});

describe.each(streaming.map((model) => [model.name, model] as const))('%s', (_, model) => {
	it.each([160, 1600, 16_000, 160_000])(
		'hears in blocks of %i samples what it hears in one',
		async (block) => {
			await using engine = await load(model);
			for (const recording of ['tones-abc', 'tones-deadbead', 'silence']) {
				const expected = model.hears[recording];
				const said = await utterances(engine.stream(plain), samplesOf(recording), block);
				expect(said.join(' ')).toBe(expected);
			}
		},
	);

	it('tells what was said so far, while more is said', async () => {
		await using engine = await load(model);
		const stream = engine.stream(plain);
		const samples = samplesOf('tones-deadbead');
		const told = new Set<string>();
		for (let at = 0; at < samples.length; at += 1600) {
			told.add(textOf(await stream.feed(samples.subarray(at, at + 1600), false)));
		}
		told.add(textOf(await stream.feed(silence(0), true)));
		const texts = [...told];
		expect(texts.length).toBeGreaterThan(4);
		for (const [index, text] of texts.entries()) expect(text.startsWith(texts[index - 1] ?? '')).toBe(true);
		expect(texts.at(-1)).toBe(model.hears['tones-deadbead']);
		await stream.close();
	});

	it('ends an utterance where somebody falls silent, and begins the next one anew', async () => {
		await using engine = await load(model);
		const [first, second] = [samplesOf('tones-abc'), samplesOf('tones-edcba')];
		const pause = silence(4);
		const samples = Float32Array.from([...first, ...pause, ...second, ...pause]);
		expect(await utterances(engine.stream(plain), samples)).toEqual([
			model.hears['tones-abc'],
			model.hears['tones-edcba'],
		]);
	});

	it('hears many at once, beside clips, each for itself', async () => {
		await using engine = await load(model);
		const names = ['tones-abc', 'tones-edcba', 'tones-e', 'silence', 'tones-abcde', 'tones-deadbead'];
		const clip = { samples: samplesOf('tones-abc'), start: 0, end: 2 };
		const whole = engine.run({ clips: [clip], options: plain, threads: 1 }, new AbortController().signal);
		const said = await Promise.all(
			names.map(async (name) => (await utterances(engine.stream(plain), samplesOf(name))).join(' ')),
		);
		expect(said).toEqual(names.map((name) => model.hears[name]));
		expect((await whole)[0]?.segments[0]?.text.trim()).toBe(model.hears['tones-abc']);
	});

	it('is closed in the middle, and refuses after that', async () => {
		const engine = await load(model);
		const stream = engine.stream(plain);
		const feeding = stream.feed(silence(600), true).catch((error: unknown) => error);
		await Promise.all([stream.close(), stream.close()]);
		expect(await feeding).toMatchObject({ code: 'cancelled' });
		await expect(stream.feed(silence(1), true)).rejects.toMatchObject({ code: 'closed' });
		await engine.close();
		expect(() => engine.stream(plain)).toThrow(expect.objectContaining({ code: 'closed' }));
	});
});

describe('times of what is heard', () => {
	const recording = manifest.audio.find(({ name }) => name === 'tones-edcba');

	it.each(['streaming_transducer', 'streaming_nemo_transducer', 'streaming_zipformer_ctc'])(
		'are those of the stream, behind an endpoint too: %s',
		async (name) => {
			await using engine = await load(modelFixture(name));
			const stream = engine.stream({ ...plain, words: true });
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

describe('words to listen for', () => {
	const beam = { decoding_method: 'modified_beam_search' };

	it('are taken by a transducer under beam search', async () => {
		await using engine = await load(modelFixture('streaming_transducer'), beam);
		expect(engine.facts.capabilities.keywords).toBe(true);
		const stream = engine.stream({ ...plain, keywords: ['xylophone'] });
		await expect(stream.feed(silence(1), true)).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'keywords',
		});
		await stream.close();
	});
});
