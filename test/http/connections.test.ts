/** What reaches a client over a raw connection: refusals before its body has ended, and answers to what is no request. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import { minimumRateWindowMs } from '../../src/server/request/minimum-rate.js';
import { type Arranged, arrange, filePart, multipart, transcribe } from '../helpers/net/server.js';

const crlf = (lines: readonly string[]) => `${lines.join('\r\n')}\r\n`;

function opened(server: Arranged, head: readonly string[]): Socket {
	const socket = connect(server.port, '127.0.0.1');
	socket.on('error', () => {
		// Tests look at what has arrived.
	});
	socket.write(crlf([...head, '']));
	return socket;
}

const formType = 'multipart/form-data; boundary=yy';

const post = (length: number, version = '1.1', more: readonly string[] = [], type = formType) => [
	`POST /v1/audio/transcriptions HTTP/${version}`,
	'Host: localhost',
	`Content-Type: ${type}`,
	`Content-Length: ${length}`,
	...more,
];

/** The status, headers and parsed body of an answer. */
function parsed(answer: string) {
	const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
	return { status: Number(head.slice(9, 12)), head, json: body === '' ? undefined : JSON.parse(body) };
}

describe('a refusal reaches a client that sends its whole body before it reads', () => {
	const cases = [
		['keep-alive', '1.1', []],
		['Connection: close', '1.1', ['Connection: close']],
		['HTTP/1.0', '1.0', []],
	] as const;

	test.each(cases)('of an upload that is too large, with %s', async (_, version, more) => {
		const server = await arrange({ maxUploadBytes: 1000 });
		const body = Buffer.alloc(20 << 20, 1);
		const socket = opened(server, post(body.length, version, more));
		socket.pause();
		await new Promise((resolve) => socket.write(body, resolve));
		const [answer] = await once(socket.resume(), 'data');
		expect(parsed(String(answer))).toMatchObject({
			status: 413,
			json: { error: { code: 'upload_too_large' } },
		});
		socket.destroy();
	});

	test.each(cases)('of a request without a key, with %s', async (_, version, more) => {
		const server = await arrange({ apiKeys: ['secret'] });
		const body = Buffer.alloc(20 << 20, 1);
		const socket = opened(server, post(body.length, version, more));
		socket.pause();
		await new Promise((resolve) => socket.write(body, resolve));
		const [answer] = await once(socket.resume(), 'data');
		expect(parsed(String(answer))).toMatchObject({
			status: 401,
			json: { error: { code: 'invalid_api_key' } },
		});
		socket.destroy();
	});

	test('and the connection serves on where the client keeps it', async () => {
		const server = await arrange({ apiKeys: ['secret'] });
		const body = Buffer.alloc(100_000, 1);
		const socket = opened(server, post(body.length));
		socket.write(body);
		await once(socket, 'data');
		socket.write(crlf(['GET /health HTTP/1.1', 'Host: localhost', '']));
		const [answer] = await once(socket, 'data');
		expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
		socket.destroy();
	});

	test('but not for ever: one that stays silent is closed', async () => {
		const server = await arrange({ apiKeys: ['secret'] });
		const socket = opened(server, post(1_000_000));
		const [answer] = await once(socket, 'data');
		expect(String(answer)).toMatch(/^HTTP\/1.1 401 /);
		const closed = once(socket, 'close');
		server.clock.advance(5000);
		await closed;
		expect(server.clock.waiting).toBe(0);
	});
});

