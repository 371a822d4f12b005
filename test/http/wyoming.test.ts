import { describe, expect, test } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import { maxWyomingConnections } from '../../src/server/wyoming/wyoming-server.js';
import type { FakeLiveStream } from '../helpers/fakes.js';
import { type Arranged, arrange } from '../helpers/net/server.js';
import { liveClient } from '../helpers/net/socket.js';
import { WyomingClient } from '../helpers/net/wyoming.js';
import { settled } from '../helpers/scripted-engine.js';

const wyoming = { host: '127.0.0.1', port: 0 };

async function open(given: Parameters<typeof arrange>[0] = {}) {
	const server = await arrange({ wyoming, ...given });
	return { server, client: await WyomingClient.open(server.wyomingPort) };
}

async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await settled();
}

async function streamOf({ model }: Arranged, index = 0): Promise<FakeLiveStream> {
	await until(() => model.streams.length > index);
	return model.streams[index]!;
}

const ends = ({ commands }: FakeLiveStream) => commands.some(({ type }) => type === 'end');

/** What the model tells of all it heard. */
function emit({ emit: say }: FakeLiveStream, ...words: string[]): void {
	say({ type: 'committed', turn: 0, seconds: 1 });
	for (const text of words) say({ type: 'delta', turn: 0, text });
	say({
		type: 'completed',
		turn: 0,
		text: words.join(''),
		language: 'en',
		seconds: 1,
		revised: false,
	});
	say({ type: 'ended' });
}

const second = Buffer.alloc(32_000);

