/** Starts the HTTP server and shuts it down gracefully. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../core/clock.js';
import { createTempFolder } from '../core/disk/temp-folder.js';
import { type Log, silentLog } from '../core/log.js';
import { Metrics } from '../core/metrics.js';
import type { Installer } from '../models/installer.js';
import type { ModelPool } from '../pool/model-pool.js';
import { VoiceStore } from '../speakers/voice-store.js';
import { folderWebhooks } from '../webhooks/folder/folder-webhooks.js';
import type { WebhookStorage } from '../webhooks/storage.js';
import { Webhooks, type WebhooksOptions } from '../webhooks/webhooks.js';
import { createApp } from './app.js';
import { createServerJobs, type ServerJobsSettings } from './jobs/create-server-jobs.js';
import { listen, type ServerAddress } from './listen.js';
import { LiveAdmission } from './live/admission/admission.js';
import { defaultConfig } from './live/protocol/read-session.js';
import { ClientSecrets } from './live/secrets.js';
import { modelNamesOf } from './live/session/model-names.js';
import { LiveServer, type LiveServerOptions } from './live/upgrade.js';
import { type Access, accessRules } from './request/access.js';
import { Admission } from './request/admission.js';
import { answerConnectionErrors } from './request/connection-errors.js';
import { InFlight } from './request/context.js';
import { defaultMaxKnownSpeakers } from './request/parse.js';
import type { DoctorReport } from './routes/doctor.js';
import type { TlsIdentity } from './tls.js';
import { UploadBudget } from './upload/budget.js';
import type { UploadLimits } from './upload/limits.js';
import type { WyomingOptions } from './wyoming/connection.js';
import { WyomingServer } from './wyoming/wyoming-server.js';

export interface ServerOptions extends ServerJobsSettings {
	/** Owned by the caller: closing the server does not close it. */
	readonly pool: ModelPool;
	/** Owned by the caller; without it, models cannot be pulled or removed. */
	readonly installer?: Installer;
	readonly version: string;
	/** Examines the machine for `GET /v1/doctor`; without it, the server cannot. */
	readonly examine?: () => Promise<DoctorReport>;
	/** An address, a host name, or `unix:` and the path of a socket; default 127.0.0.1. */
	readonly host?: string;
	/** Default 0: any free port. */
	readonly port?: number;
	/** Speak TLS with it, and nothing else; default: no TLS. */
	readonly tls?: TlsIdentity | undefined;
	readonly apiKeys?: readonly string[];
	/** Accepted like an API key; for commands of the server's own user. */
	readonly localToken?: string | undefined;
	/** Size of the largest recording; default 1 GiB. */
	readonly maxUploadBytes?: number;
	/** Recordings up to this size stay in memory; default 8 MiB. */
	readonly memoryUploadBytes?: number;
	/** Size of all uploads in progress; default 2 GiB. A lone upload is always accepted. */
	readonly maxUploadsBytes?: number;
	/** Minimum rate of an upload; default 500, 0 = none. */
	readonly minUploadBytesPerSecond?: number;
	/** Maximum queued audio ahead of a new recording, seconds; default one hour. */
	readonly maxQueueSeconds?: number;
	/** Time limit of a transcription request; default 0: none. */
	readonly maxRequestMs?: number;
	/** Live sessions at a time; default four for each core, 0 = none. */
	readonly maxLiveSessions?: number;
	/** How long a live session may last; default an hour, 0 = no limit. */
	readonly maxLiveMs?: number;
	/** Whether live sessions get partial text also from models that transcribe whole turns, unless the client sets it;
	 * default no. */
	readonly livePartials?: boolean;
	/** Address for Home Assistant's Wyoming protocol, `host` and `port` as above; default: off. */
	readonly wyoming?: { readonly host: string; readonly port: number } | undefined;
	/** Maximum references of known speakers in a request; default 4. */
	readonly maxKnownSpeakers?: number;
	/** Folder of enrolled voices; default an empty folder. */
	readonly voicesFolder?: string;
	/** Folder of webhook endpoints and deliveries; default a temporary folder that is removed at shutdown. */
	readonly webhooksFolder?: string;
	/** Webhooks shared with other machines, instead of `webhooksFolder`. */
	readonly sharedWebhooks?: WebhookStorage | undefined;
	/** Private hosts that webhooks may be sent to; default none. */
	readonly webhookAllow?: readonly string[];
	/** HOST or HOST:PORT, from which jobs may have their recordings fetched; default none. */
	readonly fetchHosts?: readonly string[];
	readonly allowedHosts?: readonly string[];
	readonly allowedOrigins?: readonly string[];
	/** Large recordings are stored here, in a private directory; default the system's temporary folder. */
	readonly tempDirectory?: string;
	/** Pass the pool's own object to include its events in /metrics; default a new object. */
	readonly metrics?: Metrics;
	readonly log?: Log;
	readonly clock?: Clock;
}

