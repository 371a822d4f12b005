/** The HTTP server of a worker: recordings that gateways send directly, health and metrics. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.js';
import { asEarshotError, EarshotError, errorCodes, toWire } from '../../core/errors.js';
import type { Metrics } from '../../core/metrics.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { watchRate } from '../../server/request/minimum-rate.js';
import { UploadBudget } from '../../server/upload/budget.js';
import type { UploadLimits } from '../../server/upload/limits.js';
import { isAuthorized } from './key.js';
import { aliveEveryMs, clusterPaths, clusterProtocol, protocolHeader, type WorkerReply } from './protocol.js';
import { type DirectRecording, receiveDirect } from './receive.js';

export interface WorkerServerOptions {
	readonly pool: ModelPool;
	readonly key: string;
	/** Direct recordings at a time; further ones are refused. */
	readonly slots: number;
	readonly temporaryFolder: string;
	/** Minimum mean rate of a recording over half a minute; 0 = none. */
	readonly minUploadBytesPerSecond: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Larger recordings are written to a file. */
const memoryBytes = 8 << 20;

export class WorkerServer {
	readonly http: Server;
	readonly #options: WorkerServerOptions;
	readonly #limits: UploadLimits;
	readonly #running = new Set<AbortController>();
	#isDraining = false;

	constructor(options: WorkerServerOptions) {
		this.#options = options;
		const { metrics, clock, temporaryFolder } = options;
		this.#limits = {
			directory: temporaryFolder,
			memoryUploadBytes: memoryBytes,
			// The gateway has checked the size.
			maxUploadBytes: Number.POSITIVE_INFINITY,
			inFlight: new UploadBudget({ maxBytes: Number.POSITIVE_INFINITY, metrics, clock }),
		};
		this.http = createServer({ requestTimeout: 0 }, (request, response) => {
			this.#answer(request, response).catch((thrown: unknown) => fail(response, thrown));
		});
	}

	/** Direct recordings that are being transcribed. */
	get busySlots(): number {
		return this.#running.size;
	}

	/** Refuses new recordings; running ones may finish. */
	drain(): void {
		this.#isDraining = true;
	}

	async close(): Promise<void> {
		this.drain();
		for (const control of this.#running) control.abort();
		const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
		this.http.closeAllConnections();
		await closed;
	}

	async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const { pathname, searchParams } = urlOf(request);
		const { pool, metrics } = this.#options;
		if (request.method === 'GET') {
			if (pathname === '/health') return json(response, 200, { status: 'ok' });
			if (pathname === '/ready') {
				const readiness = this.#isDraining ? { status: 'draining' } : pool.checkReadiness();
				return json(response, readiness.status === 'ok' ? 200 : 503, readiness);
			}
			if (pathname === '/metrics') {
				response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
				response.end(await metrics.render());
				return;
			}
		}
		const isKnown = Object.values<string>(clusterPaths).includes(pathname);
		if (request.method !== 'POST' || !isKnown)
			throw new EarshotError('not_found', 'A worker answers gateways alone: send requests to one of them');
		if (!isAuthorized(request.headers.authorization, this.#options.key))
			throw new EarshotError('invalid_api_key', 'This worker belongs to another cluster');
		if (request.headers[protocolHeader] !== String(clusterProtocol))
			throw new EarshotError(
				'unsupported_value',
				`This worker speaks version ${clusterProtocol} of the protocol`,
			);
		const model = searchParams.get('model') ?? '';
		if (pathname === clusterPaths.transcribe) return await this.#transcribe(request, response, model);
		if (pathname === clusterPaths.load)
			return json(response, 200, { info: await pool.load(model, new AbortController().signal) });
		await pool.unload(model);
		json(response, 200, {});
	}

	async #transcribe(request: IncomingMessage, response: ServerResponse, model: string): Promise<void> {
		if (this.#isDraining || this.#running.size >= this.#options.slots)
			throw new EarshotError('overloaded', 'This worker is full', { retryAfterSeconds: 1 });
		const control = new AbortController();
		this.#running.add(control);
		response.once('close', () => control.abort());
		let direct: DirectRecording | undefined;
		let stopAlive: (() => void) | undefined;
		try {
			direct = await this.#receive(request, control);
			response.writeHead(200, { 'content-type': 'application/x-ndjson' });
			response.flushHeaders();
			const send = async (reply: WorkerReply): Promise<void> => {
				if (!response.write(`${JSON.stringify(reply)}\n`)) await once(response, 'drain', control);
			};
			stopAlive = this.#options.clock.every(aliveEveryMs, () => void response.write('{"alive":true}\n'));
			await this.#run(model, direct, control.signal, send);
		} finally {
			stopAlive?.();
			this.#running.delete(control);
			await direct?.discard();
		}
		response.end();
	}

	/** Throws `request_timeout` if the body arrives too slowly. */
	async #receive(request: IncomingMessage, control: AbortController): Promise<DirectRecording> {
		const stop = watchRate(request, this.#options, (error) => control.abort(error));
		try {
			return await receiveDirect(request, this.#limits, control.signal);
		} catch (thrown) {
			const { reason } = control.signal;
			throw reason instanceof EarshotError ? reason : thrown;
		} finally {
			stop();
		}
	}

	async #run(
		model: string,
		{ options, recording }: DirectRecording,
		signal: AbortSignal,
		say: (reply: WorkerReply) => Promise<void>,
	): Promise<void> {
		try {
			const lease = await this.#options.pool.lease(model, signal);
			try {
				for await (const event of lease.transcribe(recording, options, signal)) await say({ event });
			} finally {
				lease.release();
			}
		} catch (thrown) {
			if (!signal.aborted) await say({ error: toWire(asEarshotError(thrown)) });
		}
	}
}

/** Throws `not_found` for a malformed path, such as `//`. */
function urlOf({ url = '/' }: IncomingMessage): URL {
	if (URL.canParse(url, 'http://worker')) return new URL(url, 'http://worker');
	throw new EarshotError('not_found', 'A worker answers gateways alone: send requests to one of them');
}

function json(response: ServerResponse, status: number, body: object): void {
	response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, thrown: unknown): void {
	const error = toWire(asEarshotError(thrown));
	// The rest of the body may never arrive.
	if (error.code === 'request_timeout') response.setHeader('connection', 'close');
	if (response.headersSent) response.destroy();
	else json(response, errorCodes[error.code].status, { error });
}
