/** Opens live sessions: everything about access, model and room is settled before the socket is one. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../clock.js';
import { asEarshotError, EarshotError, errorCodes } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Metrics } from '../../metrics.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { type Access, localOwner, sentKeys } from '../request/access.js';
import { answerOn } from '../request/connection-errors.js';
import type { InFlight } from '../request/context.js';
import { retryHeaders } from '../request/failure.js';
import { requestId } from '../request/request-id.js';
import type { LiveAdmission, LivePlace } from './admission/admission.js';
import { Connection, shuttingDown } from './connection.js';
import type { SessionConfig } from './protocol/events.js';
import { newSessionId } from './requests.js';
import type { ClientSecrets } from './secrets.js';
import { type ModelNames, sessionModel } from './session/model-names.js';
import { Session } from './session/session.js';

export interface LiveServerOptions {
	readonly pool: ModelPool;
	readonly access: Access;
	readonly secrets: ClientSecrets;
	/** Of sessions until their clients change it. */
	readonly initialConfig: SessionConfig;
	readonly admission: LiveAdmission;
	readonly names: ModelNames;
	/** How long a session may last; 0 = as long as it likes. */
	readonly maxMs: number;
	readonly inFlight: InFlight;
	readonly isDraining: () => boolean;
	readonly metrics: Metrics;
	readonly log: Log;
	readonly clock: Clock;
}

const paths = /^(\/openai)?(\/v1)?\/realtime\/?$/;

/** An event of 15 MiB of audio, in base64. */
const maxMessageBytes = 21 << 20;

/** Subprotocols by which browsers, which cannot set headers, give a key. */
const keyProtocol = 'openai-insecure-api-key.';

/** What an upgrade asks for, once it may have it. */
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
		// The key is not repeated.
		handleProtocols: (offered) => (offered.has('realtime') ? 'realtime' : false),
	});
	readonly #connections = new Set<Connection>();

	constructor(options: LiveServerOptions) {
		this.#options = options;
	}

	/** Takes the upgrades of a server. */
	attach(server: Server): void {
		server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
			if (isWebSocket(req)) this.#open(req, socket, head);
			else giveBack(server, req, socket, head);
		});
	}

	/** Sessions end once what was said is transcribed; no new ones are opened. */
	drain(): void {
		for (const connection of this.#connections) connection.end(shuttingDown);
	}

	#open(req: IncomingMessage, socket: Duplex, head: Buffer): void {
		const { log, clock } = this.#options;
		const id = requestId(String(req.headers['x-request-id'] ?? ''));
		// The client may go at any time.
		const ignore = () => {};
		socket.on('error', ignore);
		try {
			const admitted = this.#admit(req);
			// An answer that `ws` gives itself, to a handshake that is none, comes without a session.
			socket.once('close', () => admitted.place.leave());
			this.#sockets.handleUpgrade(req, socket, head, (opened) => {
				socket.off('error', ignore);
				this.#begin(opened, id, admitted);
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
		// A key that is asked of nobody is no one's.
		const owner = access.ownerOf(keys);
		const place = admission.admit(id, secret?.value ?? (owner === localOwner ? '' : owner));
		return { place, config: { ...config, transcription: { ...config.transcription, model: model ?? id } } };
	}

	#begin(socket: WebSocket, requestId: string, { place, config }: Admitted): void {
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

/** A request that offers some other protocol, such as HTTP/2, is answered in this one: it is parsed again without the
 * offer, since Node has let go of it. */
function giveBack(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
	const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
	for (let at = 0; at + 1 < req.rawHeaders.length; at += 2) {
		const name = req.rawHeaders[at] ?? '';
		if (!['upgrade', 'connection', 'http2-settings'].includes(name.toLowerCase()))
			lines.push(`${name}: ${req.rawHeaders[at + 1]}`);
	}
	socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
	// A TLS server takes what is decrypted by another name.
	server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket);
}

/** A base URL that ends with a slash makes `//v1/…` of a path. */
function urlOf(req: IncomingMessage): URL {
	const target = (req.url ?? '/').replace(/^[^?]*/, (path) => path.replace(/\/{2,}/g, '/'));
	if (!URL.canParse(target, 'http://localhost'))
		throw new EarshotError('not_found', 'Invalid URL: sockets are at /v1/realtime');
	return new URL(target, 'http://localhost');
}

/** Without the query, which may have a key in it. */
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
