/** Live streams of one model are decoded together, and none knows of the others. */

import { describe, expect, it } from 'vitest';
import type { PartialResult, RawResult, SpeechStream, StreamingModel } from '../../binding.js';
import { familyOf, isSherpaType } from '../../src/models/types/types.js';
import { manifest, modelFixture, samplesOf } from '../helpers/fixtures.js';
import { addon, libraryDir, sherpaConfig, textOf } from './addon.js';

function load(name: string, batch: number, more = {}): Promise<StreamingModel> {
	const config = { ...sherpaConfig(modelFixture(name)), ...more };
	return addon.loadStreaming({ libraryDir, slots: 2, config, tailSeconds: 1.3, batch });
}

const plain = { stream: {}, hotwords: '' };
const silence = (seconds: number) => new Float32Array(seconds * 16_000);
const joined = (...pieces: Float32Array[]) => Float32Array.from(pieces.flatMap((piece) => [...piece]));

/** Told apart to the last bit: NaN is what it is. */
function seen({ ended, result, endpoint }: PartialResult): object {
	const all = [...ended, result].map((raw) => ({
		text: textOf(raw),
		times: [...raw.tokenTimes],
		segments: [...raw.segments],
	}));
	return { all, endpoint };
}

/** Every result, one after another, of blocks of that many samples. */
async function feedAll(stream: SpeechStream, samples: Float32Array, block: number): Promise<object[]> {
	const results: object[] = [];
	for (let at = 0; at < samples.length; at += block) {
		const isLast = at + block >= samples.length;
		results.push(seen(await stream.feed(samples.subarray(at, at + block), isLast)));
	}
	await stream.close();
	return results;
}

/** What is said, with pauses that end utterances, and in how large blocks it comes. */
const speakers = [
	{ said: ['tones-abc', 'tones-edcba'], block: 1024 },
	{ said: ['tones-deadbead'], block: 1600 },
	{ said: ['silence', 'tones-e'], block: 5000 },
	{ said: ['tones-abcde'], block: 320 },
	{ said: ['tones-edcba', 'tones-a'], block: 16_000 },
	{ said: ['tones-e'], block: 777 },
	{ said: ['silence'], block: 1024 },
	{ said: ['tones-abcde', 'tones-abc', 'tones-deadbead'], block: 100_000 },
	{ said: ['tones-deadbead'], block: 1_000_000 },
	{ said: ['tones-abc'], block: 1024 },
].map(({ said, block }) => ({
	samples: joined(...said.flatMap((name) => [samplesOf(name), silence(3)])),
	block,
}));

const streaming = manifest.models.filter(({ type }) => isStreamingType(type));

function isStreamingType(type: string): boolean {
	return isSherpaType(type) && familyOf(type).chunk !== undefined;
}

describe.each(streaming.map(({ name }) => name))('%s', (name) => {
	it('gives every stream, step by step, the text that it gives it alone', async () => {
		const alone = await load(name, 1);
		const expected: object[][] = [];
		for (const { samples, block } of speakers)
			expected.push(await feedAll(alone.stream(plain), samples, block));
		await alone.close();
		const model = await load(name, name === 'streaming_alone' ? 1 : 8);
		const results = speakers.map(({ samples, block }) => feedAll(model.stream(plain), samples, block));
		expect(await Promise.all(results)).toEqual(expected);
		await model.close();
	}, 60_000);

	it('gives a stream after a long pause the text that it gives it alone', async () => {
		const model = await load(name, name === 'streaming_alone' ? 1 : 8);
		const samples = joined(samplesOf('tones-edcba'), silence(6), samplesOf('tones-a'), silence(2));
		const alone = await feedAll(model.stream(plain), samples, samples.length);
		const chatter = joined(...Array.from({ length: 24 }, () => samplesOf('tones-deadbead')));
		const others = Array.from({ length: 3 }, () => feedAll(model.stream(plain), chatter, chatter.length));
		expect(await feedAll(model.stream(plain), samples, samples.length)).toEqual(alone);
		await Promise.all(others);
		await model.close();
	}, 60_000);

	it('needs no silence that the stream ends with already', async () => {
		const model = await load(name, 1);
		const textWith = async (samples: Float32Array, silentSeconds?: number) => {
			const stream = model.stream(plain);
			const { ended, result } = await stream.feed(samples, true, silentSeconds);
			await stream.close();
			// Enough silence ends the utterance before the stream does.
			return [...ended, result].map(textOf).join('');
		};
		const samples = samplesOf('tones-abc');
		const text = await textWith(samples);
		for (const seconds of [0.5, 1.3, 2])
			expect(await textWith(joined(samples, silence(seconds)), seconds)).toBe(text);
		await model.close();
	});

	it('goes on for the others when some leave in the middle', async () => {
		const model = await load(name, name === 'streaming_alone' ? 1 : 4);
		const samples = joined(samplesOf('tones-abc'), silence(3), samplesOf('tones-deadbead'));
		const streams = Array.from({ length: 9 }, () => model.stream(plain));
		const results = streams.map((stream) => feedAll(stream, samples, 4000).catch((error: unknown) => error));
		await Promise.all(streams.filter((_, at) => [2, 5, 8].includes(at)).map((stream) => stream.close()));
		const [first, ...rest] = await Promise.all(results);
		expect(Array.isArray(first)).toBe(true);
		for (const [index, each] of rest.entries()) {
			if ([2, 5, 8].includes(index + 1)) expect(each).toMatchObject({ code: expect.stringMatching(/^c/) });
			else expect(each).toEqual(first);
		}
		await model.close();
	}, 60_000);
});

