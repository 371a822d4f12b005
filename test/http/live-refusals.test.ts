/** What a live session does not take, of clients that mean well and of others. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { LiveEvent } from '../../src/core/live/live.js';
import { FakeTranscriber, info } from '../helpers/fakes.js';
import { type Arranged, arrange } from '../helpers/net/server.js';
import { type Event, type LiveClient, liveClient, refusal } from '../helpers/net/socket.js';
import { settled } from '../helpers/scripted-engine.js';

const path = '/v1/realtime?intent=transcription';

async function open(given: Parameters<typeof arrange>[0] = {}) {
	const server = await arrange(given);
	const client = liveClient(server.url + path);
	await client.nextOf('session.created');
	return { server, client };
}

async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await settled();
}

async function streamOf({ model }: Arranged) {
	await until(() => model.streams.length > 0);
	return model.streams[0]!;
}

const input = (fields: object) => ({ type: 'transcription', audio: { input: fields } });
const at = 'session.audio.input';

describe('an update', () => {
	test.each<[session: unknown, code: string, param: string]>([
		[undefined, 'invalid_value', 'session'],
		[[], 'invalid_value', 'session'],
		[{ audio: 'loud' }, 'invalid_value', 'session.audio'],
		[{ audio: { input: 7 } }, 'invalid_value', at],
		[{ type: 'transcription', audio: { output: {} } }, 'unknown_parameter', 'session.audio.output'],
		[{ instructions: 'Be brief.' }, 'unknown_parameter', 'session.instructions'],
		[input({ format: 'mp3' }), 'invalid_value', `${at}.format`],
		[input({ format: { type: 'audio/opus' } }), 'invalid_value', `${at}.format.type`],
		[input({ format: { type: 'audio/pcm', rate: 7999 } }), 'invalid_value', `${at}.format.rate`],
		[input({ format: { type: 'audio/pcm', rate: 96_025 } }), 'invalid_value', `${at}.format.rate`],
		[input({ format: { type: 'audio/pcm', rate: 44_101 } }), 'invalid_value', `${at}.format.rate`],
		[input({ format: { type: 'audio/pcm', rate: '24000' } }), 'invalid_value', `${at}.format.rate`],
		[input({ format: { type: 'audio/pcmu', rate: 16_000 } }), 'invalid_value', `${at}.format.rate`],
		[input({ format: { channels: 2 } }), 'unknown_parameter', `${at}.format.channels`],
		[{ input_audio_format: 'pcm24' }, 'invalid_value', 'session.input_audio_format'],
		[{ input_audio_format: 'toString' }, 'invalid_value', 'session.input_audio_format'],
		[{ input_audio_format: '__proto__' }, 'invalid_value', 'session.input_audio_format'],
		[
			{ input_audio_transcription: { enabled: true } },
			'unknown_parameter',
			'session.input_audio_transcription.enabled',
		],
		[input({ transcription: 'whisper-1' }), 'invalid_value', `${at}.transcription`],
		[input({ transcription: { model: 7 } }), 'invalid_value', `${at}.transcription.model`],
		[input({ transcription: { languages: 'en' } }), 'invalid_value', `${at}.transcription.languages`],
		[
			input({ transcription: { languages: ['klingon'] } }),
			'invalid_request',
			`${at}.transcription.languages`,
		],
		[input({ transcription: { keywords: [7] } }), 'invalid_value', `${at}.transcription.keywords`],
		[input({ transcription: { delay: 'none' } }), 'invalid_value', `${at}.transcription.delay`],
		[input({ turn_detection: 'server_vad' }), 'invalid_value', `${at}.turn_detection`],
		[input({ turn_detection: { type: 'telepathy' } }), 'invalid_value', `${at}.turn_detection.type`],
		[
			input({ turn_detection: { prefix_padding_ms: -1 } }),
			'invalid_value',
			`${at}.turn_detection.prefix_padding_ms`,
		],
		[
			input({ turn_detection: { silence_duration_ms: 1e9 } }),
			'invalid_value',
			`${at}.turn_detection.silence_duration_ms`,
		],
		[
			input({ turn_detection: { type: 'semantic_vad', eagerness: 'very' } }),
			'invalid_value',
			`${at}.turn_detection.eagerness`,
		],
		[
			input({ turn_detection: { type: 'semantic_vad', threshold: 0.5 } }),
			'unknown_parameter',
			`${at}.turn_detection.threshold`,
		],
		[
			input({ turn_detection: { create_response: 'yes' } }),
			'invalid_value',
			`${at}.turn_detection.create_response`,
		],
		[input({ partials: 1 }), 'invalid_value', `${at}.partials`],
		[{ include: 'item.input_audio_transcription.logprobs' }, 'invalid_value', 'session.include'],
	])('to %j is refused, naming the field', async (session, code, param) => {
		const { client } = await open();
		client.send({ type: 'session.update', event_id: 'e1', session });
		expect((await client.nextOf('error')).error).toMatchObject({ code, param, event_id: 'e1' });
		client.send({ type: 'session.update', session: { type: 'transcription' } });
		const { session: now } = await client.nextOf('session.updated');
		expect(now.audio.input.format).toEqual({ type: 'audio/pcm', rate: 24_000 });
	});

	test('to a number that JSON writes and no field can be is refused', async () => {
		const { client } = await open();
		for (const rate of ['1e999', '-0.0', '24000.5'])
			client.send(
				`{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":${rate}}}}}}`,
			);
		for (let count = 0; count < 3; count++)
			expect((await client.nextOf('error')).error.param).toBe(`${at}.format.rate`);
		client.send('{"type":"session.update","session":{"audio":{"input":{"format":{"rate":NaN}}}}}');
		expect((await client.nextOf('error')).error.code).toBe('invalid_json');
	});

	// What a conversation sends is echoed: a deep value cannot be written, and the client could not read so large a one.
	test.each([
		['more than 32 levels', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
		['a text of 5 MB', `"${'x'.repeat(5e6)}"`],
		['many numbers', `[${'1,'.repeat(1e5)}1]`],
		['many fields', `{${Array.from({ length: 1e5 }, (_, at) => `"field ${at}":1`).join(',')}}`],
	])('to %s is refused', async (_, value) => {
		const { client } = await open();
		client.send(`{"type":"session.update","event_id":"e1","session":{"type":"realtime","tools":${value}}}`);
		expect(await client.nextOf('error')).toMatchObject({
			error: { code: 'invalid_value', param: 'session', event_id: 'e1' },
		});
		client.send({ type: 'session.update', session: { type: 'transcription' } });
		await client.nextOf('session.updated');
	});

	test('to logprobs is refused where the model has none', async () => {
		const { client } = await open({ model: new FakeTranscriber({ info: info({ logprobs: false }) }) });
		client.send({
			type: 'session.update',
			session: { include: ['item.input_audio_transcription.logprobs'] },
		});
		expect((await client.nextOf('error')).error.param).toBe('session.include');
	});

	test('to another model is refused while audio waits for a commit', async () => {
		const { server, client } = await open();
		client.send({ type: 'session.update', session: input({ turn_detection: null }) });
		await client.nextOf('session.updated');
		client.append(Buffer.alloc(4800));
		await streamOf(server);
		const other = input({ transcription: { model: 'org/large:q5' } });
		client.send({ type: 'session.update', session: other });
		expect((await client.nextOf('error')).error).toMatchObject({
			code: 'invalid_request',
			param: `${at}.transcription.model`,
			message: expect.stringContaining('commit or clear it first'),
		});
		client.send({ type: 'input_audio_buffer.clear' });
		client.send({ type: 'session.update', session: other });
		const stream = server.model.streams[0]!;
		await until(() => stream.commands.at(-1)?.type === 'end');
	});
});

test.each([
	['{"type":7}', 'invalid_value', 'type'],
	['{}', 'unknown_event', 'type'],
	['{"type":"input_audio_buffer.commit","event_id":7}', 'invalid_value', 'event_id'],
	['{"type":"input_audio_buffer.commit","final":true}', 'unknown_parameter', 'final'],
	['{"type":"input_audio_buffer.append","audio":7}', 'invalid_value', 'audio'],
	['{"type":"input_audio_buffer.append","audio":"data:audio/wav;base64,AAAA"}', 'invalid_value', 'audio'],
	['{"type":"conversation.item.retrieve"}', 'invalid_value', 'item_id'],
	['{"type":"conversation.item.delete","item_id":"item_0"}', 'item_not_found', 'item_id'],
	['{"type":"conversation.item.truncate"}', 'invalid_request', 'type'],
	['{"type":"__proto__"}', 'unknown_event', 'type'],
	['{"type":"session.update","__proto__":{},"session":{}}', 'unknown_parameter', '__proto__'],
	[
		`{"type":"session.update","session":${'{"audio":'.repeat(5000)}1${'}'.repeat(5000)}}`,
		'invalid_value',
		'session',
	],
])('the event %.90s is refused with %s', async (message, code, param) => {
	const { client } = await open();
	client.send(message);
	expect((await client.nextOf('error')).error).toMatchObject({ code, param });
	client.send({ type: 'input_audio_buffer.clear' });
	await client.nextOf('input_audio_buffer.cleared');
});

describe('a client that reads no events', () => {
	async function deaf(bytes: number) {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server);
		client.socket.pause();
		await settled();
		// More than the sockets hold themselves, so that the server holds as much as it is to.
		const speak = (text: string): void => emit({ type: 'delta', turn: 0, text } satisfies LiveEvent);
		for (let sent = 0; sent < bytes; sent += 1 << 16) {
			speak('x'.repeat(1 << 16));
			await settled();
		}
		return { server, client };
	}
	const ended = ({ log }: Arranged) => log.lines.find(({ message }) => message === 'live session ended');

	test('is given up once too much waits for it', async () => {
		const { server } = await deaf(32 << 20);
		await until(() => ended(server) !== undefined);
		expect(ended(server)!.fields).toMatchObject({ code: 1013, reason: 'the events are not read' });
		expect(server.pool.leased).toBe(0);
	});
});

test('an upgrade that comes while the server shuts down is answered with a 503', async () => {
	const { server, client } = await open();
	client.append(Buffer.alloc(4800));
	const stream = await streamOf(server);
	stream.emit({ type: 'started', turn: 0, atMs: 0 });
	const late = connect(server.port, '127.0.0.1');
	await once(late, 'connect');
	late.write('GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\n');
	// The server has begun to read it.
	for (let count = 0; count < 20; count++) await settled();
	const closing = server.close({ graceMs: 10_000 });
	late.write(
		'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
	);
	let answer = '';
	for await (const piece of late) answer += piece;
	expect(answer).toMatch(/^HTTP\/1\.1 503 /);
	stream.emit({ type: 'ended' });
	await client.closed;
	await closing;
});

test('a handshake that is none leaves no session behind', async () => {
	const server = await arrange({ maxLiveSessions: 1 });
	for (const lines of [
		'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n',
		'Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
		'Sec-WebSocket-Version: 13\r\n',
	]) {
		const socket = connect(server.port, '127.0.0.1');
		socket.write(
			`GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`,
		);
		let answer = '';
		for await (const piece of socket) answer += piece;
		expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
	}
	await liveClient(server.url + path).nextOf('session.created');
});

test('a key is written into no log, however it came', async () => {
	const server = await arrange({ apiKeys: ['sk-right'] });
	const url = server.url + path;
	await refusal(url, { headers: { authorization: 'Bearer sk-wrong' } });
	await refusal(`${url}&api_key=sk-query`, { protocols: ['realtime', 'openai-insecure-api-key.sk-wrong'] });
	const client: LiveClient = liveClient(url, { protocols: ['realtime', 'openai-insecure-api-key.sk-right'] });
	await client.nextOf('session.created');
	client.socket.close();
	await until(() => server.log.lines.some(({ message }) => message === 'live session ended'));
	const text: Event = JSON.stringify(server.log.lines);
	expect(text).not.toContain('sk-');
});
