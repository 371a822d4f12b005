import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { RemoteListening } from '../../src/cli/listen/remote.js';
import { EarshotError } from '../../src/core/errors.js';
import type { LiveEvent } from '../../src/core/live/live.js';
import type { ListenEvent } from '../../src/library/listen.js';
import { type Arranged, arrange, filePart, multipart, send } from '../helpers/net/server.js';
import { type LiveClient, liveClient, refusal } from '../helpers/net/socket.js';
import { settled } from '../helpers/scripted-engine.js';

const path = '/v1/realtime?intent=transcription';

async function open(given: Parameters<typeof arrange>[0] = {}, url = path) {
	const server = await arrange(given);
	const client = liveClient(server.url + url);
	const created = await client.nextOf('session.created');
	return { server, client, created };
}

/** The stream that the model hears, once it is opened. */
async function streamOf({ model }: Arranged, index = 0) {
	while (model.streams.length <= index) await settled();
	return model.streams[index]!;
}

async function until(holds: () => boolean): Promise<void> {
	while (!holds()) await settled();
}

/** What the model tells of a turn. */
function turn(emit: (event: LiveEvent) => void, number: number, words: string, commit?: number): void {
	emit({ type: 'committed', turn: number, seconds: 1.5, ...(commit !== undefined && { commit }) });
	emit({ type: 'delta', turn: number, text: words });
	emit({
		type: 'completed',
		turn: number,
		text: words,
		language: 'en',
		seconds: 1.5,
		revised: false,
	});
}

const types = ({ events }: LiveClient) => events.map(({ type }) => type);

