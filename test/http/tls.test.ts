import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startServer } from '../../src/server/server.js';
import { readTls, tlsFilesOf } from '../../src/server/tls.js';
import { FakePool, FakeTranscriber } from '../helpers/fakes.js';
import { arrange } from '../helpers/net/server.js';
import { liveClient } from '../helpers/net/socket.js';
import { localhost, lockedKey, speech } from '../helpers/tls/tls.js';

async function get(port: number, path: string, options: RequestOptions = {}) {
	const asked = request({ host: '127.0.0.1', port, path, ca: localhost.cert, ...options });
	asked.end();
	const [answer] = await once(asked, 'response');
	return { status: answer.statusCode, body: await json(answer), socket: asked.socket as TLSSocket };
}

describe('a server with a certificate', () => {
	test('says that its address is https, and answers there', async () => {
		const server = await startServer({
			pool: new FakePool(new FakeTranscriber()),
			version: '1.2.3',
			tls: localhost,
		});
		onTestFinished(() => server.close({ graceMs: 0 }));
		const { url, port } = server.address;
		expect(url).toBe(`https://127.0.0.1:${port}`);
		expect(await get(port, '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
	});

	test('opens live sessions over wss', async () => {
		const { port } = await arrange({ tls: localhost });
		const client = liveClient(`wss://127.0.0.1:${port}/v1/realtime`, { ca: localhost.cert });
		expect(await client.nextOf('session.created')).toMatchObject({ session: { type: 'transcription' } });
	});

	test('answers a request that offers HTTP/2 in this one', async () => {
		const { port } = await arrange({ tls: localhost });
		const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
		expect(await get(port, '/health', { headers })).toMatchObject({ status: 200, body: { status: 'ok' } });
	});

	test('holds pages of other origins and other host names off as without one', async () => {
		const { port } = await arrange({ tls: localhost });
		const refused = await get(port, '/v1/models', {
			headers: { host: 'evil.example' },
			servername: 'localhost',
		});
		expect(refused).toMatchObject({ status: 403, body: { error: { code: 'host_refused' } } });
		const origin = 'https://evil.example';
		expect(await get(port, '/v1/models', { headers: { origin } })).toMatchObject({
			status: 403,
			body: { error: { code: 'origin_refused' } },
		});
	});

	test('closes the connection of a client without TLS, and answers the next one', async () => {
		const { port, log } = await arrange({ tls: localhost });
		const socket = connect(port, '127.0.0.1').on('error', () => {});
		socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
		await once(socket.resume(), 'close');
		expect(await get(port, '/health')).toMatchObject({ status: 200 });
		expect(log.lines.filter(({ fields }) => fields.status === 400)).toEqual([]);
	});

	test('takes no TLS older than 1.2', async () => {
		const { port } = await arrange({ tls: localhost });
		const socket = connectTls({ port, ca: localhost.cert, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
		await expect(once(socket, 'secureConnect')).rejects.toThrow();
	});

	test('shows a renewed one to new connections, and keeps the open ones', async () => {
		const server = await startServer({
			pool: new FakePool(new FakeTranscriber()),
			version: '1.2.3',
			tls: speech,
		});
		onTestFinished(() => server.close({ graceMs: 0 }));
		const { port } = server.address;
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		onTestFinished(() => agent.destroy());
		const old = { agent, ca: speech.cert, servername: 'speech.example' };
		const first = await get(port, '/health', old);
		const live = new WebSocket(`wss://127.0.0.1:${port}/v1/realtime`, [], {
			ca: speech.cert,
			rejectUnauthorized: false,
		});
		await once(live, 'message');
		server.renewTls(localhost);
		expect(await get(port, '/health')).toMatchObject({ status: 200 });
		const second = await get(port, '/health', old);
		expect(second.socket).toBe(first.socket);
		live.send(JSON.stringify({ type: 'input_audio_buffer.clear' }));
		const [answer] = await once(live, 'message');
		expect(JSON.parse(String(answer))).toMatchObject({ type: 'input_audio_buffer.cleared' });
	});
});

describe('the files of a certificate', () => {
	test('are read', async () => {
		expect(await readTls(localhost)).toEqual({
			cert: localhost.cert,
			key: localhost.key,
			warnings: [],
		});
	});

	test.each([
		['', '', undefined],
		['c', 'k', { certFile: 'c', keyFile: 'k' }],
	])('are none or two: `%s`, `%s`', (cert, key, files) => {
		expect(tlsFilesOf(cert, key)).toEqual(files);
	});

	test.each([
		['c', '', 'Expected `tls-key` to be set together with `tls-cert`, got nothing'],
		['', 'k', 'Expected `tls-cert` to be set together with `tls-key`, got nothing'],
	])('are not one: `%s`, `%s`', (cert, key, message) => {
		expect(() => tlsFilesOf(cert, key)).toThrow(message);
	});

	test.each([
		[
			'a missing certificate',
			{ ...localhost, certFile: '/nowhere/c.pem' },
			/^Expected `tls-cert` to be a file that this user can read, got `\/nowhere\/c.pem` \(ENOENT/,
		],
		[
			'a missing key',
			{ ...localhost, keyFile: '/nowhere/k.pem' },
			/^Expected `tls-key` to be a file that this user can read/,
		],
		[
			'a key as the certificate',
			{ ...localhost, certFile: localhost.keyFile },
			/^Expected `tls-cert` to be a certificate in PEM form/,
		],
		[
			'a certificate as the key',
			{ ...localhost, keyFile: localhost.certFile },
			/^Expected `tls-key` to be a private key in PEM form without a passphrase/,
		],
		[
			'a key with a passphrase',
			{ ...localhost, keyFile: lockedKey },
			/^Expected `tls-key` to be a private key in PEM form without a passphrase/,
		],
		[
			'the key of another',
			{ ...localhost, keyFile: speech.keyFile },
			/^Expected `tls-key` to be the private key of the certificate in .* which is that of another/,
		],
	])('are refused: %s', async (_, files, message) => {
		await expect(readTls(files)).rejects.toMatchObject({
			code: 'config_invalid',
			message: expect.stringMatching(message),
		});
	});

	test.each([
		['has expired', Date.UTC(2200, 0)],
		['is not valid before', Date.UTC(2020, 0)],
	])('are logged: a certificate that %s', async (what, nowMs) => {
		const { warnings } = await readTls(localhost, nowMs);
		expect(warnings).toEqual([expect.stringContaining(what)]);
	});
});
