import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../src/core/errors.js';
import { Metrics } from '../../src/core/metrics.js';
import { chunkingRanges } from '../../src/core/speech/check-options.js';
import { defaultChunking } from '../../src/core/speech/options.js';
import { formatNames } from '../../src/formats/formats.js';
import { diarizationCapabilities } from '../../src/models/types/capabilities.js';
import { routes } from '../../src/server/app.js';
import type { ServerJobs } from '../../src/server/jobs/server-jobs.js';
import { defaultConfig } from '../../src/server/live/protocol/read-session.js';
import { ClientSecrets } from '../../src/server/live/secrets.js';
import { Admission } from '../../src/server/request/admission.js';
import type { RequestContext } from '../../src/server/request/context.js';
import { fieldNames } from '../../src/server/request/fields/fields.js';
import { showDoctor } from '../../src/server/routes/doctor.js';
import { readOpenApi } from '../../src/server/routes/openapi.js';
import { timeoutHeader } from '../../src/server/routes/transcriptions.js';
import { startServer } from '../../src/server/server.js';
import { UploadBudget } from '../../src/server/upload/budget.js';
import { VoiceStore } from '../../src/speakers/voice-store.js';
import { folderWebhooks } from '../../src/webhooks/folder/folder-webhooks.js';
import { Webhooks } from '../../src/webhooks/webhooks.js';
import {
	aborted,
	eventsOf,
	FakeClock,
	FakePool,
	FakeTranscriber,
	gate,
	listed,
	plain,
} from '../helpers/fakes.js';
import {
	type Arranged,
	arrange,
	filePart,
	framesOf,
	multipart,
	owner,
	send,
	sendRaw,
	transcribe,
} from '../helpers/net/server.js';
import { beach } from '../helpers/transcripts.js';

const get = (server: Arranged, path: string, init?: RequestInit) => send(server.url + path, init);

describe('models', () => {
	test.each(['/v1/models', '/models'])('are listed at %s, aliases inside', async (path) => {
		expect((await get(await arrange(), path)).json).toEqual({
			object: 'list',
			data: [
				{
					id: 'tiny',
					object: 'model',
					created: 1_700_000_000,
					owned_by: 'earshot',
					aliases: ['whisper-1'],
					type: 'fake',
					state: 'unloaded',
					languages: null,
					capabilities: null,
				},
				expect.objectContaining({ id: 'org/large:q5', aliases: [] }),
			],
		});
	});

	test.each([
		['tiny', 'tiny'],
		['whisper-1', 'tiny'],
		['org/large:q5', 'org/large:q5'],
		['org%2Flarge:q5', 'org/large:q5'],
	])('are retrieved as %s', async (asked, id) => {
		const server = await arrange();
		expect((await get(server, `/v1/models/${asked}`)).json).toMatchObject({ id, object: 'model' });
		expect((await get(server, `/models/${asked}`)).json.id).toBe(id);
	});

	test('list their languages and capabilities', async () => {
		const server = await arrange();
		server.pool.models.push(listed('able', { capabilities: plain }));
		expect((await get(server, '/v1/models/able')).json).toMatchObject({
			languages: ['en', 'de', 'yue'],
			capabilities: {
				transcribes: true,
				prompt: false,
				keywords: false,
				temperature: false,
				decoding: false,
				words: false,
				logprobs: false,
				no_speech_prob: false,
				translates: false,
				detects_language: true,
				chooses_language: true,
				chooses_among_languages: false,
			},
		});
	});

	test('shows that a model of type diarization does not transcribe', async () => {
		const server = await arrange();
		server.pool.models.push(listed('who', { type: 'diarization', capabilities: diarizationCapabilities }));
		const { json } = await get(server, '/v1/models/who');
		expect(json).toMatchObject({ type: 'diarization', capabilities: { transcribes: false, words: false } });
	});

	test('an id goes before an alias', async () => {
		const server = await arrange();
		server.pool.models.push(listed('whisper-1', { demo: true }));
		expect((await get(server, '/v1/models/whisper-1')).json).toMatchObject({ id: 'whisper-1', demo: true });
	});

	test('are listed under each of their names on request', async () => {
		const server = await arrange();
		const ids = async (query: string) =>
			(await get(server, `/v1/models${query}`)).json.data.map(({ id, alias_of }: Record<string, string>) => [
				id,
				alias_of,
			]);
		const own = [
			['tiny', undefined],
			['org/large:q5', undefined],
		];
		expect(await ids('')).toEqual(own);
		expect(await ids('?aliases=false')).toEqual(own);
		expect(await ids('?aliases=true')).toEqual([own[0], ['whisper-1', 'tiny'], own[1]]);
		expect(await get(server, '/v1/models?aliases=perhaps')).toMatchObject({
			status: 400,
			json: { error: { code: 'invalid_request', param: 'aliases' } },
		});
	});

	test('that are not here are a 404 that names the field', async () => {
		expect(await get(await arrange(), '/v1/models/nope/nope')).toMatchObject({
			status: 404,
			json: { error: { code: 'model_not_found', param: 'model' } },
		});
	});
});