describe('a live session', () => {
	test('receives `session.created` at once', async () => {
		const { created } = await open();
		expect(created).toMatchObject({
			type: 'session.created',
			session: {
				type: 'transcription',
				object: 'realtime.transcription_session',
				include: null,
				audio: {
					input: {
						format: { type: 'audio/pcm', rate: 24_000 },
						transcription: { model: 'tiny' },
						noise_reduction: null,
						turn_detection: {
							type: 'server_vad',
							threshold: 0.5,
							prefix_padding_ms: 300,
							silence_duration_ms: 500,
						},
					},
				},
			},
		});
		expect(created.session.id).toMatch(/^sess_/);
		expect(created.session.expires_at).toBeGreaterThan(Date.now() / 1000);
		expect(created.event_id).toMatch(/^event_/);
	});

	test.each([
		'/v1/realtime',
		'/realtime',
		'/v1/realtime?model=whisper-1',
		'//v1/realtime/',
		'/openai/v1/realtime',
	])('is opened at %s', async (url) => {
		const { created } = await open({}, url);
		expect(created.session.type).toBe('transcription');
	});

	test('is opened at an address with scheme and host, as proxies send it', async () => {
		const { url } = await arrange();
		const asked = request(url, {
			path: `${url}/${path}`,
			headers: {
				connection: 'upgrade',
				upgrade: 'websocket',
				'sec-websocket-version': '13',
				'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
			},
		});
		const answered = new Promise<number | undefined>((resolve) => {
			for (const event of ['upgrade', 'response'])
				asked.once(event, ({ statusCode }: IncomingMessage) => resolve(statusCode));
		});
		asked.on('error', () => {}).end();
		expect(await answered).toBe(101);
		asked.destroy();
	});

	test('sends the events of a turn found by voice activity in the order of the protocol', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server);
		emit({ type: 'started', turn: 0, atMs: 640 });
		emit({ type: 'delta', turn: 0, text: 'seven' });
		emit({ type: 'stopped', turn: 0, atMs: 2790.4 });
		emit({ type: 'committed', turn: 0, seconds: 2.15 });
		emit({ type: 'delta', turn: 0, text: ' one' });
		emit({
			type: 'completed',
			turn: 0,
			text: 'seven one',
			language: 'en',
			seconds: 2.15,
			revised: false,
		});
		const completed = await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect(types(client)).toEqual([
			'session.created',
			'input_audio_buffer.speech_started',
			'conversation.item.input_audio_transcription.delta',
			'input_audio_buffer.speech_stopped',
			'input_audio_buffer.committed',
			'conversation.item.added',
			'conversation.item.done',
			'conversation.item.input_audio_transcription.delta',
			'conversation.item.input_audio_transcription.completed',
		]);
		const [, started, , stopped, committed, added] = client.events;
		const { item_id } = started;
		expect(started).toMatchObject({ audio_start_ms: 640 });
		expect(stopped).toMatchObject({ audio_end_ms: 2790, item_id });
		expect(committed).toMatchObject({ item_id, previous_item_id: null });
		expect(added.item).toEqual({
			id: item_id,
			object: 'realtime.item',
			type: 'message',
			role: 'user',
			status: 'completed',
			content: [{ type: 'input_audio', transcript: null }],
		});
		expect(completed).toMatchObject({
			item_id,
			content_index: 0,
			transcript: 'seven one',
			usage: { type: 'duration', seconds: 2.15 },
			languages: [{ code: 'en' }],
		});
	});

	test('takes commits of the client without voice activity', async () => {
		const { server, client } = await open();
		client.send({
			type: 'session.update',
			session: {
				type: 'transcription',
				audio: { input: { format: { type: 'audio/pcmu' }, turn_detection: null } },
			},
		});
		const { session } = await client.nextOf('session.updated');
		expect(session.audio.input).toMatchObject({
			format: { type: 'audio/pcmu' },
			turn_detection: null,
			transcription: { model: 'tiny' },
		});
		client.append(Buffer.alloc(8000));
		client.send({ type: 'input_audio_buffer.commit', event_id: 'mine' });
		const stream = await streamOf(server);
		expect(stream.options).toMatchObject({ format: { encoding: 'pcmu', rate: 8000 }, turns: null });
		await until(() => stream.commands.length === 2);
		const commit = stream.commands[1];
		turn(stream.emit, 0, 'hello', commit?.type === 'commit' ? commit.commit : -1);
		const { transcript } = await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect(transcript).toBe('hello');
	});

	test('says which commit was empty', async () => {
		const { client } = await open();
		client.send({ type: 'input_audio_buffer.commit', event_id: 'e9' });
		const { error } = await client.nextOf('error');
		expect(error).toMatchObject({
			type: 'invalid_request_error',
			code: 'input_audio_buffer_commit_empty',
			event_id: 'e9',
		});
		client.send({ type: 'input_audio_buffer.clear' });
		await client.nextOf('input_audio_buffer.cleared');
	});

	test.each([
		[{ type: 'transcription', foo: 1 }, 'unknown_parameter', 'session.foo'],
		[{ type: 'transcription', audio: { input: { foo: 1 } } }, 'unknown_parameter', 'session.audio.input.foo'],
		[{ type: 'talk' }, 'invalid_value', 'session.type'],
		[7, 'invalid_value', 'session'],
		[
			{ audio: { input: { turn_detection: { type: 'server_vad', threshold: 2 } } } },
			'invalid_value',
			'session.audio.input.turn_detection.threshold',
		],
		[
			{ audio: { input: { turn_detection: { type: 'server_vad', idle_timeout_ms: 5000 } } } },
			'unsupported_value',
			'session.audio.input.turn_detection.idle_timeout_ms',
		],
		[
			{ audio: { input: { format: { type: 'audio/pcm', rate: 12_345.5 } } } },
			'invalid_value',
			'session.audio.input.format.rate',
		],
		[
			{ audio: { input: { noise_reduction: { type: 'near_field' } } } },
			'unsupported_value',
			'session.audio.input.noise_reduction',
		],
		[
			{ audio: { input: { transcription: { model: 'nope' } } } },
			'model_not_found',
			'session.audio.input.transcription.model',
		],
		[
			{ audio: { input: { transcription: { language: 'klingon' } } } },
			'invalid_request',
			'session.audio.input.transcription.language',
		],
		[{ include: ['everything'] }, 'invalid_value', 'session.include'],
	])('refuses an update to %j, naming the field, and goes on', async (session, code, param) => {
		const { client } = await open();
		client.send({ type: 'session.update', event_id: 'e1', session });
		const { error } = await client.nextOf('error');
		expect(error).toMatchObject({ code, param, event_id: 'e1' });
		client.send({ type: 'session.update', session: { type: 'transcription' } });
		await client.nextOf('session.updated');
	});

	test.each([
		['{', 'invalid_json'],
		['7', 'invalid_value'],
		['null', 'invalid_value'],
		['[]', 'invalid_value'],
		['{"type":"nonsense"}', 'unknown_event'],
		['{"type":"response.create"}', 'invalid_request'],
		['{"type":"input_audio_buffer.append"}', 'invalid_value'],
		['{"type":"input_audio_buffer.append","audio":"%%%%%%%%"}', 'invalid_value'],
		['{"type":"input_audio_buffer.append","audio":"","more":1}', 'unknown_parameter'],
		['{"type":"conversation.item.retrieve","item_id":"item_0"}', 'item_not_found'],
	])('answers %s with %s, and goes on', async (message, code) => {
		const { client } = await open();
		client.send(message);
		const { error } = await client.nextOf('error');
		expect(error.code).toBe(code);
		expect(error.param).not.toBe('');
		expect(error.message).not.toContain('``');
		client.send({ type: 'input_audio_buffer.clear' });
		await client.nextOf('input_audio_buffer.cleared');
	});

	test('refuses binary frames and more than 15 MiB at once', async () => {
		const { client } = await open();
		client.socket.send(Buffer.from('{"type":"input_audio_buffer.clear"}'));
		expect((await client.nextOf('error')).error.code).toBe('invalid_json');
		client.append(Buffer.alloc(15 * 2 ** 20 + 3));
		expect((await client.nextOf('error')).error.code).toBe('audio_too_large');
	});

	test('speaks the names of 2024 to programs that do', async () => {
		const { client } = await open();
		client.send({
			type: 'transcription_session.update',
			session: {
				input_audio_format: 'g711_alaw',
				input_audio_transcription: { model: 'whisper-1', language: 'de' },
				turn_detection: null,
			},
		});
		const { session } = await client.nextOf('transcription_session.updated');
		expect(session).toMatchObject({
			input_audio_format: 'g711_alaw',
			input_audio_transcription: { model: 'whisper-1', language: 'de' },
			turn_detection: null,
		});
	});

	test('answers clients that think they have a conversation', async () => {
		const { client } = await open({}, '/v1/realtime?model=gpt-realtime');
		client.send({
			type: 'session.update',
			session: {
				type: 'realtime',
				instructions: 'Be brief.',
				audio: { input: { turn_detection: { type: 'semantic_vad' } }, output: { voice: 'ash' } },
			},
		});
		const { session } = await client.nextOf('session.updated');
		expect(session).toMatchObject({
			type: 'realtime',
			instructions: 'Be brief.',
			audio: { input: { turn_detection: { type: 'semantic_vad', eagerness: 'auto' } } },
		});
	});

	test('retrieves and deletes items', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server);
		turn(emit, 0, 'hello');
		const { item_id } = await client.nextOf('conversation.item.input_audio_transcription.completed');
		client.send({ type: 'conversation.item.retrieve', item_id });
		const { item } = await client.nextOf('conversation.item.retrieved');
		expect(item.content).toEqual([{ type: 'input_audio', transcript: 'hello' }]);
		client.send({ type: 'conversation.item.delete', item_id });
		expect(await client.nextOf('conversation.item.deleted')).toMatchObject({ item_id });
		client.send({ type: 'conversation.item.retrieve', item_id });
		expect((await client.nextOf('error')).error.code).toBe('item_not_found');
	});

	test('gives its model back when the client goes', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const stream = await streamOf(server);
		expect(server.pool.leased).toBe(1);
		client.socket.terminate();
		await until(() => stream.isClosed && server.pool.leased === 0);
	});
});

