/** Opens live sessions. Access, model and admission are checked before the WebSocket handshake completes. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../core/clock.js';
import { asEarshotError, EarshotError, errorCodes } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { type Access, localOwner, sentKeys } from '../request/access.js';
import { answerOn } from '../request/connection-errors.js';
import type { InFlight } from '../request/context.js';
import { retryHeaders } from '../request/failure.js';
import { requestId } from '../request/request-id.js';
import type { LiveAdmission, LivePlace } from './admission/admission.js';
import { Connection, shuttingDown } from './connection.js';
import type { SessionConfig } from './protocol/events.js';
import { withTurnsOfModel } from './protocol/read-session.js';
import { newSessionId } from './requests.js';
import type { ClientSecrets } from './secrets.js';
import { type ModelNames, sessionModel } from './session/model-names.js';
import { Session } from './session/session.js';

export interface LiveServerOptions {
	readonly pool: ModelPool;
	readonly access: Access;
	readonly secrets: ClientSecrets;
	/** Initial configuration of sessions. */
	readonly initialConfig: SessionConfig;
	readonly admission: LiveAdmission;
	readonly names: ModelNames;
	/** Maximum duration of a session; 0 = no limit. */
	readonly maxMs: number;
	readonly inFlight: InFlight;
	readonly isDraining: () => boolean;
	readonly metrics: Metrics;
	readonly log: Log;
	readonly clock: Clock;
}

const paths = /^(\/openai)?(\/v1)?\/realtime\/?$/;

/** Enough for an event with 15 MiB of audio in base64. */
const maxMessageBytes = 21 << 20;

/** Prefix of the subprotocol in which browsers, which cannot set headers, send a key. */
const keyProtocol = 'openai-insecure-api-key.';

/** An admitted upgrade request. */
interface Admitted {
	readonly place: LivePlace;
	readonly config: SessionConfig;
}

