import { describe, expect, test } from 'vitest';
import { EarshotError } from '../../../../src/core/errors.js';
import type { LiveEvent } from '../../../../src/core/live/live.js';
import { type ListenEvent, LiveListening } from '../../../../src/library/listen.js';
import { listenOptions } from '../../../../src/library/listen-options.js';
import { FakeTranscriber, info } from '../../../helpers/fakes.js';

const second = new Uint8Array(32_000);
const died = new EarshotError('engine_failed', 'the process ended');

function arranged() {
	const model = new FakeTranscriber();
	const listening = new LiveListening(model, listenOptions({}, model.info), () => {});
	return { model, listening, stream: (index = 0) => model.streams[index]! };
}

async function all(events: AsyncIterable<ListenEvent>): Promise<ListenEvent[]> {
	const found: ListenEvent[] = [];
	for await (const event of events) found.push(event);
	return found;
}

const completed = (turn: number, text: string): LiveEvent => ({
	type: 'completed',
	turn,
	text,
	language: 'en',
	seconds: 1,
	revised: false,
});

describe('the events of live audio in a program', () => {
	test('is turns with their text, in seconds of the audio, and ends after the last', async () => {
		const { listening, stream } = arranged();
		void listening.write(second);
		const { emit } = stream();
		emit({ type: 'started', turn: 0, atMs: 250 });
		emit({ type: 'delta', turn: 0, text: 'one' });
		emit({ type: 'stopped', turn: 0, atMs: 750 });
		emit({ type: 'committed', turn: 0, seconds: 0.5 });
		listening.end();
		expect(stream().commands.at(-1)).toEqual({ type: 'end' });
		emit(completed(0, 'one'));
		emit({ type: 'ended' });
		expect(await all(listening)).toEqual([
			{ type: 'started', turn: 0, at: 0.25 },
			{ type: 'delta', turn: 0, text: 'one' },
			{ type: 'stopped', turn: 0, at: 0.75 },
			{ type: 'completed', turn: 0, text: 'one', language: 'en', seconds: 1 },
		]);
	});

	test('goes on in another stream where the process of the model has died', async () => {
		const { model, listening, stream } = arranged();
		void listening.write(second);
		stream().emit({ type: 'processed', atMs: 1000 });
		stream().emit({ type: 'started', turn: 0, atMs: 500 });
		stream().emit({ type: 'lost', error: died });
		void listening.write(second);
		expect(model.streams.length).toBe(2);
		stream(1).emit({ type: 'started', turn: 0, atMs: 500 });
		stream(1).emit(completed(0, 'two'));
		listening.end();
		stream(1).emit({ type: 'ended' });
		expect(await all(listening)).toMatchObject([
			{ type: 'started', turn: 0, at: 0.5 },
			{ type: 'failed', turn: 0, error: died },
			{ type: 'started', turn: 1, at: 1.5 },
			{ type: 'completed', turn: 1, text: 'two' },
		]);
	});

	test('is an error without a running process', async () => {
		const { listening, stream } = arranged();
		for (const index of [0, 1]) {
			void listening.write(second);
			stream(index).emit({ type: 'lost', error: died });
		}
		await expect(all(listening)).rejects.toBe(died);
		await expect(listening.write(second)).rejects.toMatchObject({ code: 'closed' });
	});

	test('is nothing where no audio was written', async () => {
		const { model, listening } = arranged();
		listening.end();
		expect(await all(listening)).toEqual([]);
		expect(model.streams).toEqual([]);
	});
});

test('a writer waits while the model is five seconds behind', async () => {
	const { listening, stream } = arranged();
	for (let index = 0; index < 5; index++) await listening.write(second);
	let isWanted = false;
	const writing = listening.write(second).then(() => (isWanted = true));
	stream().emit({ type: 'processed', atMs: 500 });
	await Promise.resolve();
	expect(isWanted).toBe(false);
	stream().emit({ type: 'processed', atMs: 1000 });
	await writing;
});

test('leaving the loop closes the stream', async () => {
	const { listening, stream } = arranged();
	void listening.write(second);
	stream().emit({ type: 'started', turn: 0, atMs: 0 });
	for await (const _ of listening) break;
	expect(stream().isClosed).toBe(true);
	await expect(listening.write(second)).rejects.toMatchObject({ code: 'closed' });
});

test('what is no audio is refused', async () => {
	const { listening } = arranged();
	await expect(listening.write([1, 2] as unknown as Uint8Array)).rejects.toMatchObject({ param: 'pcm' });
});

test.each([
	[{ sampleRate: 16_001 }, 'sampleRate'],
	[{ sampleRate: 7975 }, 'sampleRate'],
	[{ encoding: 'pcmu', sampleRate: 16_000 }, 'sampleRate'],
	[{ encoding: 'opus' }, 'encoding'],
	[{ turns: { threshold: 0 } }, 'threshold'],
	[{ turns: { silenceDurationMs: 50 } }, 'silenceDurationMs'],
	[{ turns: { silence: 1 } }, 'silence'],
	[{ turns: 'no' }, 'turns'],
	[{ partials: 1 }, 'partials'],
	[{ words: true }, 'words'],
])('options that are refused: %j', (options, param) => {
	expect(() => listenOptions(options as object, info())).toThrow(
		expect.objectContaining({ code: 'invalid_request', param }),
	);
});

test('what is not said has the usual defaults', () => {
	expect(listenOptions({}, info())).toMatchObject({
		format: { encoding: 'pcm16', rate: 16_000 },
		turns: { threshold: 0.5, prefixPaddingMs: 300, silenceDurationMs: 500 },
		partials: false,
	});
	expect(listenOptions({ encoding: 'pcmu', turns: null }, info())).toMatchObject({
		format: { encoding: 'pcmu', rate: 8000 },
		turns: null,
	});
});
