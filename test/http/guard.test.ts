import { connect } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { readOpenApi } from '../../src/server/routes/openapi.js';
import { type Arranged, arrange, filePart, multipart, send, sendRaw } from '../helpers/net/server.js';

const get = (server: Arranged, headers: Record<string, string>, path = '/v1/models') =>
	sendRaw(server, { method: 'GET', path, headers });

const preflight = (server: Arranged, headers: Record<string, string>) =>
	sendRaw(server, {
		method: 'OPTIONS',
		headers: { 'access-control-request-method': 'POST', ...headers },
	});

describe('API keys', () => {
	test('are not required if none are set', async () => {
		const server = await arrange();
		expect((await get(server, {})).status).toBe(200);
		expect((await get(server, { authorization: 'Bearer whatever' })).status).toBe(200);
	});

	test.each(['Bearer sk-one', 'Bearer sk-two', 'bearer   sk-two '])('%j opens', async (authorization) => {
		const server = await arrange({ apiKeys: ['sk-one', 'sk-two'] });
		expect((await get(server, { authorization })).status).toBe(200);
	});

	test.each(['api-key', 'x-api-key', 'X-API-Key'])(
		'the header %s opens too, as other clients send it',
		async (name) => {
			const server = await arrange({ apiKeys: ['sk-one'] });
			expect((await get(server, { [name]: 'sk-one' })).status).toBe(200);
			expect((await get(server, { [name]: 'sk-two' })).status).toBe(401);
		},
	);

	test.each(['', 'Bearer ', 'Bearer sk-on', 'Bearer sk-one2', 'Basic sk-one', 'sk-one'])(
		'%j is refused, and not repeated',
		async (authorization) => {
			const server = await arrange({ apiKeys: ['sk-one'] });
			const answer = await get(server, authorization === '' ? {} : { authorization });
			expect(answer.status).toBe(401);
			expect(answer.headers['www-authenticate']).toBe('Bearer');
			expect(answer.json.error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_api_key' });
			expect(answer.text).not.toContain('sk-');
		},
	);

	test('guard every path but /health and /ready', async () => {
		const server = await arrange({ apiKeys: ['sk-one'] });
		for (const path of ['/', '/openapi.json', '/models', '/v1/models/tiny', '/metrics', '/nope']) {
			expect((await get(server, {}, path)).status).toBe(401);
		}
		expect((await get(server, {}, '/health')).status).toBe(200);
		expect((await get(server, {}, '/ready')).status).toBe(200);
		expect((await sendRaw(server, { body: multipart([filePart]) })).status).toBe(401);
	});
});

describe('the Host header', () => {
	test.each([
		'localhost',
		'localhost:8080',
		'127.0.0.1:1',
		'127.1.2.3',
		'[::1]:80',
		'LOCALHOST.',
		'a.localhost',
	])('%s is this machine', async (host) => {
		expect((await get(await arrange(), { host })).status).toBe(200);
	});

	test('is the machine as a container sees it', async () => {
		expect((await get(await arrange(), { host: 'host.docker.internal:8080' })).status).toBe(200);
	});

	test.each([
		'evil.example',
		'localhost.evil.example',
		'127.0.0.1.evil.example',
		'evil@localhost',
		'192.168.0.7',
		'[::2]',
		'local host',
	])('%s is refused on a loopback address, against DNS rebinding', async (host) => {
		const answer = await get(await arrange(), { host }, '/health');
		expect(answer).toMatchObject({
			status: 403,
			json: { error: { code: 'host_refused', type: 'permission_error' } },
		});
	});

	test('may be one that was allowed', async () => {
		const server = await arrange({ allowedHosts: ['stt.example', '::2'] });
		expect((await get(server, { host: 'STT.example:443' })).status).toBe(200);
		expect((await get(server, { host: '[::2]:443' })).status).toBe(200);
		expect((await get(server, { host: 'evil.example' })).status).toBe(403);
	});

	test('may be any where any was allowed', async () => {
		expect((await get(await arrange({ allowedHosts: ['*'] }), { host: 'evil.example' })).status).toBe(200);
	});

	test.each(['localhost:8080', '192.168.0.7', '[fe80::1]:8080', hostname(), `${hostname()}.`])(
		'may be %s on an address that is open to the network',
		async (host) => {
			for (const open of ['0.0.0.0', '::'])
				expect((await get(await arrange({ host: open }), { host })).status).toBe(200);
		},
	);

	test.each(['evil.example', '7.evil.example', `${hostname()}.evil.example`])(
		'is refused as %s on an address that is open to the network, against DNS rebinding',
		async (host) => {
			for (const open of ['0.0.0.0', '::'])
				expect(await get(await arrange({ host: open }), { host })).toMatchObject({
					status: 403,
					json: { error: { code: 'host_refused' } },
				});
		},
	);

	test('is one of those that were named, where any were', async () => {
		const named = await arrange({ host: '0.0.0.0', allowedHosts: ['nas.lan'] });
		expect((await get(named, { host: 'nas.lan' })).status).toBe(200);
		expect((await get(named, { host: '192.168.0.7' })).status).toBe(403);
	});

	test('has to be there in HTTP/1.1', async () => {
		const server = await arrange();
		const socket = connect(server.port, '127.0.0.1');
		socket.write('GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n');
		const answer = await text(socket);
		expect(answer).toMatch(/^HTTP\/1.1 400 .*x-request-id: req_.*"code":"invalid_request"/s);
	});
});

describe('the Origin header', () => {
	test.each(['http://localhost:3000', 'https://127.0.0.1', 'http://[::1]:5173', 'tauri://localhost'])(
		'%s is a page of this machine',
		async (origin) => {
			const answer = await get(await arrange(), { origin });
			expect(answer.status).toBe(200);
			expect(answer.headers['access-control-allow-origin']).toBe(origin);
			expect(answer.headers['access-control-expose-headers']).toContain('x-request-id');
			expect(answer.headers.vary).toBe('Origin');
		},
	);

	test('may read every header of an answer that is documented', async () => {
		const { headers } = await get(await arrange(), { origin: 'http://localhost' });
		const { responses } = readOpenApi().components;
		const documented = Object.values(responses).flatMap((response) =>
			'headers' in response ? Object.keys(response.headers as object) : [],
		);
		expect(documented).toContain('x-earshot-warnings');
		expect(headers['access-control-expose-headers']?.toString().split(', ')).toEqual(
			expect.arrayContaining(documented.map((name) => name.toLowerCase())),
		);
	});

	test.each([
		'https://evil.example',
		'null',
		'http://localhost.evil.example',
		'app://obsidian.md',
		'file://',
		'x',
	])('%s is refused', async (origin) => {
		const answer = await get(await arrange(), { origin });
		expect(answer).toMatchObject({ status: 403, json: { error: { code: 'origin_refused' } } });
		expect(answer.headers['access-control-allow-origin']).toBeUndefined();
	});

	test('may be the server’s own', async () => {
		const server = await arrange({ allowedHosts: ['stt.example'] });
		const headers = { host: 'stt.example', origin: 'https://stt.example' };
		expect((await get(server, headers)).status).toBe(200);
	});

	test('may be one that was allowed', async () => {
		const server = await arrange({ allowedOrigins: ['https://notes.example/', 'app://obsidian.md', 'null'] });
		for (const origin of ['https://notes.example', 'app://obsidian.md', 'null']) {
			expect((await get(server, { origin })).status).toBe(200);
		}
		expect((await get(server, { origin: 'https://evil.example' })).status).toBe(403);
	});

	test('may be any where any was allowed', async () => {
		const server = await arrange({ allowedOrigins: ['*'] });
		expect((await get(server, { origin: 'https://evil.example' })).status).toBe(200);
	});

	test('gets a preflight answered, without a key', async () => {
		const server = await arrange({ apiKeys: ['sk-one'] });
		const answer = await preflight(server, {
			origin: 'http://localhost:3000',
			'access-control-request-headers': 'Authorization, x-stainless-os, bad header',
			'access-control-request-private-network': 'true',
		});
		expect(answer.status).toBe(204);
		expect(answer.headers).toMatchObject({
			'access-control-allow-origin': 'http://localhost:3000',
			'access-control-allow-methods': 'POST, OPTIONS',
			'access-control-allow-headers': 'authorization, x-stainless-os',
			'access-control-allow-private-network': 'true',
			'access-control-max-age': '600',
		});
	});

	test('gets no preflight answered from elsewhere', async () => {
		const answer = await preflight(await arrange(), { origin: 'https://evil.example' });
		expect(answer.status).toBe(403);
	});

	test('sees why it was refused for other reasons', async () => {
		const server = await arrange({ apiKeys: ['sk-one'] });
		const answer = await send(`${server.url}/v1/models`, { headers: { origin: 'http://localhost:3000' } });
		expect(answer.status).toBe(401);
		expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:3000');
	});
});