describe('Wyoming', () => {
	test('describes the service and its models', async () => {
		const { client } = await open();
		client.send('describe');
		const { type, data } = await client.next();
		expect(type).toBe('info');
		expect(data.asr[0].models.map(({ name }: { name: string }) => name)).toEqual(['tiny', 'org/large:q5']);
	});

	test('keeps its clients when the server was stopped for an hour', async () => {
		const { server, client } = await open();
		client.send('ping');
		await client.next();
		server.clock.stall(3_600_000);
		client.send('ping');
		expect((await client.next()).type).toBe('pong');
	});

	test('answers pings', async () => {
		const { client } = await open();
		client.send('ping', { text: 'are you there' });
		client.send('ping');
		expect(await client.next()).toEqual({ type: 'pong', data: { text: 'are you there' } });
		expect(await client.next()).toEqual({ type: 'pong', data: { text: null } });
	});

	test('transcribes during speech, repeatedly on one connection', async () => {
		const { server, client } = await open();
		for (const index of [0, 1]) {
			client.send('transcribe', { language: 'en' });
			client.start();
			client.chunk(second);
			const stream = await streamOf(server, index);
			stream.emit({ type: 'delta', turn: 0, text: 'Turn' });
			expect(await client.next()).toEqual({ type: 'transcript-start', data: { language: 'en' } });
			expect(await client.next()).toEqual({ type: 'transcript-chunk', data: { text: 'Turn' } });
			client.chunk(second);
			client.send('audio-stop', { timestamp: 2000 });
			await until(() => ends(stream));
			expect(stream.bytes).toBe(64_000);
			expect(stream.options).toMatchObject({ format: { encoding: 'pcm16', rate: 16_000 }, turns: null });
			expect(stream.options.recognize).toMatchObject({ language: 'en' });
			emit(stream, ' on the lamp');
			expect(await client.next()).toEqual({ type: 'transcript-chunk', data: { text: ' on the lamp' } });
			expect(await client.next()).toEqual({
				type: 'transcript',
				data: { text: 'Turn on the lamp', language: 'en' },
			});
			expect(await client.next()).toEqual({ type: 'transcript-stop', data: {} });
			expect(server.pool.leased).toBe(0);
		}
	});

	test('answers what was sent ahead of a transcript after it, in order', async () => {
		const { server, client } = await open();
		client.start();
		client.chunk(second);
		client.send('audio-stop');
		client.start(8000);
		client.chunk(second, 8000);
		client.send('audio-stop');
		emit(await streamOf(server), 'one');
		emit(await streamOf(server, 1), 'two');
		await until(() => client.events.filter(({ type }) => type === 'transcript-stop').length === 2);
		const texts = client.events.filter(({ type }) => type === 'transcript').map(({ data }) => data.text);
		expect(texts).toEqual(['one', 'two']);
		expect(server.model.streams[1]!.options.format.rate).toBe(8000);
	});

	test('begins with the first chunk where no start came, and ends with a side that is closed', async () => {
		const { server, client } = await open();
		client.chunk(second);
		client.send('audio-stop');
		client.socket.end();
		emit(await streamOf(server), 'still heard');
		await client.ended;
		expect(client.events.map(({ type }) => type)).toEqual([
			'transcript-start',
			'transcript-chunk',
			'transcript',
			'transcript-stop',
		]);
	});

	test('has an empty transcript of silence, and of nothing', async () => {
		const { server, client } = await open();
		client.send('audio-stop');
		(await streamOf(server)).emit({ type: 'ended' });
		expect(await client.next()).toEqual({ type: 'transcript-start', data: {} });
		expect(await client.next()).toEqual({ type: 'transcript', data: { text: '' } });
	});

	test('passes over events of other services', async () => {
		const { client } = await open();
		client.send('select-program', { name: 'earshot' });
		client.send('voice-started', { timestamp: 1 });
		client.send('ping');
		expect((await client.next()).type).toBe('pong');
	});

	test('waits for a model that loads, and transcribes the audio received meanwhile', async () => {
		const { server, client } = await open();
		let load: () => void = () => {};
		server.pool.onLoad = () => new Promise((resolve) => (load = resolve));
		client.start();
		for (let count = 0; count < 20; count++) client.chunk(second);
		client.send('audio-stop');
		await until(() => server.pool.asked.length === 1);
		load();
		const stream = await streamOf(server);
		await until(() => {
			stream.emit({ type: 'processed', atMs: stream.bytes / 32 });
			return ends(stream);
		});
		expect(stream.bytes).toBe(640_000);
	});

	test('stops reading when the model falls behind', async () => {
		const { server, client } = await open();
		client.start();
		for (let count = 0; count < 300; count++) client.chunk(second);
		const stream = await streamOf(server);
		await until(() => stream.bytes > 160_000);
		for (let count = 0; count < 50; count++) await settled();
		// Five seconds, and what had been read with them.
		expect(stream.bytes).toBeLessThan(160_000 + 2 * 65_536 + 32_000);
		await until(() => {
			stream.emit({ type: 'processed', atMs: stream.bytes / 32 });
			return stream.bytes === 300 * 32_000;
		});
	});

	test('goes on with another stream where the process of the model is replaced', async () => {
		const { server, client } = await open();
		client.start();
		const stream = await streamOf(server);
		stream.emit({ type: 'moved' });
		const next = await streamOf(server, 1);
		client.chunk(second);
		client.send('audio-stop');
		await until(() => ends(next));
		emit(next, 'processed');
		expect((await client.next()).type).toBe('transcript-start');
		expect(server.pool.leased).toBe(0);
	});

	test('lets go of the model when the client leaves', async () => {
		const { server, client } = await open();
		client.start();
		const stream = await streamOf(server);
		client.socket.destroy();
		await until(() => stream.isClosed);
		expect(server.pool.leased).toBe(0);
	});

	test('shares its places with live sessions', async () => {
		const { server, client } = await open({ maxLiveSessions: 1 });
		client.start();
		const stream = await streamOf(server);
		const other = await WyomingClient.open(server.wyomingPort);
		other.start();
		const refused = await other.next();
		expect(refused).toMatchObject({ type: 'error', data: { code: 'overloaded' } });
		await other.ended;
		client.send('audio-stop');
		await until(() => ends(stream));
		emit(stream, 'done');
		await until(() => server.pool.leased === 0);
		const session = liveClient(`${server.url}/v1/realtime`);
		await session.nextOf('session.created');
		client.start();
		await until(() => client.events.at(-1)?.type === 'error');
		expect(client.events.at(-1)!.data.code).toBe('overloaded');
	});

	test('is off by default', async () => {
		const { wyomingPort } = await arrange();
		expect(wyomingPort).toBe(0);
	});
});

