// Methods and targets that no route has, requests that are half one protocol and half another.
import { exchange, request, seen } from '../lib/http.mjs';

const local = ['Host: localhost', 'Connection: close'];
const websocket = [
	'Upgrade: websocket',
	'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
	'Sec-WebSocket-Version: 13',
];

/** What is asked, how, and the statuses that are an answer to it. */
const cases = [
	...['HEAD', 'TRACE', 'PUT', 'PATCH', 'DELETE'].map((method) => [
		`${method} of a path that has none`,
		request(`${method} /v1/audio/transcriptions HTTP/1.1`, local),
		[405, 501],
	]),
	['a method that nobody knows', request('FOO / HTTP/1.1', local), [400, 405, 501]],
	['OPTIONS *', request('OPTIONS * HTTP/1.1', local), [200, 204, 400, 404]],
	[
		'a target that is a URL of another host',
		request('GET http://evil.example/v1/models HTTP/1.1', local),
		[200, 400, 403, 404],
	],
	['a request without a host', request('GET /health HTTP/1.1', ['Connection: close']), [400]],
	[
		'two hosts',
		request('GET /v1/models HTTP/1.1', ['Host: localhost', 'Host: evil.example', 'Connection: close']),
		[200, 400],
	],
	['HTTP/1.0 without a host', request('GET /health HTTP/1.0'), [200, 400, 403]],
	['the preface of HTTP/2', request('PRI * HTTP/2.0', ['', 'SM']), [400, 505]],
	[
		'an upgrade to WebSocket',
		request('GET /health HTTP/1.1', ['Host: localhost', 'Connection: Upgrade', ...websocket]),
		[200, 400, 404, 426],
	],
	['Expect: something else', request('GET /health HTTP/1.1', [...local, 'Expect: foo']), [200, 417]],
];

export async function attack({ server, check }) {
	for (const [what, bytes, statuses] of cases) {
		const answer = await exchange(server.port, bytes, { timeoutMs: 3_000 });
		// An answer that leaves the connection open is one as well.
		check(what, statuses.includes(answer.status), seen(answer));
	}
	const tunnel = await exchange(
		server.port,
		request('CONNECT 127.0.0.1:22 HTTP/1.1', ['Host: 127.0.0.1:22']),
	);
	check('CONNECT opens no tunnel', tunnel.status === 0 || tunnel.status >= 400, seen(tunnel));
	const three = request('GET /health HTTP/1.1', ['Host: localhost']);
	const last = request('GET /health HTTP/1.1', local);
	const { statuses } = await exchange(server.port, Buffer.concat([three, three, last]));
	check('three requests in one breath are three answers', statuses.join() === '200,200,200', statuses.join());
}
