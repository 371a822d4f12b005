import { describe, expect, test } from 'vitest';
import { isSignedBy, startReceiver } from '../../helpers/net/receiver.js';
import { type Answer, type Arranged, arrange, owner, send } from '../../helpers/net/server.js';

const body = {
	name: 'notes',
	url: 'https://hooks.example.com/in',
	event_types: ['transcription.completed', 'transcription.failed'],
};

const path = '/v1/webhook_endpoints';
const anna = { authorization: 'Bearer key-of-anna' };
const bert = { authorization: 'Bearer key-of-bert' };

function ask(
	{ url }: Arranged,
	method: string,
	route: string,
	{ json, headers = owner }: { json?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
	return send(url + route, {
		method,
		headers: { ...headers, ...(json !== undefined && { 'content-type': 'application/json' }) },
		...(json !== undefined && { body: JSON.stringify(json) }),
	});
}

async function created(server: Arranged, more: object = {}, headers = owner): Promise<Answer['json']> {
	const { status, json } = await ask(server, 'POST', path, { json: { ...body, ...more }, headers });
	expect(status).toBe(200);
	return json;
}

describe('a webhook endpoint', () => {
	test('is created with a secret that is shown once', async () => {
		const server = await arrange();
		const { signing_secret: secret, ...endpoint } = await created(server);
		expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
		expect(endpoint).toEqual({
			id: expect.stringMatching(/^whe_[0-9a-f]{32}$/),
			object: 'webhook_endpoint',
			created_at: expect.any(Number),
			updated_at: endpoint.created_at,
			...body,
			signing_secret_hint: `whsec_…${secret.slice(-4)}`,
			disabled: false,
		});
		expect((await ask(server, 'GET', `${path}/${endpoint.id}`)).json).toEqual(endpoint);
		expect((await ask(server, 'GET', path)).json).toMatchObject({ data: [endpoint], has_more: false });
	});

	test('is changed in what is given alone', async () => {
		const server = await arrange();
		const { signing_secret: _, ...endpoint } = await created(server);
		const { json } = await ask(server, 'POST', `${path}/${endpoint.id}`, { json: { name: 'other' } });
		expect(json).toEqual({ ...endpoint, name: 'other', updated_at: json.updated_at });
		const same = await ask(server, 'POST', `${path}/${endpoint.id}`, { json: {} });
		expect(same.json).toEqual(json);
		const off = await ask(server, 'POST', `${path}/${endpoint.id}`, { json: { disabled: true } });
		expect(off.json.disabled).toBe(true);
	});

	test('is deleted', async () => {
		const server = await arrange();
		const { id } = await created(server);
		const gone = await ask(server, 'DELETE', `${path}/${id}`);
		expect(gone.json).toEqual({ id, object: 'webhook_endpoint.deleted', deleted: true });
		expect((await ask(server, 'GET', `${path}/${id}`)).status).toBe(404);
	});

	test('gets another secret', async () => {
		const server = await arrange();
		const { id, signing_secret: before } = await created(server);
		const { json } = await ask(server, 'POST', `${path}/${id}/rotate_secret`);
		expect(json.signing_secret).not.toBe(before);
		expect(json.signing_secret_hint).toBe(`whsec_…${json.signing_secret.slice(-4)}`);
	});

	test('is listed in pages, the newest first', async () => {
		const server = await arrange();
		const ids: string[] = [];
		for (const name of ['a', 'b', 'c']) ids.push((await created(server, { name })).id);
		const first = (await ask(server, 'GET', `${path}?limit=2`)).json;
		expect(first).toMatchObject({ object: 'list', has_more: true, first_id: first.data[0].id });
		const rest = (await ask(server, 'GET', `${path}?limit=2&after=${first.last_id}`)).json;
		expect(rest.has_more).toBe(false);
		expect([...first.data, ...rest.data].map(({ id }) => id).sort()).toEqual(ids.sort());
	});

	test('of another key is not there', async () => {
		const server = await arrange({ apiKeys: ['key-of-anna', 'key-of-bert'] });
		const { id } = await created(server, {}, anna);
		const routes = [
			['GET', ''],
			['POST', ''],
			['DELETE', ''],
			['POST', '/rotate_secret'],
			['POST', '/test'],
		] as const;
		for (const [method, end] of routes) {
			const { status, json } = await ask(server, method, `${path}/${id}${end}`, { headers: bert });
			expect([status, json.error.code]).toEqual([404, 'not_found']);
		}
		expect((await ask(server, 'GET', path, { headers: bert })).json.data).toEqual([]);
		expect((await ask(server, 'GET', `${path}/${id}`, { headers: anna })).status).toBe(200);
	});

	test('has the paths of a base URL without /v1', async () => {
		const server = await arrange();
		expect((await ask(server, 'GET', '/webhook_endpoints')).json.data).toEqual([]);
		expect((await ask(server, 'GET', '/v1/webhook_event_types')).json).toEqual({
			object: 'list',
			data: ['transcription.completed', 'transcription.failed', 'transcription.cancelled'],
		});
	});
});

describe('refused', () => {
	test.each([
		['no name', { name: undefined }, 'name'],
		['an empty name', { name: ' ' }, 'name'],
		['a name that is no text', { name: 7 }, 'name'],
		['a name of two lines', { name: 'a\nb' }, 'name'],
		['no URL', { url: undefined }, 'url'],
		['a URL that is no text', { url: ['https://a.example'] }, 'url'],
		['a private URL', { url: 'https://192.168.1.1/' }, 'url'],
		['a URL without https', { url: 'http://hooks.example.com/' }, 'url'],
		['no events', { event_types: [] }, 'event_types'],
		['an event of another product', { event_types: ['batch.completed'] }, 'event_types'],
		['events that are no list', { event_types: 'transcription.completed' }, 'event_types'],
		['a switch that is none', { disabled: 'yes' }, 'disabled'],
	])('%s', async (_, more, param) => {
		const server = await arrange();
		const { status, json } = await ask(server, 'POST', path, { json: { ...body, ...more } });
		expect([status, json.error.param]).toEqual([400, param]);
		expect(json.error.message).toMatch(new RegExp(`^Expected \`${param}\` to be `));
	});

	test.each([
		['limit=0', 'limit'],
		['limit=101', 'limit'],
		['limit=x', 'limit'],
		['after=whe_0', 'after'],
		['limit=1&limit=2', 'limit'],
	])('a list with %s', async (query, param) => {
		const { status, json } = await ask(await arrange(), 'GET', `${path}?${query}`);
		expect([status, json.error.param]).toEqual([400, param]);
	});

	test('a rotation whose flag is none, and a test of an event that there is not', async () => {
		const server = await arrange();
		const { id } = await created(server);
		const rotation = { keep_old_secret_active_for_24_hours: 1 };
		const answers = [
			await ask(server, 'POST', `${path}/${id}/rotate_secret`, { json: rotation }),
			await ask(server, 'POST', `${path}/${id}/test`, { json: { event_type: 'video.completed' } }),
			await ask(server, 'POST', `${path}/${id}/test`),
		];
		expect(answers.map(({ json }) => json.error.param)).toEqual([
			'keep_old_secret_active_for_24_hours',
			'event_type',
			'event_type',
		]);
	});

	test('everything without a key, since it stays on this machine', async () => {
		const server = await arrange();
		for (const [method, route] of [
			['GET', path],
			['POST', path],
			['GET', `${path}/whe_0`],
			['GET', '/v1/webhook_deliveries'],
		] as const) {
			const { status, json } = await ask(server, method, route, { headers: {} });
			expect([status, json.error.code]).toEqual([403, 'key_needed']);
		}
	});

	test('more than 100 endpoints', async () => {
		const server = await arrange();
		for (let count = 0; count < 100; count++) await created(server);
		const { status, json } = await ask(server, 'POST', path, { json: body });
		expect([status, json.error.code]).toEqual([400, 'invalid_request']);
	});
});

describe('a test of an endpoint', () => {
	test('sends a signed sample, and returns the status', async () => {
		const receiver = await startReceiver((response) => void response.writeHead(418).end());
		const server = await arrange({ webhookAllow: [receiver.place] });
		const { id, signing_secret: secret } = await created(server, { url: receiver.url });
		const event_type = 'transcription.completed';
		const { json } = await ask(server, 'POST', `${path}/${id}/test`, { json: { event_type } });
		expect(json).toEqual({
			object: 'webhook_endpoint.test',
			webhook_endpoint_id: id,
			event_type,
			status_code: 418,
			success: true,
		});
		const [request] = receiver.received;
		expect(request && isSignedBy(secret, request)).toBe(true);
		expect(JSON.parse(request?.body ?? '')).toMatchObject({
			object: 'event',
			type: event_type,
			data: { id: expect.stringMatching(/^trj_test/) },
		});
		expect(request?.headers['webhook-id']).toBe(JSON.parse(request?.body ?? '').id);
	});

	test('that gives no answer fails with the reason', async () => {
		const server = await arrange({ webhookAllow: ['127.0.0.1'] });
		const { id } = await created(server, { url: 'http://127.0.0.1:1/' });
		const { status, headers, json } = await ask(server, 'POST', `${path}/${id}/test`, {
			json: { event_type: 'transcription.failed' },
		});
		expect([status, json.error.code, headers.get('x-should-retry')]).toEqual([
			502,
			'webhook_failed',
			'false',
		]);
		expect(json.error.message).toContain('ECONNREFUSED');
	});
});

test('deliveries are listed, of which there are none at first', async () => {
	const server = await arrange();
	expect((await ask(server, 'GET', '/v1/webhook_deliveries')).json).toEqual({
		object: 'list',
		data: [],
		first_id: null,
		last_id: null,
		has_more: false,
	});
});