describe('/health', () => {
	const degraded = { status: 'degraded', reason: 'The default model `tiny` could not be loaded' } as const;

	test.each([
		[{ status: 'ok' }, 200],
		[{ status: 'loading' }, 503],
		[degraded, 503],
	] as const)('reports %j, and /ready answers %i', async (readiness, status) => {
		const server = await arrange({ apiKeys: ['secret'] });
		server.pool.readiness = readiness;
		expect(await get(server, '/health')).toMatchObject({ status: 200, json: readiness });
		expect(await get(server, '/ready')).toMatchObject({ status, json: readiness });
	});

	test('answers HEAD', async () => {
		const answer = await get(await arrange(), '/health', { method: 'HEAD' });
		expect(answer).toMatchObject({ status: 200, text: '' });
	});
});

test('/ describes the server', async () => {
	expect((await get(await arrange(), '/')).json).toEqual({
		name: 'earshot',
		version: '1.2.3',
		routes: expect.arrayContaining(['POST /v1/audio/transcriptions', 'GET /health', 'GET /']),
	});
});

describe('GET /v1/doctor', () => {
	const report = { ok: false, findings: [{ ok: false, what: 'FFmpeg', detail: 'not in /usr/lib' }] };

	test('returns the findings of `earshot doctor`, only with a key', async () => {
		const server = await arrange({ examine: async () => report });
		const answer = await get(server, '/v1/doctor', { headers: owner });
		expect([answer.status, answer.json]).toEqual([200, { object: 'doctor', ...report }]);
		expect(await get(server, '/v1/doctor')).toMatchObject({
			status: 403,
			json: { error: { code: 'key_needed' } },
		});
	});

	test('runs once for concurrent requests', async () => {
		const examined = gate<typeof report>();
		let times = 0;
		const handle = showDoctor({
			examine: () => {
				times++;
				return examined.promise;
			},
		});
		const context = () => ({ state: { isTrusted: true } }) as unknown as RequestContext;
		const asked = [context(), context(), context()];
		const answers = asked.map((ctx) => handle(ctx));
		examined.open(report);
		await Promise.all(answers);
		expect(asked.map(({ body }) => body)).toEqual(Array(3).fill({ object: 'doctor', ...report }));
		await handle(context());
		expect(times).toBe(2);
	});
});

