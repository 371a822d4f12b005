/** Responds to connections that never reach koa: Node's own error responses have no error envelope and no id. */

import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import { EarshotError, errorCodes } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { errorBody } from './failure.js';
import { requestId } from './request-id.js';

export interface ConnectionErrorsOptions {
	readonly log: Log;
	readonly clock: Clock;
	/** The normal request handler, for requests that Node would refuse by itself. */
	readonly handle: (req: IncomingMessage, res: ServerResponse) => void;
}

/** After the response, incoming data is discarded for this time, so that the client can read the response. */
const lingerMs = 2_000;

/** Node's parser and timers fail with these codes; any other means that the request is not HTTP. */
const failures: Readonly<Record<string, EarshotError>> = {
	HPE_HEADER_OVERFLOW: new EarshotError(
		'headers_too_large',
		"The request's headers are too large: at most 16 KiB",
	),
	HPE_CHUNK_EXTENSIONS_OVERFLOW: new EarshotError(
		'upload_too_large',
		"The extensions of the body's chunks are too large: at most 16 KiB",
	),
	ERR_HTTP_REQUEST_TIMEOUT: new EarshotError(
		'request_timeout',
		'The request did not arrive in time: its headers within a minute, all of it within an hour',
	),
};

export function answerConnectionErrors(
	server: Server,
	{ log, clock, handle }: ConnectionErrorsOptions,
): void {
	const answers = new WeakMap<Duplex, ServerResponse>();
	const refused = new WeakSet<Duplex>();
	/** Responds, and writes a log line unless a request is running, which writes its own. */
	const refuse = (socket: Duplex, failure: EarshotError, running?: ServerResponse): void => {
		const { status } = errorCodes[failure.code];
		const id = running?.getHeader('x-request-id')?.toString() ?? requestId();
		if (!running) log.info({ id, status, code: failure.code }, 'request');
		answerOn(socket, id, failure, clock);
	};
	server.on('request', (req, res) => answers.set(req.socket, res));
	server.on('clientError', (error: NodeJS.ErrnoException & { reason?: string }, socket) => {
		// The parser reports an error for every further chunk.
		if (refused.has(socket)) return;
		refused.add(socket);
		const last = answers.get(socket);
		const running = last?.writableEnded === false ? last : undefined;
		// No response is possible before the handshake, as with a client without TLS or one that rejects the certificate.
		const isTlsFailure = /^ERR_(SSL|TLS)/.test(error.code ?? '');
		if (running?.headersSent === true || !socket.writable || isTlsFailure || error.code === 'ECONNRESET')
			socket.destroy();
		else refuse(socket, failures[error.code ?? ''] ?? notHttp(error.reason), running);
	});
	server.on('connect', (_, socket) => {
		refuse(socket, new EarshotError('method_not_allowed', 'Not allowed: CONNECT'));
	});
	// Requests with an expectation other than `100-continue`.
	server.on('checkExpectation', (req, res) => handle(req, res));
}

function notHttp(reason = 'malformed'): EarshotError {
	return new EarshotError(
		'invalid_request',
		`Expected a request in HTTP/1.1, got one that is not: ${reason}`,
	);
}

/** Sends an error response on a socket without an active response, and closes it. */
export function answerOn(
	socket: Duplex,
	id: string,
	failure: EarshotError,
	clock: Clock,
	headers: Readonly<Record<string, string>> = {},
): void {
	const { status } = errorCodes[failure.code];
	const body = JSON.stringify(errorBody(failure, { isTrusted: false }));
	const lines = [
		`HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
		'Content-Type: application/json; charset=utf-8',
		`Content-Length: ${Buffer.byteLength(body)}`,
		`x-request-id: ${id}`,
		'x-content-type-options: nosniff',
		'Connection: close',
		...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
	];
	socket.on('error', () => socket.destroy());
	socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
	const stop = clock.after(lingerMs, () => socket.destroy());
	socket.once('close', stop);
	socket.once('end', () => socket.destroy());
	socket.resume();
}
