/** Starts the HTTP server and shuts it down gracefully. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { createTempFolder } from '../disk/temp-folder.js';
import { openFolderJobs } from '../jobs/folder/folder-jobs.js';
import type { JobLimits } from '../jobs/service/new-job.js';
import { defaultJobRetention, type JobRetention } from '../jobs/service/outcome.js';
import { type Log, silentLog } from '../log.js';
import { Metrics } from '../metrics.js';
import type { Installer } from '../models/installer.js';
import type { ModelPool } from '../pool/model-pool.js';
import { VoiceStore } from '../voices/store.js';
import { createApp } from './app.js';
import { JobDesk, type JobDeskOptions } from './jobs/desk.js';
import { listen, type ServerAddress } from './listen.js';
import { defaultConfig } from './live/protocol/read-session.js';
import { ClientSecrets } from './live/secrets.js';
import { LiveServer } from './live/upgrade.js';
import { type Access, accessRules } from './request/access.js';
import { Admission } from './request/admission.js';
import { answerConnectionErrors } from './request/connection-errors.js';
import { InFlight } from './request/context.js';
import { defaultMaxKnownSpeakers } from './request/parse.js';
import type { DoctorReport } from './routes/doctor.js';
import { UploadBudget } from './upload/budget.js';
import type { UploadLimits } from './upload/limits.js';

export interface ServerOptions {
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
	readonly apiKeys?: readonly string[];
	/** As good as an API key; for commands of the server's own user. */
	readonly localToken?: string | undefined;
	/** Size of the largest recording; default 1 GiB. */
	readonly maxUploadBytes?: number;
	/** Recordings up to this size stay in memory; default 8 MiB. */
	readonly memoryUploadBytes?: number;
	/** Size of all uploads in progress; default 2 GiB. A lone upload is always accepted. */
	readonly maxUploadsBytes?: number;
	/** Least rate of an upload; default 500, 0 = none. */
	readonly minUploadBytesPerSecond?: number;
	/** Maximum queued audio ahead of a new recording, seconds; default one hour. */
	readonly maxQueueSeconds?: number;
	/** Time limit of a transcription request; default 0: none. */
	readonly maxRequestMs?: number;
	/** Live sessions at a time; default four for each core, 0 = none. */
	readonly maxLiveSessions?: number;
	/** How long a live session may last; default an hour, 0 = no limit. */
	readonly maxLiveMs?: number;
	/** Whether live sessions get partial text from models that hear whole turns, unless they say otherwise; default no. */
	readonly livePartials?: boolean;
	/** Turns of a model that run at a time; default the cores. */
	readonly liveLanes?: number;
	/** References of known speakers that a request may bring; default 4. */
	readonly maxKnownSpeakers?: number;
	/** Where jobs are kept; made when the first one comes. Default: as long as the server runs. */
	readonly jobsFolder?: string;
	/** Jobs that other machines see too, instead of `jobsFolder`. */
	readonly sharedJobs?: SharedJobs | undefined;
	readonly jobLimits?: Partial<JobLimits>;
	readonly jobRetention?: Partial<JobRetention>;
	/** Unix seconds, with fractions. */
	readonly wallClock?: () => number;
	/** Where enrolled voices are; default a folder that is empty. */
	readonly voicesFolder?: string;
	readonly allowedHosts?: readonly string[];
	readonly allowedOrigins?: readonly string[];
	/** Larger recordings are stored here, in a private directory; default the system's temporary folder. */
	readonly tempDirectory?: string;
	/** Pass the pool's own, to have its events in /metrics; default a new object. */
	readonly metrics?: Metrics;
	readonly log?: Log;
	readonly clock?: Clock;
}

/** `pool`: the models of this process, which work on jobs. */
export type SharedJobs = Pick<JobDeskOptions, 'open' | 'works' | 'onEnded' | 'pool'>;

export interface RunningServer {
	readonly address: ServerAddress;
	/** Accepts no new requests, lets running ones finish for `graceMs`, then aborts them. May be called again with a
	 * shorter `graceMs`. */
	close(options?: { readonly graceMs?: number }): Promise<void>;
}