describe('Wyoming refuses', () => {
	const start = { rate: 16_000, width: 2, channels: 1 };

	test.each<[string, [type: string, data?: object][], string]>([
		[
			'a rate',
			[['audio-start', { ...start, rate: 7000 }]],
			'Expected `rate` to be a multiple of 25 from 8000 to 96000, got `7000`',
		],
		[
			'a width',
			[['audio-start', { ...start, width: 4 }]],
			'Expected `width` to be 2 (bytes of a sample), got `4`',
		],
		['channels', [['audio-start', { ...start, channels: 2 }]], 'Expected `channels` to be 1, got `2`'],
		['a format that is missing', [['audio-start']], 'Expected `rate`'],
		[
			'another rate on the way',
			[
				['audio-start', start],
				['audio-chunk', { ...start, rate: 8000 }],
			],
			'Expected `rate` to be 16000, as it was before, got `8000`',
		],
		[
			'a second start',
			[
				['audio-start', start],
				['audio-start', start],
			],
			'Expected `audio-start` after `audio-stop`: this audio has not ended',
		],
		[
			'a request too late',
			[['audio-start', start], ['transcribe']],
			'Expected `transcribe` before `audio-start`: this audio has not ended',
		],
		[
			'another program',
			[['select-program', { name: 'piper' }]],
			'Expected `name` to be `earshot`, got `piper`',
		],
		['a name that is none', [['transcribe', { name: 7 }]], 'Expected `name` to be a string, got `7`'],
		['a language that is none', [['transcribe', { language: ['en'] }]], 'Expected `language` to be a string'],
		[
			'names that are none',
			[['transcribe', { transcript_names: 'Ann' }]],
			'Expected `transcript_names` to be a list of strings, got `Ann`',
		],
		[
			'terms that are none',
			[['transcribe', { transcript_terms: [7] }]],
			'Expected `transcript_terms` to be a list of strings',
		],
		[
			'a model that is not there',
			[
				['transcribe', { name: 'gone' }],
				['audio-start', start],
			],
			'The model `gone` is not on this machine',
		],
		[
			'a language that the model does not know',
			[
				['transcribe', { name: 'tiny', language: 'xx-nowhere-at-all-1' }],
				['audio-start', start],
			],
			'language',
		],
		['a text of a ping that is none', [['ping', { text: {} }]], 'Expected `text` to be a string'],
	])('%s, and closes the connection', async (_, events, message) => {
		const { server, client } = await open();
		for (const [type, data] of events) client.send(type, data);
		const { type, data } = await client.next();
		expect(type).toBe('error');
		expect(data.text).toContain(message);
		await client.ended;
		expect(server.pool.leased).toBe(0);
	});

	test('what a browser sends', async () => {
		const { client } = await open();
		client.write('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n{"type":"describe"}\n');
		expect(await client.next()).toMatchObject({ type: 'error', data: { code: 'invalid_request' } });
		await client.ended;
		expect(client.events).toHaveLength(1);
	});

	test('a line without an end', async () => {
		const { client } = await open();
		client.write(`{"type":"${'x'.repeat(20_000)}`);
		expect((await client.next()).data.text).toBe("An event's line is too long: at most 16384 bytes");
		await client.ended;
	});

	test('to wait for a client that sends no event', async () => {
		const { server, client } = await open();
		client.send('ping');
		await client.next();
		client.write('{"type"');
		server.clock.advance(65_000);
		expect(await client.next()).toMatchObject({
			type: 'error',
			data: { code: 'request_timeout', text: 'No event came for 60 seconds' },
		});
		await client.ended;
	});

	test('audio that is longer than a live session may be', async () => {
		const { server, client } = await open({ maxLiveMs: 60_000 });
		client.start();
		const stream = await streamOf(server);
		client.chunk(second);
		await until(() => stream.bytes > 0);
		server.clock.advance(30_000);
		client.chunk(second);
		await until(() => stream.bytes === 64_000);
		server.clock.advance(30_000);
		expect(await client.next()).toMatchObject({
			type: 'error',
			data: { code: 'deadline_exceeded', text: 'The audio is longer than 1 minutes' },
		});
		expect(stream.isClosed).toBe(true);
	});

	test('a client that reads no answers', async () => {
		const { server, client } = await open();
		client.socket.pause();
		const pings = Buffer.from(`{"type":"ping","data":{"text":"${'x'.repeat(8000)}"}}\n`.repeat(100));
		const closed = new Promise((resolve) => client.socket.once('close', resolve));
		for (let count = 0; count < 100; count++) client.write(pings);
		await closed;
		expect(server.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
	});

	test('the 129th connection, until another is closed', async () => {
		const { server, client } = await open();
		const others = await Promise.all(
			Array.from({ length: maxWyomingConnections - 1 }, () => WyomingClient.open(server.wyomingPort)),
		);
		for (const other of others) other.send('ping');
		for (const other of others) expect((await other.next()).type).toBe('pong');
		const oneMore = await WyomingClient.open(server.wyomingPort);
		oneMore.send('describe');
		await oneMore.ended;
		expect(oneMore.events).toEqual([]);
		expect(server.log.lines).toContainEqual(
			expect.objectContaining({ level: 'warn', message: 'too many wyoming connections' }),
		);
		client.send('describe');
		expect((await client.next()).type).toBe('info');
		others[0]!.socket.destroy();
		// It is told of the closed one after this one may have come.
		for (;;) {
			const next = await WyomingClient.open(server.wyomingPort);
			next.send('ping');
			const isAnswered = await next.next().then(
				() => true,
				() => false,
			);
			if (isAnswered) break;
		}
	});

	test.each(['failed', 'lost', 'refused'] as const)('to guess where the model %s', async (type) => {
		const { server, client } = await open();
		client.start();
		const stream = await streamOf(server);
		const error = new EarshotError('engine_failed', 'the engine has died');
		stream.emit({ type, turn: 0, error });
		expect(await client.next()).toEqual({
			type: 'error',
			data: { text: 'the engine has died', code: 'engine_failed' },
		});
		await client.ended;
		expect(server.pool.leased).toBe(0);
	});

	test('what comes when the server is shutting down, and finishes what is being said', async () => {
		const { server, client } = await open();
		const idle = await WyomingClient.open(server.wyomingPort);
		idle.send('ping');
		await idle.next();
		client.start();
		const stream = await streamOf(server);
		const closing = server.close({ graceMs: 10_000 });
		await idle.ended;
		client.send('audio-stop');
		client.start();
		await until(() => ends(stream));
		emit(stream, 'the end');
		await client.ended;
		expect(client.events.map(({ type }) => type)).toEqual([
			'transcript-start',
			'transcript-chunk',
			'transcript',
			'transcript-stop',
			'error',
		]);
		expect(client.events.at(-1)!.data.code).toBe('closed');
		client.socket.destroy();
		idle.socket.destroy();
		await closing;
	});

	test('to wait longer than the server does', async () => {
		const { server, client } = await open();
		client.start();
		await streamOf(server);
		const closing = server.close({ graceMs: 1000 });
		server.clock.advance(1000);
		expect(await client.next()).toMatchObject({ type: 'error', data: { code: 'closed' } });
		client.socket.destroy();
		server.clock.advance(1000);
		await closing;
	});
});