export class LiveServer {
	readonly #options: LiveServerOptions;
	readonly #sockets = new WebSocketServer({
		noServer: true,
		clientTracking: false,
		maxPayload: maxMessageBytes,
		perMessageDeflate: false,
		// At most one message per socket and event loop iteration, so that many small messages do not block other clients.
		allowSynchronousEvents: false,
		// The response must not contain the key.
		handleProtocols: (offered) => (offered.has('realtime') ? 'realtime' : false),
	});
	readonly #connections = new Set<Connection>();

	constructor(options: LiveServerOptions) {
		this.#options = options;
	}

	/** Handles the upgrade requests of a server. */
	attach(server: Server): void {
		server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
			if (isWebSocket(req)) this.#open(req, socket, head);
			else giveBack(server, req, socket, head);
		});
	}

	/** Ends each session once its received audio is transcribed, for shutdown. */
	drain(): void {
		for (const connection of this.#connections) connection.end(shuttingDown);
	}

	#open(req: IncomingMessage, socket: Duplex, head: Buffer): void {
		const { log, clock } = this.#options;
		const id = requestId(String(req.headers['x-request-id'] ?? ''));
		const { socket: received } = req;
		// The client may disconnect at any time.
		const ignore = () => {};
		socket.on('error', ignore);
		try {
			const admitted = this.#admit(req);
			// `ws` itself refuses an invalid handshake, and then there is no session to release the place.
			socket.once('close', () => admitted.place.leave());
			this.#sockets.handleUpgrade(req, socket, head, (opened) => {
				socket.off('error', ignore);
				this.#begin(opened, () => received.bytesRead, id, admitted);
			});
		} catch (thrown) {
			const failure = asEarshotError(thrown);
			const { status } = errorCodes[failure.code];
			log.info({ id, method: req.method, path: pathOf(req), status, code: failure.code }, 'request');
			const headers = {
				...retryHeaders(failure),
				...(failure.code === 'invalid_api_key' && { 'www-authenticate': 'Bearer' }),
			};
			answerOn(socket, id, failure, clock, headers);
		}
	}

	/** Throws EarshotError. */
	#admit(req: IncomingMessage): Admitted {
		const { access, secrets, initialConfig, isDraining, admission, names } = this.#options;
		if (isDraining()) throw new EarshotError('closed', 'the server is shutting down');
		access.checkHost(req.headers, req.httpVersion);
		access.checkOrigin(req.headers);
		const keys = [...sentKeys(req.headers), ...keysInProtocols(req)];
		const secret = secrets.find(keys);
		const refusal = secret ? undefined : access.keyRefusal(keys, req.headers);
		if (refusal) throw refusal;
		const { pathname, searchParams } = urlOf(req);
		if (!paths.test(pathname))
			throw new EarshotError(
				'not_found',
				`Invalid URL (${req.method} ${pathname}): sockets are at /v1/realtime`,
			);
		const named = searchParams.get('model')?.trim();
		const config = secret?.config ?? initialConfig;
		const model = named || config.transcription?.model;
		const id = sessionModel(model, names);
		// Without required keys, all clients have the same owner, so the limit per key does not apply.
		const owner = access.ownerOf(keys);
		const place = admission.admit(id, secret?.value ?? (owner === localOwner ? '' : owner));
		const transcription = { ...config.transcription, model: model ?? id };
		return { place, config: withTurnsOfModel({ ...config, transcription }) };
	}

	#begin(
		socket: WebSocket,
		bytesReceived: () => number,
		requestId: string,
		{ place, config }: Admitted,
	): void {
		const { pool, names, metrics, clock, log, maxMs, inFlight } = this.#options;
		const controller = inFlight.begin();
		const expiresAt = maxMs === 0 ? 0 : Math.floor((Date.now() + maxMs) / 1000);
		const session = new Session({
			config,
			identity: { id: newSessionId(), expiresAt },
			newId: (prefix) => `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 21)}`,
			modelOf: (name) => sessionModel(name, names),
		});
		const connection: Connection = new Connection({
			socket,
			session,
			pool,
			place,
			metrics,
			clock,
			log,
			requestId,
			bytesReceived,
			maxMs,
			signal: controller.signal,
			onClosed: () => {
				inFlight.end(controller);
				this.#connections.delete(connection);
			},
		});
		this.#connections.add(connection);
	}
}

function isWebSocket({ headers, method }: IncomingMessage): boolean {
	return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Handles a request to upgrade to another protocol, such as HTTP/2, as a plain request. Node has detached the socket
 * from its parser, so the request is parsed again without the upgrade headers. */
function giveBack(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
	const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
	for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
		const name = req.rawHeaders[at] ?? '';
		if (!['upgrade', 'connection', 'http2-settings'].includes(name.toLowerCase()))
			lines.push(`${name}: ${req.rawHeaders[at + 1]}`);
	}
	socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
	// A TLS server has another event for decrypted connections.
	server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket);
}

/** Collapses repeated slashes: a base URL that ends with a slash results in `//v1/…`. */
function urlOf(req: IncomingMessage): URL {
	// A proxy sends an address with scheme and host.
	const given = (req.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '');
	const target = given.replace(/^[^?]*/, (path) => path.replace(/\/{2,}/g, '/'));
	if (!URL.canParse(target, 'http://localhost'))
		throw new EarshotError('not_found', 'Invalid URL: sockets are at /v1/realtime');
	return new URL(target, 'http://localhost');
}

/** The path without the query, which may contain a key. */
function pathOf(req: IncomingMessage): string {
	return (req.url ?? '').split('?', 1)[0] ?? '';
}

function keysInProtocols({ headers }: IncomingMessage): string[] {
	const offered = String(headers['sec-websocket-protocol'] ?? '').split(',');
	return offered.flatMap((name) => {
		const trimmed = name.trim();
		return trimmed.startsWith(keyProtocol) ? [trimmed.slice(keyProtocol.length)] : [];
	});
}
