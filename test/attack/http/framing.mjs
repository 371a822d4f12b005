// Bodies whose length is told twice, wrongly or not at all, and heads beyond every bound: one request is one answer.
import { exchange, isRefusal, isTranscribed, post, request, seen, usualForm } from '../lib/http.mjs';

const load = 'POST /v1/models/zipformer_ctc/load HTTP/1.1';
const smuggled = 'GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n';
const chunkedHead = ['Transfer-Encoding: chunked'];

function chunked(body, { size = 7_000, extension = '' } = {}) {
	const pieces = [];
	for (let at = 0; at < body.length; at += size) {
		const piece = body.subarray(at, at + size);
		pieces.push(Buffer.from(`${piece.length.toString(16)}${extension}\r\n`), piece, Buffer.from('\r\n'));
	}
	return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

const smuggles = [
	['a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
	['an unknown encoding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${smuggled}`],
	['chunks before something else', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${smuggled}`],
	['two lengths', ['Content-Length: 0', 'Content-Length: 5'], `hello${smuggled}`],
	['a negative length', ['Content-Length: -1'], ''],
	['a length with a sign', ['Content-Length: +5'], 'hello'],
	['a list of lengths', ['Content-Length: 5, 5'], 'hello'],
	['a length beyond all numbers', ['Content-Length: 99999999999999999999'], 'hello'],
	['a blank before the colon', ['Content-Length : 5'], `hello${smuggled}`],
	['a folded header', ['X-A: b\r\n c'], ''],
	['a carriage return in a header', ['X: a\rTransfer-Encoding: chunked'], ''],
	['a NUL in a header', ['X: a\0b'], ''],
];

export async function attack({ server, check }) {
	for (const [what, headers, body] of smuggles) {
		const answer = await exchange(server.port, request(load, ['Host: localhost', ...headers], body), {
			timeoutMs: 1_500,
		});
		const held = answer.statuses.length === 1 && answer.status >= 400 && answer.status < 500;
		check(`${what}: one answer, which is no`, held, seen(answer));
	}
	const whole = await post(server.port, chunked(usualForm), { length: null, headers: chunkedHead });
	check('a form in chunks is transcribed', isTranscribed(whole), seen(whole));
	const fine = await post(server.port, chunked(usualForm, { size: 1 }), {
		length: null,
		headers: chunkedHead,
		timeoutMs: 15_000,
	});
	check('a form in chunks of one byte is transcribed', isTranscribed(fine), seen(fine));
	const bad = [
		['a chunk of an impossible size', 'ffffffffffffffffff\r\nabc'],
		['a chunk whose size is no number', 'zz\r\nabc'],
		[
			'an extension of 20,000 characters',
			chunked(usualForm, { size: 20_000, extension: `;a=${'x'.repeat(20_000)}` }),
		],
	];
	for (const [what, body] of bad) {
		const answer = await post(server.port, Buffer.from(body), {
			length: null,
			headers: chunkedHead,
			timeoutMs: 3_000,
		});
		check(`${what} is refused`, answer.status === 400 || answer.status === 413, seen(answer));
	}
	const short = await post(server.port, usualForm, { length: usualForm.length - 1000 });
	check('a form that is longer than it says is refused', short.status === 400, seen(short));
	check('a refusal of Node’s own has the API’s form', isRefusal(short, 400), seen(short));
	const long = await post(server.port, usualForm, {
		length: usualForm.length + 1000,
		half: true,
		timeoutMs: 3_000,
	});
	check('a client that goes away in the middle gets no words', !isTranscribed(long), seen(long));
	const heads = [
		[
			'a header of 20 KB',
			request('GET /health HTTP/1.1', ['Host: localhost', `X: ${'a'.repeat(20_000)}`]),
			[431],
		],
		[
			'a target of 100 KB',
			request(`GET /v1/models/${'a'.repeat(100_000)} HTTP/1.1`, ['Host: localhost']),
			[414, 431],
		],
		[
			'1,500 headers',
			request('GET /health HTTP/1.1', [
				'Host: localhost',
				'Connection: close',
				...Array.from({ length: 1_500 }, (_, n) => `a${n}: b`),
			]),
			[200, 431],
		],
	];
	for (const [what, bytes, statuses] of heads) {
		const answer = await exchange(server.port, bytes, { timeoutMs: 3_000 });
		check(`${what} is bounded`, statuses.includes(answer.status), seen(answer));
	}
}