describe('the OpenAPI document', () => {
	const openapi = readOpenApi();

	test('is served with the version of the server', async () => {
		const { json } = await get(await arrange(), '/openapi.json');
		expect(json).toEqual({ ...openapi, info: { ...openapi.info, version: '1.2.3' } });
	});

	test('has every route, and no other', () => {
		const documented = Object.entries(openapi.paths).flatMap(([path, operations]) =>
			Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
		);
		const parts = { maxBytes: 0, maxQueueSeconds: 0, metrics: new Metrics(), clock: new FakeClock() };
		const served = routes({
			pool: new FakePool(new FakeTranscriber()),
			limits: {
				directory: '',
				maxUploadBytes: 0,
				memoryUploadBytes: 0,
				inFlight: new UploadBudget(parts),
			},
			admission: new Admission(parts),
			maxKnownSpeakers: 4,
			voices: new VoiceStore(''),
			webhooks: new Webhooks({ storage: folderWebhooks(''), version: '', metrics: parts.metrics }),
			maxRequestMs: 0,
			// No route asks for it before a request comes.
			jobs: Object.create(null) as ServerJobs,
			live: { secrets: new ClientSecrets(parts.clock), initialConfig: defaultConfig },
			...parts,
			version: '',
		}).map(({ method, path }) => `${method} ${path}`);
		expect(documented.sort()).toEqual(served.sort());
	});

	test('has every field of a request, and no other', () => {
		const properties = openapi.components.schemas.TranscriptionRequest?.properties;
		expect(Object.keys(properties ?? {}).sort()).toEqual(['file', ...fieldNames].sort());
	});

	test('has every response format and the header of the time limit, and no other', () => {
		const { schemas, parameters } = openapi.components;
		expect(schemas.TranscriptionRequest?.properties?.response_format?.enum).toEqual(formatNames);
		expect(parameters.timeout?.name).toBe(timeoutHeader);
	});

	test('has the bounds of server_vad', () => {
		const { chunking_strategy: chunking } = openapi.components.schemas.TranscriptionRequest?.properties ?? {};
		const [, vad] = (chunking as { anyOf: { properties: Record<string, object> }[] }).anyOf;
		for (const [key, { name, min, max }] of Object.entries(chunkingRanges))
			expect([name, vad?.properties[name]]).toEqual([
				name,
				{
					type: 'number',
					minimum: min,
					maximum: max,
					default: defaultChunking[key as keyof typeof defaultChunking],
				},
			]);
	});

	test('has every error code, and no other', () => {
		const { properties } = openapi.components.schemas.Error ?? {};
		const error = properties?.error as { properties: { code: { enum: string[] } } };
		expect(error.properties.code.enum).toEqual(
			Object.keys(errorCodes).filter((code) => code !== 'cancelled'),
		);
	});

	test.each(['schemas', 'responses', 'parameters'] as const)('points to no %s that are not there', (kind) => {
		const pointers = JSON.stringify(openapi).matchAll(new RegExp(`"#/components/${kind}/(\\w+)"`, 'g'));
		const names = [...pointers].map(([, name]) => name);
		expect(names.length).toBeGreaterThan(0);
		expect(Object.keys(openapi.components[kind])).toEqual(expect.arrayContaining(names));
	});
});

describe('every answer', () => {
	const paths = ['/health', '/v1/models', '/v1/models/nope', '/nope', '/v1/audio/transcriptions'];

	test.each(paths)('%s has an id, the time it took and no guessing of types', async (path) => {
		const { headers } = await get(await arrange(), path);
		expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
		expect(headers.get('openai-processing-ms')).toMatch(/^\d+$/);
		expect(headers.get('x-content-type-options')).toBe('nosniff');
	});

	test('a stream as well', async () => {
		const { headers } = await transcribe(await arrange(), { stream: 'true' });
		expect(headers.get('x-request-id')).toMatch(/^req_/);
		expect(headers.get('openai-processing-ms')).toBe('0');
		expect(headers.get('x-content-type-options')).toBe('nosniff');
	});

	test('keeps an id that the client gave', async () => {
		const server = await arrange();
		const answer = await get(server, '/health', { headers: { 'x-request-id': 'my-id:1.2_3' } });
		expect(answer.headers.get('x-request-id')).toBe('my-id:1.2_3');
	});

	test.each(['a b', 'x'.repeat(129), '<script>'])('does not keep the id %j', async (id) => {
		const answer = await get(await arrange(), '/health', { headers: { 'x-request-id': id } });
		expect(answer.headers.get('x-request-id')).toMatch(/^req_/);
	});
});