describe('an upload that is not sent', () => {
	test('is not charged for the bytes of others, whatever Content-Length says', async () => {
		const server = await arrange({ maxUploadsBytes: 2000, maxUploadBytes: 1e9 });
		const idle = [opened(server, post(1e9)), opened(server, post(1e9))];
		await vi.waitUntil(() => server.clock.waiting === 2);
		expect((await transcribe(server)).status).toBe(200);
		for (const socket of idle) socket.destroy();
	});

	test.each([
		['a form', formType],
		['a raw body', 'audio/wav'],
	])('as %s is answered with 408 after half a minute of silence', async (_, type) => {
		const server = await arrange();
		const socket = opened(server, post(1000, '1.1', [], type));
		await vi.waitUntil(() => server.clock.waiting === 1);
		server.clock.advance(minimumRateWindowMs);
		const [answer] = await once(socket, 'data');
		expect(parsed(String(answer))).toMatchObject({
			status: 408,
			json: {
				error: {
					code: 'request_timeout',
					message: 'The body of the request came more slowly than 500 bytes per second for 30 s',
				},
			},
		});
		socket.destroy();
	});

	test('also where the rest of it comes a byte at a time', async () => {
		const server = await arrange({ minUploadBytesPerSecond: 1000 });
		const body = multipart([{ ...filePart, body: Buffer.alloc(100_000, 1) }]);
		const socket = opened(server, post(body.length));
		const write = (from: number, to: number) =>
			new Promise((resolve) => socket.write(body.subarray(from, to), resolve));
		await write(0, 50_000);
		await vi.waitUntil(() => server.clock.waiting === 1);
		const receive = vi.fn();
		socket.on('data', receive);
		// Of the first half minute, enough has come.
		await vi.waitFor(() => expect(server.model.calls).toEqual([]));
		server.clock.advance(minimumRateWindowMs);
		await write(50_000, 50_001);
		expect(receive).not.toHaveBeenCalled();
		server.clock.advance(minimumRateWindowMs);
		await vi.waitUntil(() => receive.mock.calls.length > 0);
		expect(String(receive.mock.calls[0]?.[0])).toMatch(/^HTTP\/1.1 408 /);
		socket.destroy();
	});

	test('may be slow if no minimum rate is set', async () => {
		const server = await arrange({ minUploadBytesPerSecond: 0 });
		const body = multipart([filePart]);
		const socket = opened(server, post(body.length));
		socket.write(body.subarray(0, 10));
		await vi.waitFor(() => expect(server.pool.asked).toEqual([]));
		server.clock.advance(24 * 3_600_000);
		socket.write(body.subarray(10));
		const [answer] = await once(socket, 'data');
		expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
		socket.destroy();
	});
});

describe('what is no request for Earshot is answered in OpenAI’s envelope, with an id', () => {
	const get = (...more: string[]) => crlf(['GET /v1/models HTTP/1.1', 'Host: localhost', ...more, '']);

	test.each([
		['no HTTP at all', 'hello\r\n\r\n', 400, 'invalid_request'],
		['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_request'],
		['a space before a colon', get('X-A : b'), 400, 'invalid_request'],
		['two lengths', get('Content-Length: 0', 'Content-Length: 5'), 400, 'invalid_request'],
		['headers of 20 KB', get(`X-A: ${'a'.repeat(20_000)}`), 431, 'headers_too_large'],
		['a path of 100 KB', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`, 431, 'headers_too_large'],
		[
			'chunks with extensions of 20 KB',
			`${crlf(['POST /v1/models HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked', ''])}5;a=${'x'.repeat(20_000)}\r\nhello\r\n`,
			413,
			'upload_too_large',
		],
		[
			'a proxy’s CONNECT',
			'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n',
			405,
			'method_not_allowed',
		],
		['another expectation', get('Expect: a-miracle', 'Connection: close'), 417, 'expectation_failed'],
	])('%s', async (_, bytes, status, code) => {
		const server = await arrange();
		const socket = connect(server.port, '127.0.0.1');
		socket.write(bytes);
		const answer = parsed(await text(socket));
		expect(answer).toMatchObject({
			status,
			json: { error: { code, type: expect.any(String), param: null, message: expect.any(String) } },
		});
		const id = /x-request-id: (req_\w+)/i.exec(answer.head)?.[1];
		expect(id).toBeDefined();
		expect(await server.log.next()).toMatchObject({ fields: { id } });
	});

	test('a body that breaks its encoding, with the id of its request', async () => {
		const server = await arrange();
		const head = ['POST /v1/audio/transcriptions HTTP/1.1', 'Host: localhost', 'x-request-id: mine'];
		const type = 'Content-Type: multipart/form-data; boundary=yy';
		const socket = opened(server, [...head, type, 'Transfer-Encoding: chunked']);
		socket.write('zz\r\nabc');
		const answer = parsed(await text(socket));
		expect(answer).toMatchObject({ status: 400, json: { error: { code: 'invalid_request' } } });
		expect(answer.head).toMatch(/x-request-id: mine/i);
	});
});