export const defaultMaxUploadBytes = 1 << 30;
export const defaultMemoryUploadBytes = 8 << 20;
export const defaultMaxUploadsBytes = 2 ** 31;
export const defaultMinUploadBytesPerSecond = 500;
export const defaultMaxQueueSeconds = 3600;
export const defaultJobLimits: JobLimits = { maxJobs: 10_000, maxJobsPerKey: 1_000, maxBytes: 100 * 2 ** 30 };
export const defaultMaxLiveSessions = 4 * availableParallelism();
export const defaultMaxLiveMs = 60 * 60_000;

/** An upload over a slow connection takes longer than Node's default of five minutes. */
const requestTimeoutMs = 60 * 60_000;
/** Longer than most clients keep an idle connection, so that the client closes it: a request sent into a closing
 * connection fails. */
const keepAliveTimeoutMs = 75_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
	const { pool, version, host = '127.0.0.1', port = 0, log = silentLog, clock = systemClock } = options;
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
	const live = new LiveServer({
		...common,
		...sessions,
		maxSessions: options.maxLiveSessions ?? defaultMaxLiveSessions,
		lanes: options.liveLanes ?? availableParallelism(),
		maxMs: options.maxLiveMs ?? defaultMaxLiveMs,
	});
	const admission = new Admission({
		maxQueueSeconds: options.maxQueueSeconds ?? defaultMaxQueueSeconds,
		metrics,
		clock,
	});
	const voices = new VoiceStore(options.voicesFolder ?? join(uploads.path, 'voices'));
	const maxKnownSpeakers = options.maxKnownSpeakers ?? defaultMaxKnownSpeakers;
	const working = { pool, metrics, log, clock, admission, voices, maxKnownSpeakers };
	const jobs = jobDesk(options, uploads.path, working);
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
	});
	const callback = app.callback();
	// Koa settles every request itself; what it returns never rejects.
	const handle = (req: IncomingMessage, res: ServerResponse): void => void callback(req, res);
	const server = createServer({
		requestTimeout: requestTimeoutMs,
		keepAliveTimeout: keepAliveTimeoutMs,
		// The guard answers a request without the header.
		requireHostHeader: false,
	});
	answerConnectionErrors(server, { log, clock, handle });
	server.on('request', handle);
	live.attach(server);
	let address: ServerAddress;
	try {
		address = await listen(server, host, port);
	} catch (thrown) {
		await uploads.remove();
		throw thrown;
	}

	jobs.start();

	// For example no file descriptor left for another connection; open connections are not affected.
	server.on('error', (error) => log.error({ err: error }, 'server error'));
	const closed = new Promise<void>((resolve) => server.once('close', resolve));
	return {
		address,
		close: async ({ graceMs = 10_000 } = {}) => {
			draining = true;
			server.close();
			live.drain();
			// Whoever waits for a job would wait for long.
			const jobsClosed = jobs.close();
			await Promise.race([inFlight.endWithin(graceMs, clock), closed]);
			// Node would wait for connections that never sent a request.
			server.closeAllConnections();
			await closed;
			await jobsClosed;
			await uploads.remove();
		},
	};
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

function jobDesk(
	options: ServerOptions,
	temporaryFolder: string,
	working: Omit<JobDeskOptions, 'open' | 'limits' | 'retention' | 'now' | 'temporaryFolder'>,
): JobDesk {
	const folder = options.jobsFolder ?? join(temporaryFolder, 'jobs');
	return new JobDesk({
		...working,
		folder,
		temporaryFolder,
		open: () => openFolderJobs(folder, working.clock),
		...(options.sharedJobs && { ...options.sharedJobs, folder: undefined }),
		limits: { ...defaultJobLimits, ...options.jobLimits },
		retention: { ...defaultJobRetention, ...options.jobRetention },
		now: options.wallClock ?? (() => Date.now() / 1000),
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
		inFlight: new UploadBudget({
			maxBytes: options.maxUploadsBytes ?? defaultMaxUploadsBytes,
			metrics,
			clock,
		}),
	};
}