describe('unknown paths', () => {
	test.each(['/v1/nope', '/v1/', '/v2/models', '/v1/models/%zz/..%2f'])('%s is a 404', async (path) => {
		const answer = await sendRaw(await arrange(), { method: 'GET', path });
		expect(answer.status).toBe(404);
		expect(answer.json.error).toMatchObject({ type: 'invalid_request_error', message: expect.any(String) });
	});

	test('a method that a path does not have is a 405 that names those it has', async () => {
		const server = await arrange();
		const answer = await get(server, '/v1/audio/transcriptions');
		expect(answer).toMatchObject({ status: 405, json: { error: { code: 'method_not_allowed' } } });
		expect(answer.headers.get('allow')).toBe('POST, OPTIONS');
		const models = await get(server, '/v1/models', { method: 'DELETE' });
		expect(models.headers.get('allow')).toBe('HEAD, GET, OPTIONS');
	});

	test('OPTIONS names the methods of a path', async () => {
		const answer = await get(await arrange(), '/v1/models/org/large:q5', { method: 'OPTIONS' });
		expect([answer.status, answer.headers.get('allow')]).toEqual([204, 'HEAD, GET, DELETE, OPTIONS']);
		expect((await get(await arrange(), '/nope', { method: 'OPTIONS' })).status).toBe(404);
	});

	test.each(['//v1/models', '/v1//models', '//models', '/v1/models//tiny'])(
		'%s is what a base URL with a slash at its end makes of a path, and works',
		async (path) => {
			expect((await sendRaw(await arrange(), { method: 'GET', path })).status).toBe(200);
		},
	);
});

describe('the log', () => {
	test('has one line per request, with what an operator needs and nothing private', async () => {
		const server = await arrange({ apiKeys: ['sk-secret'] });
		const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'sk-secret' });
		await openai.audio.transcriptions.create({
			file: new File(['x'], 'private-name.wav'),
			model: 'whisper-1',
			prompt: 'private prompt',
		});
		expect(await server.log.next()).toEqual({
			level: 'info',
			message: 'request',
			fields: {
				id: expect.stringMatching(/^req_/),
				method: 'POST',
				path: '/v1/audio/transcriptions',
				status: 200,
				ms: 0,
				model: 'tiny',
				format: 'json',
				audioSeconds: beach.duration,
			},
		});
		expect(server.log.lines).toHaveLength(1);
		expect(JSON.stringify(server.log.lines)).not.toMatch(/secret|private|beach/);
	});

	test('says what was refused, without the words of the client', async () => {
		const server = await arrange();
		await transcribe(server, { response_format: 'private' });
		const { level, fields } = await server.log.next();
		expect(level).toBe('info');
		expect(fields).toMatchObject({ status: 400, code: 'invalid_request', param: 'response_format' });
		expect(JSON.stringify(fields)).not.toContain('private');
	});

	test.each(['/health', '/metrics'])('is not filled by those who watch %s', async (path) => {
		const server = await arrange();
		await get(server, path);
		expect((await server.log.next()).level).toBe('debug');
	});
});

