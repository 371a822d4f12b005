/** Starts the HTTP server and ends it without cutting anybody off. */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { EarshotError } from '../errors.js';
import { type Log, silentLog } from '../log.js';
import { Metrics } from '../metrics.js';
import type { Installer } from '../models/installer.js';
import type { ModelPool } from '../pool/model-pool.js';
import { createApp } from './app.js';
import { Admission } from './request/admission.js';
import { InFlight } from './request/context.js';
import { UploadBudget } from './upload/budget.js';

export interface ServerOptions {
	/** Stays the caller's: closing the server does not close it. */
	readonly pool: ModelPool;
	/** Stays the caller's, too; without it no models are fetched or removed. */
	readonly installer?: Installer;
	readonly version: string;
	/** 127.0.0.1 unless told otherwise. */
	readonly host?: string;
	/** 0 for any that is free. */
	readonly port?: number;
	readonly apiKeys?: readonly string[];
	/** Size of the largest recording, in bytes; 1 GiB unless told otherwise. */
	readonly maxUploadBytes?: number;
	/** Recordings up to this size never touch the disk; 8 MiB unless told otherwise. */
	readonly memoryUploadBytes?: number;
	/** All uploads at once, in bytes; 2 GiB unless told otherwise. A single one is never refused for it. */
	readonly maxUploadsBytes?: number;
	/** Audio that may be heard before a recording, seconds; an hour unless told otherwise. */
	readonly maxQueueSeconds?: number;
	/** Longest that a request to transcribe may take, ms; 0, as long as it takes, unless told otherwise. */
	readonly maxRequestMs?: number;
	readonly allowedHosts?: readonly string[];
	readonly allowedOrigins?: readonly string[];
	/** Larger recordings wait here, in a private directory; the system's place for temporary files unless told otherwise. */
	readonly tempDirectory?: string;
	/** Told to the pool too, where its events are to be seen; the server's own unless given. */
	readonly metrics?: Metrics;
	readonly log?: Log;
	readonly clock?: Clock;
}

export interface ServerAddress {
	readonly host: string;
	readonly port: number;
	/** Without a slash at the end. */
	readonly url: string;
}

export interface RunningServer {
	readonly address: ServerAddress;
	/** Takes nothing new, lets requests finish for `graceMs`, then ends them. May be called again, with less patience. */
	close(options?: { readonly graceMs?: number }): Promise<void>;
}

export const defaultMaxUploadBytes = 1 << 30;
export const defaultMemoryUploadBytes = 8 << 20;
export const defaultMaxUploadsBytes = 2 ** 31;
export const defaultMaxQueueSeconds = 3600;

/** An upload over a slow line takes longer than the five minutes that Node allows by itself. */
const requestTimeoutMs = 60 * 60_000;
/** Longer than most clients keep an idle connection, so that they and not we close it: a request sent into
 * a closing connection fails. */
const keepAliveTimeoutMs = 75_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
	const { pool, version, host = '127.0.0.1', port = 0, log = silentLog, clock = systemClock } = options;
	const directory = await mkdtemp(join(options.tempDirectory ?? tmpdir(), 'earshot-'));
	const metrics = options.metrics ?? new Metrics();
	const inFlight = new InFlight();
	let draining = false;
	const app = createApp({
		pool,
		installer: options.installer,
		version,
		host,
		metrics,
		log,
		clock,
		inFlight,
		isDraining: () => draining,
		apiKeys: options.apiKeys ?? [],
		allowedHosts: options.allowedHosts ?? [],
		allowedOrigins: options.allowedOrigins ?? [],
		limits: {
			directory,
			maxUploadBytes: options.maxUploadBytes ?? defaultMaxUploadBytes,
			memoryUploadBytes: options.memoryUploadBytes ?? defaultMemoryUploadBytes,
			inFlight: new UploadBudget({
				maxBytes: options.maxUploadsBytes ?? defaultMaxUploadsBytes,
				metrics,
				clock,
			}),
		},
		admission: new Admission({
			maxQueueSeconds: options.maxQueueSeconds ?? defaultMaxQueueSeconds,
			metrics,
			clock,
		}),
		maxRequestMs: options.maxRequestMs ?? 0,
	});
	const handle = app.callback();
	const server = createServer({ requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveTimeoutMs });
	// Koa settles every request itself; what it returns never rejects.
	server.on('request', (req, res) => void handle(req, res));
	try {
		await listen(server, host, port);
	} catch (thrown) {
		await rm(directory, { recursive: true, force: true });
		throw thrown;
	}

	// For example no file descriptor left for one more connection; those that are open go on.
	server.on('error', (error) => log.error({ err: error }, 'server error'));
	const closed = new Promise<void>((resolve) => server.once('close', resolve));
	return {
		address: addressOf(server),
		close: async ({ graceMs = 10_000 } = {}) => {
			draining = true;
			server.close();
			await Promise.race([inFlight.endWithin(graceMs, clock), closed]);
			// Node would wait for connections that have been opened and never used.
			server.closeAllConnections();
			await closed;
			await rm(directory, { recursive: true, force: true });
		},
	};
}

async function listen(server: Server, host: string, port: number): Promise<void> {
	try {
		server.listen(port, host);
		await once(server, 'listening');
	} catch (cause) {
		const { code, message } = cause as NodeJS.ErrnoException;
		const where = `${host}:${port}`;
		const reasons: Record<string, string> = {
			EADDRINUSE: `another program already listens on ${where}`,
			EACCES: `this user may not listen on ${where}`,
			EADDRNOTAVAIL: `${where} is not an address of this machine`,
		};
		throw new EarshotError('config_invalid', reasons[code ?? ''] ?? `cannot listen on ${where}: ${message}`, {
			cause,
		});
	}
}

function addressOf(server: Server): ServerAddress {
	const { address, family, port } = server.address() as AddressInfo;
	const name = family === 'IPv6' ? `[${address}]` : address;
	return { host: address, port, url: `http://${name}:${port}` };
}