describe('a model', () => {
	test('that cannot be loaded is reported to the client that requests it', async () => {
		const { server, client } = await open();
		server.pool.onLoad = async (model) => {
			if (model === 'org/large:q5') throw new EarshotError('out_of_memory', 'no memory for it now');
		};
		client.send({
			type: 'session.update',
			event_id: 'e1',
			session: { audio: { input: { transcription: { model: 'org/large:q5' } } } },
		});
		expect((await client.nextOf('error')).error).toMatchObject({ code: 'out_of_memory', event_id: 'e1' });
		client.append(Buffer.alloc(4800));
		await streamOf(server);
	});

	test('without which nothing goes on ends the session', async () => {
		const { server, client } = await open({}, '/v1/realtime');
		await until(() => server.pool.leased === 1);
		client.send({
			type: 'session.update',
			session: { audio: { input: { transcription: { model: 'org/large:q5' } } } },
		});
		await client.nextOf('session.updated');
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server);
		emit({ type: 'lost', error: new EarshotError('engine_failed', 'killed') });
		client.append(Buffer.alloc(4800));
		const again = await streamOf(server, 1);
		again.emit({ type: 'lost', error: new EarshotError('model_load_failed', 'broken') });
		expect((await client.nextOf('error')).error.code).toBe('model_load_failed');
		expect(await client.closed).toEqual({ code: 1011, reason: 'model_load_failed' });
	});

	test('whose process ends fails the turn, and transcribes the next', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const first = await streamOf(server);
		first.emit({ type: 'processed', atMs: 100 });
		first.emit({ type: 'started', turn: 0, atMs: 20 });
		first.emit({ type: 'lost', error: new EarshotError('engine_failed', 'killed') });
		const failed = await client.nextOf('conversation.item.input_audio_transcription.failed');
		expect(failed.error).toMatchObject({ code: 'engine_failed', type: 'server_error' });
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server, 1);
		emit({ type: 'started', turn: 0, atMs: 50 });
		// Of the session, not of the stream: a tenth of a second came before.
		expect(await client.nextOf('input_audio_buffer.speech_started')).toMatchObject({ audio_start_ms: 150 });
		turn(emit, 0, 'hello');
		const { transcript } = await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect(transcript).toBe('hello');
	});

	test('that took in audio which a commit was to come for fails that commit', async () => {
		const { server, client } = await open();
		client.send({ type: 'session.update', session: { audio: { input: { turn_detection: null } } } });
		client.append(Buffer.alloc(48_000));
		const { emit } = await streamOf(server);
		emit({ type: 'processed', atMs: 1000 });
		emit({ type: 'lost', error: new EarshotError('engine_failed', 'killed') });
		client.append(Buffer.alloc(48_000));
		client.send({ type: 'input_audio_buffer.commit' });
		await client.nextOf('input_audio_buffer.committed');
		await client.nextOf('conversation.item.input_audio_transcription.failed');
		const again = await streamOf(server, 1);
		await until(() => again.commands.at(-1)?.type === 'clear');
	});

	test('is changed once its turns have their text', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit, commands } = await streamOf(server);
		emit({ type: 'started', turn: 0, atMs: 20 });
		client.send({
			type: 'session.update',
			session: { audio: { input: { transcription: { model: 'org/large:q5' } } } },
		});
		await until(() => commands.at(-1)?.type === 'end');
		emit({ type: 'stopped', turn: 0, atMs: 100 });
		turn(emit, 0, 'hello');
		emit({ type: 'ended' });
		await client.nextOf('session.updated');
		expect(types(client).indexOf('conversation.item.input_audio_transcription.completed')).toBeGreaterThan(0);
		expect(server.pool.asked).toEqual(['tiny', 'org/large:q5']);
		expect(server.pool.leased).toBe(1);
	});
});