describe('going down', () => {
	function busyModel() {
		const started = gate();
		const rest = gate();
		const model = new FakeTranscriber({
			script: async function* () {
				yield { type: 'started', duration: 1 } as const;
				started.open();
				await rest.promise;
				yield* eventsOf(beach);
			},
		});
		return { model, started: started.promise, finish: rest.open };
	}

	test('lets a request finish, and closes its connection', async () => {
		const { model, started, finish } = busyModel();
		const server = await arrange({ model });
		const answer = transcribe(server);
		await started;
		const closed = server.close();
		finish();
		expect(await answer).toMatchObject({ status: 200, json: { text: beach.text } });
		expect((await answer).headers.get('connection')).toBe('close');
		await closed;
	});

	test('lets a stream finish', async () => {
		const { model, started, finish } = busyModel();
		const server = await arrange({ model });
		const answer = transcribe(server, { stream: 'true' });
		await started;
		const closed = server.close();
		finish();
		expect(framesOf((await answer).text).at(-1)).toBe('data: [DONE]');
		await closed;
	});

	test('takes nothing new, on connections that are open already too', async () => {
		const { model, started, finish } = busyModel();
		const server = await arrange({ model });
		const socket = connect(server.port, '127.0.0.1');
		socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
		await once(socket, 'data');
		const answer = transcribe(server);
		await started;
		// Half a request keeps the connection from being closed as idle; the other request shows that it has arrived.
		socket.write('GET /health HTTP/1.1\r\n');
		await get(server, '/v1/models');
		const closed = server.close();
		socket.write('Host: localhost\r\n\r\n');
		const [refusal] = await once(socket, 'data');
		expect(refusal.toString()).toMatch(/^HTTP\/1.1 503 .*"code":"closed"/s);
		expect(refusal.toString()).toMatch(/retry-after: 2/i);
		finish();
		expect((await answer).status).toBe(200);
		await closed;
		await expect(fetch(`${server.url}/health`)).rejects.toThrow('fetch failed');
	});

	test('ends what takes longer than it may, with a refusal', async () => {
		const started = gate();
		const model = new FakeTranscriber({
			script: async function* (_call, signal) {
				yield { type: 'started', duration: 1 } as const;
				started.open();
				await aborted(signal);
			},
		});
		const server = await arrange({ model });
		const answer = transcribe(server);
		await started.promise;
		const closed = server.close({ graceMs: 5000 });
		server.clock.advance(4999);
		expect(server.log.lines).toEqual([]);
		server.clock.advance(1);
		expect(await answer).toMatchObject({ status: 503, json: { error: { code: 'closed' } } });
		await closed;
	});

	test('twice is going down once', async () => {
		const server = await arrange();
		await Promise.all([server.close(), server.close()]);
		expect(server.directories()).toEqual([]);
	});

	test('again with less patience ends sooner', async () => {
		const started = gate();
		const model = new FakeTranscriber({
			script: async function* (_call, signal) {
				yield { type: 'started', duration: 1 } as const;
				started.open();
				await aborted(signal);
			},
		});
		const server = await arrange({ model });
		const answer = transcribe(server);
		await started.promise;
		const patient = server.close({ graceMs: 60_000 });
		const impatient = server.close({ graceMs: 0 });
		server.clock.advance(0);
		expect((await answer).status).toBe(503);
		await Promise.all([patient, impatient]);
		expect(server.clock.waiting).toBe(0);
	});

	test('does not wait for a connection that was never used', async () => {
		const server = await arrange();
		const socket = connect(server.port, '127.0.0.1');
		await once(socket, 'connect');
		await get(server, '/health');
		const ended = once(socket, 'close');
		await server.close();
		await expect(ended).resolves.toBeDefined();
	});
});

test('an address that is taken is refused with a sentence, and leaves nothing behind', async () => {
	const server = await arrange();
	const before = server.directories();
	const [directory] = before;
	const started = startServer({
		pool: server.pool,
		version: '',
		port: server.port,
		tempDirectory: directory!,
	});
	await expect(started).rejects.toThrow(`another program already listens on 127.0.0.1:${server.port}`);
	expect(readdirSync(directory!)).toEqual([]);
});

test.skipIf(process.platform === 'win32')(
	'a path with something else than a socket is refused and kept',
	async () => {
		const server = await arrange();
		const [directory] = server.directories();
		const file = join(directory!, 'notes');
		writeFileSync(file, 'mine');
		const start = (host: string) =>
			startServer({
				pool: server.pool,
				version: '',
				host: `unix:${host}`,
				port: 0,
				tempDirectory: directory!,
			});
		await expect(start(file)).rejects.toThrow(`cannot listen on unix:${file}: it is a file, not a socket`);
		await expect(start(directory!)).rejects.toThrow('it is a folder, not a socket');
		expect(readFileSync(file, 'utf8')).toBe('mine');
	},
);

test('the address has the port that was found', async () => {
	const server = await startServer({ pool: new FakePool(new FakeTranscriber()), version: '', port: 0 });
	expect(server.address.url).toBe(`http://127.0.0.1:${server.address.port}`);
	expect(server.address.port).toBeGreaterThan(0);
	expect((await send(`${server.address.url}/health`)).status).toBe(200);
	await server.close();
});

test('requests of many clients at once keep apart', async () => {
	const model = new FakeTranscriber({
		script: ({ options }) => eventsOf({ ...beach, text: options.prompt, segments: [] }),
	});
	const server = await arrange({ model, memoryUploadBytes: 4 });
	const prompts = Array.from({ length: 50 }, (_, index) => `prompt ${index}`);
	const answers = await Promise.all(
		prompts.map((prompt) =>
			sendRaw(server, { body: multipart([{ name: 'prompt', body: prompt }, filePart]) }),
		),
	);
	expect(answers.map(({ json }) => json.text)).toEqual(prompts);
	expect(server.leftovers()).toEqual([]);
});
