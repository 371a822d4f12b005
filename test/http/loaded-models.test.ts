import { describe, expect, test } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import { listed } from '../helpers/fakes.js';
import { type Arranged, arrange, owner, send } from '../helpers/net/server.js';

const post = (server: Arranged, path: string, headers: Record<string, string> = owner) =>
	send(server.url + path, { method: 'POST', headers });

describe('GET /v1/ps', () => {
	test('lists what is loaded, loading or in backoff, and nothing else', async () => {
		const server = await arrange();
		server.pool.models.splice(
			0,
			2,
			listed('away'),
			listed('here', {
				state: 'loaded',
				pid: 4711,
				memoryBytes: 123_000_000,
				idleMs: 12_400,
				unloadsInMs: 287_600,
			}),
			listed('coming', { state: 'loading', pid: 4712, requests: 2 }),
			listed('dying', { state: 'backoff' }),
		);
		const others = {
			object: 'model.loaded',
			idle_seconds: null,
			unloads_in_seconds: null,
			memory_bytes: 0,
		};
		expect((await send(`${server.url}/ps`)).json).toEqual({
			object: 'list',
			data: [
				{
					id: 'here',
					object: 'model.loaded',
					state: 'loaded',
					pid: 4711,
					memory_bytes: 123_000_000,
					requests: 0,
					idle_seconds: 12,
					unloads_in_seconds: 288,
				},
				{ ...others, id: 'coming', state: 'loading', pid: 4712, requests: 2 },
				{ ...others, id: 'dying', state: 'backoff', pid: null, requests: 0 },
			],
		});
	});
});

describe('loading and unloading over HTTP', () => {
	test('loads a model by any of its names, and responds with the model once it is loaded', async () => {
		const server = await arrange();
		const answer = await post(server, '/v1/models/whisper-1/load');
		expect(answer).toMatchObject({ status: 200, json: { id: 'tiny', object: 'model' } });
		expect(server.pool.asked).toEqual(['whisper-1']);
	});

	test('unloads a model whose id has slashes', async () => {
		const server = await arrange();
		const answer = await post(server, '/models/org/large:q5/unload');
		expect(answer).toMatchObject({ status: 200, json: { id: 'org/large:q5', state: 'unloaded' } });
		expect(server.pool.unloaded).toEqual(['org/large:q5']);
	});

	test.each(['load', 'unload'])('%s of what is not here is a 404', async (verb) => {
		const answer = await post(await arrange(), `/v1/models/nobody/${verb}`);
		expect(answer).toMatchObject({ status: 404, json: { error: { code: 'model_not_found' } } });
	});

	test.each([
		['model_backoff', 503, '17'],
		['out_of_memory', 503, '17'],
	] as const)('answers %s with Retry-After', async (code, status, retryAfter) => {
		const server = await arrange();
		server.pool.onLoad = async () => {
			throw new EarshotError(code, 'not now', { retryAfterSeconds: 17 });
		};
		const answer = await post(server, '/v1/models/tiny/load');
		expect(answer).toMatchObject({ status, json: { error: { code, message: 'not now' } } });
		expect([answer.headers.get('retry-after'), answer.headers.get('x-should-retry')]).toEqual([
			retryAfter,
			'true',
		]);
	});

	test.each(['load', 'unload'])(
		'%s is for those with a key, or with the server’s own token',
		async (verb) => {
			const open = await arrange();
			const path = `/v1/models/tiny/${verb}`;
			for (const headers of [{}, { authorization: 'Bearer wrong' }, { 'x-forwarded-for': '127.0.0.1' }])
				expect(await post(open, path, headers)).toMatchObject({
					status: 403,
					json: { error: { code: 'key_needed', message: expect.stringContaining('Loading and unloading') } },
				});
			expect([...open.pool.asked, ...open.pool.unloaded]).toEqual([]);
			const locked = await arrange({ apiKeys: ['secret'] });
			expect((await post(locked, path, {})).status).toBe(401);
			expect((await post(locked, path, { 'x-api-key': 'secret' })).status).toBe(200);
			expect((await post(locked, path, owner)).status).toBe(200);
		},
	);

	test.each(['load', 'unload'])('OPTIONS of %s, and a 405, name the methods there are', async (verb) => {
		const server = await arrange();
		const url = `${server.url}/v1/models/org/large:q5/${verb}`;
		const options = await send(url, { method: 'OPTIONS' });
		expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS']);
		for (const method of ['GET', 'DELETE', 'PUT']) {
			const refused = await send(url, { method });
			expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
		}
	});
});

test('GET /v1/models lists the memory of loaded models', async () => {
	const server = await arrange();
	server.pool.models.splice(0, 2, listed('a', { state: 'loaded', memoryBytes: 5e8 }), listed('b'));
	const { data } = (await send(`${server.url}/v1/models`)).json;
	expect(data[0]).toMatchObject({ id: 'a', state: 'loaded', memory_bytes: 5e8 });
	expect(data[1]).not.toHaveProperty('memory_bytes');
});