test.each([
	['gpt-live-transcribe', undefined, null],
	['gpt-realtime-whisper', { type: 'server_vad' }, { type: 'server_vad' }],
	['whisper-1', undefined, { type: 'server_vad' }],
])(
	'a client that names %s and sets %j for turn detection gets %j',
	async (model, turn_detection, expected) => {
		const { client } = await open();
		const given = { transcription: { model }, ...(turn_detection && { turn_detection }) };
		client.send({ type: 'session.update', session: { type: 'transcription', audio: { input: given } } });
		const { session } = await client.nextOf('session.updated');
		if (expected === null) expect(session.audio.input.turn_detection).toBeNull();
		else expect(session.audio.input.turn_detection).toMatchObject(expected);
	},
);

test('a session whose address names a live model of OpenAI has no turn detection', async () => {
	const server = await arrange();
	const client = liveClient(`${server.url}/v1/realtime?intent=transcription&model=gpt-live-transcribe`);
	const { session } = await client.nextOf('session.created');
	expect(session.audio.input.turn_detection).toBeNull();
});

test('a fault of ours ends the session, and not the server', async () => {
	const { server, client } = await open();
	server.model.onListen = () => {
		throw new Error('a bug');
	};
	client.append(Buffer.alloc(4800));
	expect(await client.closed).toEqual({ code: 1011, reason: 'internal' });
	await until(() => server.pool.leased === 0);
	expect(server.log.lines.find(({ message }) => message === 'live session failed')).toMatchObject({
		level: 'error',
	});
	await liveClient(server.url + path).nextOf('session.created');
});