it.each(['greedy_search', 'modified_beam_search'])(
	'a transducer with %s emits no token in a long silence',
	async (decoding_method) => {
		const model = await load('streaming_transducer', 1, { decoding_method });
		for (const seconds of [6, 30]) {
			const samples = joined(silence(seconds), samplesOf('tones-abc'), silence(4));
			for (const block of [1024, samples.length]) {
				const stream = model.stream(plain);
				const utterances: RawResult[] = [];
				for (let at = 0; at < samples.length; at += block) {
					const isLast = at + block >= samples.length;
					const { ended, result, endpoint } = await stream.feed(samples.subarray(at, at + block), isLast);
					utterances.push(...ended, ...(endpoint ? [result] : []));
				}
				await stream.close();
				expect(utterances.map(textOf).join('')).toBe('a b c');
			}
		}
		await model.close();
	},
);

it('a cancelled call returns, however much work others have', async () => {
	const model = await load('streaming_zipformer_ctc', 2);
	const long = Array.from({ length: 6 }, () => model.stream(plain));
	const feeding = long.map((stream) => stream.feed(silence(600), true).catch((error: unknown) => error));
	const last = model.stream(plain);
	const waiting = last.feed(samplesOf('tones-abc'), true).catch((error: unknown) => error);
	await last.close();
	expect(await waiting).toMatchObject({ code: 'cancelled' });
	await Promise.all(long.map((stream) => stream.close()));
	for (const each of await Promise.all(feeding)) expect(each).toMatchObject({ code: 'cancelled' });
	await model.close();
}, 60_000);

it('a short stream does not wait for the end of long ones', async () => {
	const model = await load('streaming_zipformer_ctc', 2);
	const ended: string[] = [];
	const long = Array.from({ length: 6 }, () => model.stream(plain));
	const feeding = long.map(async (stream) => {
		await stream.feed(silence(120), true);
		ended.push('long');
	});
	const short = model.stream(plain);
	const { result } = await short.feed(samplesOf('tones-abc'), true);
	ended.push('short');
	await Promise.all(feeding);
	expect(textOf(result)).toBe(modelFixture('streaming_zipformer_ctc').expectedTexts['tones-abc']);
	expect(ended[0]).toBe('short');
	await Promise.all([...long, short].map((stream) => stream.close()));
	await model.close();
}, 60_000);

it('one whose hotwords cannot be encoded fails alone', async () => {
	const name = 'streaming_transducer';
	const model = await load(name, 8, { decoding_method: 'modified_beam_search' });
	const samples = samplesOf('tones-abc');
	const streams = [plain, { ...plain, hotwords: 'xylophone' }, plain, plain].map((options) =>
		model.stream(options),
	);
	const results = await Promise.allSettled(streams.map((stream) => stream.feed(samples, true)));
	for (const [index, each] of results.entries()) {
		if (index === 1) expect(each).toMatchObject({ reason: { code: 'engine_failed' } });
		else if (each.status === 'fulfilled') expect(textOf(each.value.result)).toBe('a b c');
		else throw each.reason;
	}
	await expect(streams[1]?.feed(samples, true)).rejects.toMatchObject({ code: 'closed' });
	await Promise.all(streams.map((stream) => stream.close()));
	await model.close();
});

it('streams outlive their model', async () => {
	const model = await load('streaming_zipformer_ctc', 8);
	const streams = [model.stream(plain), model.stream(plain)];
	const feeding = streams.map((stream) => stream.feed(samplesOf('tones-abc'), false));
	await model.close();
	await Promise.all(feeding);
	const results = await Promise.all(streams.map((stream) => stream.feed(silence(0), true)));
	expect(results.map(({ result }: { result: RawResult }) => textOf(result))).toEqual(['a b c', 'a b c']);
	await Promise.all(streams.map((stream) => stream.close()));
});

describe('a model that is exported for one stream at a time', () => {
	it('and is handed more, fails once for those that go together, and then decodes one by one', async () => {
		const model = await load('streaming_alone', 8);
		// Long enough that the first is not done when the last comes.
		const samples = joined(samplesOf('tones-abc'), silence(60));
		const heardBy = async () => {
			const streams = Array.from({ length: 8 }, () => model.stream(plain));
			const feeds = streams.map((stream) => stream.feed(samples, true));
			const results = await Promise.allSettled(feeds);
			await Promise.all(streams.map((stream) => stream.close()));
			return results;
		};
		const first = await heardBy();
		const failed = first.filter(({ status }) => status === 'rejected');
		expect(failed.length).toBeGreaterThan(1);
		for (const each of failed) expect(each).toMatchObject({ reason: { code: 'engine_failed' } });
		for (const each of await heardBy()) {
			if (each.status === 'rejected') throw each.reason;
			expect(each.value.endpoint).toBe(true);
		}
		await model.close();
	}, 60_000);
});
