/** A worker: takes units from the queue and recordings from gateways, and transcribes them with the models of its
 * pool. */

import { networkInterfaces } from 'node:os';
import type { Clock } from '../../core/clock.js';
import { isLoopback } from '../../core/config/addresses.js';
import { createTempFolder, type TempFolder } from '../../core/disk/temp-folder.js';
import { reasonOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import { JobService } from '../../jobs/job-service.js';
import { defaultJobRetention } from '../../jobs/outcome.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { JobWorker, type JobWorkerOptions } from '../../server/job-worker/job-worker.js';
import type { Cluster } from '../open-cluster.js';
import { Announcer, defaultSlots } from './announcer.js';
import { clusterKey } from './key.js';
import { WorkerServer } from './worker-server.js';

export interface WorkerOptions extends Pick<JobWorkerOptions, 'admission' | 'voices' | 'maxKnownSpeakers'> {
	/** The caller closes the cluster and the pool. */
	readonly cluster: Cluster;
	readonly pool: ModelPool;
	readonly clock: Clock;
	readonly metrics: Metrics;
	readonly log: Log;
	/** Starts listening for requests of gateways; resolves with the address; port 0 = a Unix socket. */
	readonly listen: (
		server: WorkerServer['http'],
	) => Promise<{ readonly host: string; readonly port: number }>;
	/** The base URL to announce; '' = derived from the address on which it listens. */
	readonly advertise: string;
	/** As in `WorkerServerOptions`. */
	readonly minUploadBytesPerSecond: number;
	readonly budgetBytes: number;
	/** As in `Unit`. */
	readonly numerics: string;
	readonly bytesOf: (model: string) => number;
}

export interface RunningWorker {
	/** Base URL for direct requests; '' = none, as with a Unix socket. */
	readonly address: string;
	/** Returns unfinished units to the queue. */
	close(): Promise<void>;
}

/** Length of audio for which a model's speed is estimated, seconds. */
const speedSampleSeconds = 600;

/** Units of jobs at a time: one more than `defaultSlots`, so that the next one is ready when one ends; other workers
 * can take the rest. */
const jobSlots = defaultSlots + 1;

export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
	const { cluster, pool, clock, metrics, log, admission } = options;
	const temporary = await createTempFolder();
	const server = new WorkerServer({
		pool,
		key: await clusterKey(cluster.records),
		slots: defaultSlots,
		temporaryFolder: temporary.path,
		minUploadBytesPerSecond: options.minUploadBytesPerSecond,
		metrics,
		clock,
	});
	const where = await options.listen(server.http);
	const address = options.advertise === '' ? reachable(where) : options.advertise;
	const announcer = new Announcer({
		...{
			id: cluster.id,
			address,
			directory: cluster.directory,
			pool,
			clock,
			slots: defaultSlots,
			models: [],
		},
		numerics: options.numerics,
		busySlots: () => server.busySlots,
		budgetBytes: options.budgetBytes,
		bytesOf: options.bytesOf,
		speedOf: (model) => speedSampleSeconds / admission.secondsFor(model, speedSampleSeconds),
		onError: (thrown) => log.warn({}, `the queue: ${reasonOf(thrown)}`),
	});
	await announcer.begin();
	const jobs = jobWorker(options, temporary);
	jobs.start();
	return {
		address,
		close: async () => {
			server.drain();
			await announcer.close();
			await jobs.stop();
			await server.close();
			await temporary.remove();
		},
	};
}

function jobWorker(options: WorkerOptions, temporary: TempFolder): JobWorker {
	const { cluster, pool, clock, metrics, log, admission, voices, maxKnownSpeakers } = options;
	const service = new JobService({
		storage: cluster,
		// A worker creates no jobs.
		limits: { maxJobs: 0, maxJobsPerKey: 0, maxBytes: 0 },
		retention: defaultJobRetention,
		now: () => Date.now() / 1000,
		log,
		// Gateways send the webhooks.
		publishesEvents: false,
	});
	return new JobWorker({
		...{ storage: cluster, service, pool, admission, voices, maxKnownSpeakers, metrics, log },
		temporaryFolder: temporary.path,
		slots: jobSlots,
		elapsedMs: () => clock.now(),
	});
}

/** The base URL by which other machines reach a server that listens on this address; '' for a Unix socket. */
function reachable({ host, port }: { readonly host: string; readonly port: number }): string {
	if (port === 0) return '';
	const isAny = host === '0.0.0.0' || host === '::';
	const name = isAny ? (firstAddress() ?? '127.0.0.1') : host;
	return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function firstAddress(): string | undefined {
	const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
	return all.find(({ family, internal, address }) => family === 'IPv4' && !internal && !isLoopback(address))
		?.address;
}