describe('before it is a socket', () => {
	test('a key is required, in a header or as browsers send it', async () => {
		const server = await arrange({ apiKeys: ['sk-one'] });
		const url = server.url + path;
		expect(await refusal(url)).toMatchObject({
			status: 401,
			headers: { 'www-authenticate': 'Bearer' },
			json: { error: { code: 'invalid_api_key' } },
		});
		const wrong = await refusal(url, { protocols: ['realtime', 'openai-insecure-api-key.sk-two'] });
		expect(wrong.status).toBe(401);
		expect(JSON.stringify(wrong.headers)).not.toContain('sk-');
		for (const headers of [{ authorization: 'Bearer sk-one' }, { 'api-key': 'sk-one' }])
			await liveClient(url, { headers }).nextOf('session.created');
		const browser = liveClient(url, {
			protocols: ['realtime', 'openai-insecure-api-key.sk-one', 'openai-organization.org'],
		});
		await browser.nextOf('session.created');
		expect(browser.socket.protocol).toBe('realtime');
	});

	test('pages of other origins and other hosts are refused', async () => {
		const server = await arrange();
		const url = server.url + path;
		expect(await refusal(url, { origin: 'https://evil.example' })).toMatchObject({
			status: 403,
			json: { error: { code: 'origin_refused' } },
		});
		expect(await refusal(url, { headers: { host: 'evil.example' } })).toMatchObject({
			status: 403,
			json: { error: { code: 'host_refused' } },
		});
		await liveClient(url, { origin: 'http://localhost:3000' }).nextOf('session.created');
	});

	test('unknown models, other paths and a server that is full are answered like requests', async () => {
		const server = await arrange({ maxLiveSessions: 1 });
		expect(await refusal(`${server.url}/v1/realtime?model=nope`)).toMatchObject({
			status: 404,
			json: { error: { code: 'model_not_found', param: 'model' } },
		});
		expect((await refusal(`${server.url}/v1/elsewhere`)).status).toBe(404);
		const client = liveClient(server.url + path);
		await client.nextOf('session.created');
		const full = await refusal(server.url + path);
		expect(full).toMatchObject({ status: 429, json: { error: { code: 'overloaded' } } });
		expect(full.headers['retry-after']).toBe('5');
		client.socket.terminate();
		await until(() => server.log.lines.some(({ message }) => message === 'live session ended'));
		await liveClient(server.url + path).nextOf('session.created');
	});

	test('a key has eight sessions, whatever else is sent with it; without keys, a sent key is ignored', async () => {
		const server = await arrange({ apiKeys: ['sk-one', 'sk-two'], maxLiveSessions: 100 });
		const url = server.url + path;
		const open = (key: string, other: string) =>
			liveClient(url, { headers: { authorization: `Bearer ${other}`, 'api-key': key } });
		for (let count = 0; count < 8; count++)
			await open('sk-one', `made-up-${count}`).nextOf('session.created');
		const full = await refusal(url, { headers: { authorization: 'Bearer made-up', 'api-key': 'sk-one' } });
		expect(full).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
		expect(full.json.error.message).toContain('This API key has 8 live sessions');
		await open('sk-two', 'made-up').nextOf('session.created');
		const keyless = await arrange({ maxLiveSessions: 100 });
		for (let count = 0; count < 9; count++)
			await liveClient(keyless.url + path, { headers: { authorization: 'Bearer none' } }).nextOf(
				'session.created',
			);
	});

	test('a model that its sessions keep busy accepts no more until the load falls', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit } = await streamOf(server);
		const listen = (busyMs: number) => {
			client.append(Buffer.alloc(48_000));
			server.clock.advance(1000);
			emit({ type: 'processed', atMs: 1000, busyMs });
		};
		for (let second = 0; second < 20; second++) listen(500);
		const full = await refusal(server.url + path);
		expect(full.status).toBe(429);
		expect(full.json.error.message).toBe(
			'The live sessions of the model `tiny` keep it as busy as it can be without delays; try again in 5 s',
		);
		await liveClient(`${server.url}/v1/realtime?model=org/large:q5`).nextOf('session.created');
		for (let second = 0; second < 60; second++) listen(0);
		await liveClient(server.url + path).nextOf('session.created');
	});

	test('a request without a WebSocket, and one for WebRTC, get an error that says what to do', async () => {
		const server = await arrange();
		const plain = await send(`${server.url}/v1/realtime`);
		expect(plain.status).toBe(426);
		expect(plain.json.error.code).toBe('upgrade_required');
		const call = await send(`${server.url}/v1/realtime/calls`, { method: 'POST' });
		expect(call.status).toBe(404);
		expect(call.json.error.message).toContain('WebSocket');
	});

	test.each([10, 3_000_000])(
		'a request that offers HTTP/2 is answered in HTTP/1.1, with %i bytes',
		async (size) => {
			const server = await arrange();
			const body = multipart([{ ...filePart, body: Buffer.alloc(size, 'x') }]);
			const socket = connect(server.port, '127.0.0.1');
			socket.write(
				[
					'POST /v1/audio/transcriptions HTTP/1.1',
					'Host: localhost',
					'Connection: Upgrade, HTTP2-Settings',
					'Upgrade: h2c',
					'HTTP2-Settings: AAMAAABkAAQAAP__',
					'Content-Type: multipart/form-data; boundary=yy',
					`Content-Length: ${body.length}`,
					'',
					'',
				].join('\r\n'),
			);
			socket.write(body);
			let answer = '';
			for await (const piece of socket) {
				answer += piece;
				if (answer.includes('beach')) break;
			}
			expect(answer).toMatch(/^HTTP\/1\.1 200 /);
			expect(server.model.calls[0]?.bytes).toHaveLength(size);
		},
	);
});

