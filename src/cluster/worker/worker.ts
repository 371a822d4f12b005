/** A worker: takes units from the queue and recordings from gateways, and runs them by the models of its pool. */

import { networkInterfaces } from 'node:os';
import type { Clock } from '../../clock.js';
import { isLoopback } from '../../config/addresses.js';
import { createTempFolder, type TempFolder } from '../../disk/temp-folder.js';
import { reasonOf } from '../../errors.js';
import { JobService } from '../../jobs/service/job-service.js';
import { defaultJobRetention } from '../../jobs/service/outcome.js';
import { JobWorker, type JobWorkerOptions } from '../../jobs/worker/job-worker.js';
import type { Log } from '../../log.js';
import type { Metrics } from '../../metrics.js';
import type { ModelPool } from '../../pool/model-pool.js';
import type { Cluster } from '../open-cluster.js';
import { clusterKey } from '../remote/key.js';
import { WorkerServer } from '../remote/worker-server.js';
import { Announcer, usualLanes } from './announcer.js';

export interface WorkerOptions extends Pick<JobWorkerOptions, 'admission' | 'voices' | 'maxKnownSpeakers'> {
	/** Both belong to the caller. */
	readonly cluster: Cluster;
	readonly pool: ModelPool;
	readonly clock: Clock;
	readonly metrics: Metrics;
	readonly log: Log;
	/** Opens the address that gateways reach it by. */
	readonly listen: (
		server: WorkerServer['http'],
	) => Promise<{ readonly host: string; readonly port: number }>;
	/** '' = by the address that it listens on. */
	readonly advertise: string;
	readonly budgetBytes: number;
	/** As in `Unit`. */
	readonly numerics: string;
	readonly bytesOf: (model: string) => number;
}

export interface RunningWorker {
	/** '' if it listens where no other machine reaches it, and is not told otherwise. */
	readonly address: string;
	/** Gives back what is unfinished. */
	close(): Promise<void>;
}

/** Audio by which the pace of a model is asked for, seconds. */
const paceSeconds = 600;

/** Units of jobs at a time: one more than are counted on, so that the next is there when one ends, and no more, so that
 * other workers have the rest. */
const jobLanes = usualLanes + 1;

export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
	const { cluster, pool, clock, metrics, log, admission } = options;
	const temporary = await createTempFolder();
	const server = new WorkerServer({
		pool,
		key: await clusterKey(cluster.records),
		lanes: usualLanes,
		temporaryFolder: temporary.path,
		metrics,
		clock,
	});
	const where = await options.listen(server.http);
	const address = options.advertise === '' ? reachable(where) : options.advertise;
	const announcer = new Announcer({
		...{ id: cluster.id, address, directory: cluster.directory, pool, clock, lanes: usualLanes, models: [] },
		numerics: options.numerics,
		busyLanes: () => server.busyLanes,
		budgetBytes: options.budgetBytes,
		bytesOf: options.bytesOf,
		paceOf: (model) => paceSeconds / admission.secondsFor(model, paceSeconds),
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
		// A worker makes no jobs.
		limits: { maxJobs: 0, maxJobsPerKey: 0, maxBytes: 0 },
		retention: defaultJobRetention,
		now: () => Date.now() / 1000,
		log,
		// Gateways know who is to be told.
		isTeller: false,
	});
	return new JobWorker({
		...{ storage: cluster, service, pool, admission, voices, maxKnownSpeakers, metrics, log },
		temporaryFolder: temporary.path,
		lanes: jobLanes,
		elapsedMs: () => clock.now(),
	});
}

/** Where other machines reach a server that listens on this address. */
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