export interface RunningServer {
	readonly address: ServerAddress;
	/** Address of the Wyoming port. */
	readonly wyomingAddress?: ServerAddress | undefined;
	/** Uses this certificate for new connections; open ones continue. Only for a server with TLS. */
	renewTls(identity: TlsIdentity): void;
	/** Accepts no new requests, lets running ones finish for `graceMs`, then aborts them. May be called again with a
	 * shorter `graceMs`. */
	close(options?: { readonly graceMs?: number }): Promise<void>;
}

export const defaultMaxUploadBytes = 1 << 30;
export const defaultMemoryUploadBytes = 8 << 20;
export const defaultMaxUploadsBytes = 2 ** 31;
export const defaultMinUploadBytesPerSecond = 500;
export const defaultMaxQueueSeconds = 3600;
export const defaultMaxLiveSessions = 4 * availableParallelism();
export const defaultMaxLiveMs = 60 * 60_000;

const defaultHost = '127.0.0.1';

/** An upload over a slow connection takes longer than Node's default of five minutes. */
const requestTimeoutMs = 60 * 60_000;
/** Limit for the TLS handshake. */
const handshakeTimeoutMs = 20_000;
/** Longer than most clients keep an idle connection, so that the client closes it: a request sent into a closing
 * connection fails. */
const keepAliveTimeoutMs = 75_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
	const { pool, version, host = defaultHost, log = silentLog, clock = systemClock } = options;
	const uploads = await createTempFolder(options.tempDirectory);
	const metrics = options.metrics ?? new Metrics();
	const inFlight = new InFlight();
	let draining = false;
	const access = accessOf(options, host);
	const common = { pool, metrics, log, clock, inFlight, access, isDraining: () => draining };
	const sessions = {
		secrets: new ClientSecrets(clock),
		initialConfig: { ...defaultConfig, partials: options.livePartials ?? false },
	};
	const failed: WebhooksOptions['onGivenUp'] = ({ jobId }) => jobs.webhookFailed(jobId);
	const webhooks = openWebhooks(options, uploads.path, { metrics, log, clock, onGivenUp: failed });
	const admission = new Admission({
		maxQueueSeconds: options.maxQueueSeconds ?? defaultMaxQueueSeconds,
		metrics,
		clock,
	});
	const voices = new VoiceStore(options.voicesFolder ?? join(uploads.path, 'voices'));
	const maxKnownSpeakers = options.maxKnownSpeakers ?? defaultMaxKnownSpeakers;
	const working = { pool, metrics, log, clock, admission, voices, maxKnownSpeakers, webhooks };
	const jobs = createServerJobs(options, uploads.path, working);
	const { live, wyoming } = liveServers(options, { ...common, ...sessions, version });
	const app = createApp({
		...common,
		jobs,
		installer: options.installer,
		examine: options.examine,
		version,
		live: sessions,
		limits: uploadLimits(options, uploads.path, metrics, clock),
		minUploadBytesPerSecond: options.minUploadBytesPerSecond ?? defaultMinUploadBytesPerSecond,
		admission,
		maxRequestMs: options.maxRequestMs ?? 0,
		maxKnownSpeakers,
		voices,
		webhooks,
		checkWebhook: (webhook) => webhooks.check(webhook),
	});
	const callback = app.callback();
	// Koa settles every request itself; what it returns never rejects.
	const handle = (req: IncomingMessage, res: ServerResponse): void => void callback(req, res);
	const { server, renewTls } = httpServer(options.tls);
	answerConnectionErrors(server, { log, clock, handle });
	server.on('request', handle);
	live.attach(server);
	const opened = await listenOn(server, wyoming, options).catch(async (thrown: unknown) => {
		await uploads.remove();
		throw thrown;
	});

	await webhooks.start();
	jobs.start();

	// For example if no file descriptor is left for another connection; open connections are not affected.
	for (const each of [server, wyoming.server])
		each.on('error', (error) => log.error({ err: error }, 'server error'));
	const closed = Promise.all([closeOf(server), wyoming.closed]);
	return {
		...opened,
		renewTls,
		close: async ({ graceMs = 10_000 } = {}) => {
			draining = true;
			server.close();
			live.drain();
			// Closed first, so that requests that wait for a job end.
			const jobsClosed = jobs.close();
			wyoming.drain();
			await Promise.race([inFlight.endWithin(graceMs, clock), closed]);
			// Node would otherwise wait for connections that never sent a request.
			server.closeAllConnections();
			wyoming.destroy();
			await closed;
			await jobsClosed;
			await webhooks.close();
			await uploads.remove();
		},
	};
}