describe('a client secret', () => {
	test('opens sessions as it was made, without the key', async () => {
		const server = await arrange({ apiKeys: ['sk-one'] });
		const made = await send(`${server.url}/v1/realtime/client_secrets`, {
			method: 'POST',
			headers: { authorization: 'Bearer sk-one' },
			body: JSON.stringify({
				expires_after: { anchor: 'created_at', seconds: 60 },
				session: { type: 'transcription', audio: { input: { turn_detection: null } } },
			}),
		});
		expect(made.status).toBe(200);
		expect(made.json).toMatchObject({ session: { type: 'transcription' } });
		const { value } = made.json;
		expect(value).toMatch(/^ek_/);
		const open = (): LiveClient =>
			liveClient(server.url + path, { protocols: ['realtime', `openai-insecure-api-key.${value}`] });
		for (const client of [open(), open()]) {
			const { session } = await client.nextOf('session.created');
			expect(session.audio.input.turn_detection).toBeNull();
		}
		expect(
			(await send(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${value}` } })).status,
		).toBe(401);
		server.clock.advance(61_000);
		expect((await refusal(server.url + path, { headers: { authorization: `Bearer ${value}` } })).status).toBe(
			401,
		);
	});

	test('shows the turn detection that its sessions will have', async () => {
		const server = await arrange();
		const input = { transcription: { model: 'gpt-live-transcribe' } };
		const made = await send(`${server.url}/v1/realtime/client_secrets`, {
			method: 'POST',
			body: JSON.stringify({ session: { type: 'transcription', audio: { input } } }),
		});
		expect(made.json.session.audio.input.turn_detection).toBeNull();
		const client = liveClient(server.url + path, {
			headers: { authorization: `Bearer ${made.json.value}` },
		});
		const { session } = await client.nextOf('session.created');
		expect(session.audio.input.turn_detection).toBeNull();
	});

	test.each(['/v1/realtime/transcription_sessions', '/realtime/sessions'])(
		'comes in the form of 2024 from %s',
		async (url) => {
			const server = await arrange();
			const made = await send(server.url + url, {
				method: 'POST',
				body: JSON.stringify({ input_audio_format: 'g711_ulaw' }),
			});
			expect(made.status).toBe(200);
			expect(made.json).toMatchObject({
				input_audio_format: 'g711_ulaw',
				turn_detection: { type: 'server_vad' },
			});
			const { value } = made.json.client_secret;
			const client = liveClient(server.url + path, { headers: { authorization: `Bearer ${value}` } });
			const { session } = await client.nextOf('session.created');
			expect(session.audio.input.format).toEqual({ type: 'audio/pcmu' });
		},
	);

	test.each([
		[{ session: { foo: 1 } }, 'session.foo'],
		[{ expires_after: { seconds: 5 } }, 'expires_after'],
		[{ expires_after: 7 }, 'expires_after'],
	])('is refused for %j', async (body, param) => {
		const server = await arrange();
		const made = await send(`${server.url}/v1/realtime/client_secrets`, {
			method: 'POST',
			body: JSON.stringify(body),
		});
		expect(made.status).toBe(400);
		expect(made.json.error.param).toBe(param);
	});
});

describe('limits', () => {
	test('a session expires, and what was said is transcribed first', async () => {
		const { server, client } = await open({ maxLiveMs: 30_000 });
		client.append(Buffer.alloc(4800));
		const { emit, commands } = await streamOf(server);
		emit({ type: 'started', turn: 0, atMs: 0 });
		server.clock.advance(30_000);
		await until(() => commands.at(-1)?.type === 'end');
		emit({ type: 'stopped', turn: 0, atMs: 100 });
		turn(emit, 0, 'hello');
		emit({ type: 'ended' });
		await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect((await client.nextOf('error')).error.code).toBe('session_expired');
		expect(await client.closed).toEqual({
			code: 1001,
			reason: 'Your session hit the maximum duration of 1 minutes.',
		});
	});

	test('a session without audio ends after ten minutes', async () => {
		const { server, client } = await open({ maxLiveMs: 0 });
		const stay = async (): Promise<void> => {
			server.clock.advance(20_000);
			client.send({ type: 'input_audio_buffer.clear' });
			await client.nextOf('input_audio_buffer.cleared');
		};
		for (let seconds = 20; seconds < 600; seconds += 20) await stay();
		await expect(stay()).rejects.toThrow('closed');
		expect(await client.closed).toMatchObject({ code: 1000 });
	});

	test('a client that answers no ping is given up', async () => {
		const { server, client } = await open();
		client.socket.pause();
		server.clock.advance(45_000);
		client.socket.resume();
		expect((await client.closed).code).toBe(1006);
	});

	test('a server that was stopped for an hour goes on with its sessions, and with their limits', async () => {
		const { server, client } = await open({ maxLiveMs: 0 });
		server.clock.stall(3_600_000);
		client.send({ type: 'input_audio_buffer.clear' });
		await client.nextOf('input_audio_buffer.cleared');
		client.socket.pause();
		server.clock.advance(45_000);
		client.socket.resume();
		expect((await client.closed).code).toBe(1006);
	});

	test('reading pauses for a client that sends faster than the model processes', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(48_000));
		const stream = await streamOf(server);
		for (let second = 1; second < 200; second++) client.append(Buffer.alloc(48_000));
		for (let turns = 0; turns < 200; turns++) await settled();
		const taken = stream.bytes / 48_000;
		expect(taken).toBeLessThan(100);
		for (let heard = 0; heard < 200_000; heard += 1000) {
			stream.emit({ type: 'processed', atMs: heard + 1000 });
			await settled();
		}
		await until(() => stream.bytes === 200 * 48_000);
	});

	test('a flood of small events takes turns with what others send', async () => {
		const { client } = await open();
		const count = 5000;
		let turns = 0;
		let isOver = false;
		const turn = (): void => {
			turns++;
			if (!isOver) setImmediate(turn);
		};
		setImmediate(turn);
		for (let sent = 0; sent < count; sent++) client.send('{"type":"input_audio_buffer.clear"}');
		await until(() => client.events.length > count);
		isOver = true;
		// Otherwise as many as fit into what is read at once, and nobody else is heard meanwhile.
		expect(turns).toBeGreaterThan(count / 2);
	});

	test('a client that goes while it is not read gives its model back soon', async () => {
		const { server, client } = await open();
		for (let count = 0; count < 8; count++) client.append(Buffer.alloc(48_000));
		const stream = await streamOf(server);
		await until(() => stream.bytes >= 6 * 48_000);
		for (let count = 0; count < 200; count++) client.append(Buffer.alloc(48_000));
		await settled();
		(client.socket as unknown as { _socket: Socket })._socket.resetAndDestroy();
		await client.closed;
		const ended = () => server.log.lines.some(({ message }) => message === 'live session ended');
		for (let ticks = 0; ticks < 2 && !ended(); ticks++) {
			server.clock.advance(5000);
			for (let turns = 0; turns < 50; turns++) await settled();
		}
		expect(ended()).toBe(true);
		expect(server.pool.leased).toBe(0);
	});

	test('a server that shuts down ends sessions once their turns have their text', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		const { emit, commands } = await streamOf(server);
		emit({ type: 'started', turn: 0, atMs: 0 });
		const closing = server.close({ graceMs: 10_000 });
		await until(() => commands.at(-1)?.type === 'end');
		turn(emit, 0, 'hello');
		emit({ type: 'ended' });
		await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect((await client.closed).code).toBe(1001);
		await closing;
	});

	test('a server that shuts down transcribes what waits for a model first', async () => {
		const server = await arrange();
		let load: (() => void) | undefined;
		server.pool.onLoad = () => new Promise<void>((resolve) => (load = resolve));
		const client = liveClient(server.url + path);
		await client.nextOf('session.created');
		client.send({
			type: 'session.update',
			session: { type: 'transcription', audio: { input: { format: { type: 'audio/pcm', rate: 16_000 } } } },
		});
		for (let count = 0; count < 20; count++) client.append(Buffer.alloc(4800));
		// Answered at once, so what came before it has been read.
		client.send('{');
		await client.nextOf('error');
		const closing = server.close({ graceMs: 10_000 });
		load?.();
		const { emit, commands } = await streamOf(server);
		await until(() => commands.at(-1)?.type === 'end');
		expect(commands.filter(({ type }) => type === 'audio')).toHaveLength(20);
		emit({ type: 'started', turn: 0, atMs: 0 });
		turn(emit, 0, 'hello');
		emit({ type: 'ended' });
		await client.nextOf('conversation.item.input_audio_transcription.completed');
		expect((await client.closed).code).toBe(1001);
		await closing;
	});

	test('a server that has waited long enough closes them', async () => {
		const { server, client } = await open();
		client.append(Buffer.alloc(4800));
		await streamOf(server);
		const closing = server.close({ graceMs: 1000 });
		server.clock.advance(1000);
		expect((await client.closed).code).toBe(1001);
		server.clock.advance(1000);
		await closing;
	});
});

test('the command gets the same text through a server as a program in its own process', async () => {
	const server = await arrange();
	const listening = await RemoteListening.open(new WebSocket(server.url.replace('http', 'ws') + path), {
		...{ model: undefined, language: undefined, prompt: undefined },
		...{ sampleRate: 16_000, partials: false },
	});
	await listening.write(new Uint8Array(48_000));
	const { emit, commands } = await streamOf(server);
	emit({ type: 'started', turn: 0, atMs: 200 });
	listening.end();
	await until(() => commands.at(-1)?.type === 'clear');
	const [commit, clear] = commands.slice(-2);
	if (commit?.type !== 'commit' || clear?.type !== 'clear') throw new Error('it ends by both');
	turn(emit, 0, 'hello', commit.commit);
	emit({ type: 'cleared', clear: clear.clear });
	const events: ListenEvent[] = [];
	for await (const event of listening) events.push(event);
	expect(events).toEqual([
		{ type: 'started', turn: 0, at: 0.2 },
		{ type: 'stopped', turn: 0, at: 1.5 },
		{ type: 'delta', turn: 0, text: 'hello' },
		{ type: 'completed', turn: 0, text: 'hello', language: 'en', seconds: 1.5 },
	]);
});

test('metrics count sessions and turns, and none after they end', async () => {
	const { server, client } = await open();
	client.append(Buffer.alloc(48_000));
	const { emit } = await streamOf(server);
	emit({ type: 'processed', atMs: 1000 });
	emit({ type: 'started', turn: 0, atMs: 0 });
	turn(emit, 0, 'hello');
	await client.nextOf('conversation.item.input_audio_transcription.completed');
	const metrics = async () => (await send(`${server.url}/metrics`)).text;
	const during = await metrics();
	for (const line of [
		'earshot_live_sessions{model="tiny"} 1',
		'earshot_live_audio_seconds_total{model="tiny"} 1',
		'earshot_live_turns_total{model="tiny",result="completed"} 1',
		'earshot_live_lag_seconds_count{model="tiny"} 1',
		'earshot_live_first_delta_seconds_count{model="tiny"} 1',
		'earshot_live_final_seconds_count{model="tiny"} 1',
	])
		expect(during).toContain(line);
	client.socket.close();
	await until(() => server.pool.leased === 0);
	expect(await metrics()).toContain('earshot_live_sessions{model="tiny"} 0');
});