function openWebhooks(
	{ webhooksFolder, sharedWebhooks, webhookAllow: allowed = [], version }: ServerOptions,
	otherwiseIn: string,
	common: Pick<WebhooksOptions, 'metrics' | 'log' | 'clock' | 'onGivenUp'>,
): Webhooks {
	return new Webhooks({
		storage: sharedWebhooks ?? folderWebhooks(webhooksFolder ?? join(otherwiseIn, 'webhooks')),
		allowed,
		version,
		...common,
	});
}

type Addresses = Pick<RunningServer, 'address' | 'wyomingAddress'>;

/** Throws `config_invalid`; then no address is open. */
async function listenOn(server: Server, wyoming: WyomingServer, options: ServerOptions): Promise<Addresses> {
	const { host = defaultHost, port = 0, tls, wyoming: where } = options;
	try {
		const wyomingAddress = where && (await listen(wyoming.server, where.host, where.port, 'tcp'));
		return {
			wyomingAddress,
			address: await listen(server, host, port, tls === undefined ? 'http' : 'https'),
		};
	} catch (thrown) {
		wyoming.server.close();
		throw thrown;
	}
}

type Sessions = Pick<LiveServerOptions, 'access' | 'secrets' | 'initialConfig'>;

/** The servers of live transcription, which share one admission. */
function liveServers(options: ServerOptions, common: Omit<WyomingOptions, keyof Places> & Sessions) {
	const { pool, metrics, clock } = common;
	const places: Places = {
		names: modelNamesOf(pool),
		admission: new LiveAdmission({
			maxSessions: options.maxLiveSessions ?? defaultMaxLiveSessions,
			metrics,
			clock,
		}),
		maxMs: options.maxLiveMs ?? defaultMaxLiveMs,
		partials: options.livePartials ?? false,
	};
	return {
		live: new LiveServer({ ...common, ...places }),
		wyoming: new WyomingServer({ ...common, ...places }),
	};
}

type Places = Pick<WyomingOptions, 'names' | 'admission' | 'maxMs' | 'partials'>;

const closeOf = (server: Server): Promise<void> => new Promise((resolve) => server.once('close', resolve));

function httpServer(tls: TlsIdentity | undefined): Pick<RunningServer, 'renewTls'> & { server: Server } {
	const common = {
		requestTimeout: requestTimeoutMs,
		keepAliveTimeout: keepAliveTimeoutMs,
		// The guard middleware refuses a request without the header.
		requireHostHeader: false,
	};
	if (tls === undefined) return { server: createServer(common), renewTls: () => {} };
	const server = createTlsServer({
		...common,
		cert: tls.cert,
		key: tls.key,
		handshakeTimeout: handshakeTimeoutMs,
	});
	return { server, renewTls: ({ cert, key }) => server.setSecureContext({ cert, key }) };
}

function accessOf(options: ServerOptions, host: string): Access {
	return accessRules({
		host,
		apiKeys: options.apiKeys ?? [],
		localToken: options.localToken,
		allowedHosts: options.allowedHosts ?? [],
		allowedOrigins: options.allowedOrigins ?? [],
	});
}

function uploadLimits(
	options: ServerOptions,
	directory: string,
	metrics: Metrics,
	clock: Clock,
): UploadLimits {
	return {
		directory,
		maxUploadBytes: options.maxUploadBytes ?? defaultMaxUploadBytes,
		memoryUploadBytes: options.memoryUploadBytes ?? defaultMemoryUploadBytes,
		fetchHosts: options.fetchHosts ?? [],
		inFlight: new UploadBudget({
			maxBytes: options.maxUploadsBytes ?? defaultMaxUploadsBytes,
			metrics,
			clock,
		}),
	};
}
