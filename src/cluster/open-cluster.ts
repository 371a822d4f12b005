/** Opens everything that the machines of a cluster share, from two URLs: the queue and the blob store. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../core/clock.js';
import { EarshotError, reasonOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { withoutSecrets } from '../core/optional-packages.js';
import type { JobStorage } from '../jobs/storage.js';
import { openBlobs } from './blobs/open-blobs.js';
import { foreignStore } from './blobs/same-blobs.js';
import { Directory } from './directory.js';
import { openPostgres } from './open-postgres.js';
import { openRedis } from './open-redis.js';
import { RecordStore } from './record-store.js';
import { objectIn } from './records/objects.js';
import { withOutages } from './records/outages.js';
import type { Records } from './records/records.js';
import { Releaser } from './releaser.js';
import type { ClusterServer, OpenServerOptions } from './server-connection.js';
import { demandRecord } from './unit-keys.js';
import { UnitQueue } from './unit-queue.js';

export interface ClusterOptions {
	/** `redis://…`, `rediss://…` or `postgres://…`. */
	readonly queueUrl: string;
	/** `file:///…` or `s3://…`. */
	readonly blobsUrl: string;
	/** As in `OpenServerOptions`. */
	readonly waitsForServer: boolean;
	/** As in `Unit`, for this process; absent if it runs no models. */
	readonly numerics?: string;
	readonly clock: Clock;
	readonly log: Log;
}

/** `lost` never aborts, since several processes may use the cluster at the same time. */
export interface Cluster extends JobStorage {
	/** Unique id of this process. */
	readonly id: string;
	readonly records: Records;
	readonly directory: Directory;
}

/** The same connection failure may occur many times a second; it is logged at most this often. */
const repeatLogMs = 30_000;

/** Throws `config_invalid` if packages are missing or a URL is wrong, and `closed` if the queue server does not
 * answer. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
	const { queueUrl, blobsUrl, waitsForServer, numerics, clock, log } = options;
	const onError = failureLog(log, clock);
	const opened = await openBlobs(blobsUrl);
	let server: ClusterServer;
	try {
		server = await openServer({ url: queueUrl, waitsForServer, onError });
	} catch (thrown) {
		await opened.close();
		throw thrown;
	}
	const records = withOutages(server.records);
	const { transport } = server;
	const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
	const directory = new Directory(records, clock);
	const slotsFor = (model: string) => directory.slotsFor(model);
	const releaser = new Releaser({ records, transport, clock, slotsFor, onError });
	const modelsFor = async () => {
		const [found] = await records.get([demandRecord]);
		const demand = Object.entries(objectIn(found) ?? {}) as [string, number][];
		return await directory.modelsFor(id, new Map(demand));
	};
	const queue = new UnitQueue({
		...{ records, transport, clock, worker: id, modelsFor, onError },
		...(numerics !== undefined && { numerics }),
		availableNumerics: () => directory.numerics(),
	});
	const store = new RecordStore(records, onError);
	// A blob store that is down must not prevent the start.
	void foreignStore(records, opened.blobs)
		.then((wrong) => {
			if (wrong !== undefined) log.error({}, `${withoutSecrets(blobsUrl)} ${wrong}`);
		})
		.catch(onError);
	return {
		...{ id, store, queue, records, directory, blobs: opened.blobs },
		lost: new AbortController().signal,
		close: async () => {
			await releaser.close();
			await queue.close();
			await store.close();
			await server.close();
			await opened.close();
		},
	};
}

/** Opens the queue server that the URL names. */
async function openServer(options: OpenServerOptions): Promise<ClusterServer> {
	try {
		const isPostgres = /^postgres(ql)?:$/.test(new URL(options.url).protocol);
		return await (isPostgres ? openPostgres(options) : openRedis(options));
	} catch (thrown) {
		if (thrown instanceof EarshotError) throw thrown;
		throw new EarshotError(
			'closed',
			`The queue at ${withoutSecrets(options.url)} cannot be used: ${reasonOf(thrown)}`,
			{ cause: thrown },
		);
	}
}

function failureLog(log: Log, clock: Clock): (error: unknown) => void {
	const loggedAt = new Map<string, number>();
	return (error) => {
		const reason = reasonOf(error);
		const now = clock.now();
		if (now - (loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < repeatLogMs) return;
		loggedAt.set(reason, now);
		log.warn({}, `the queue: ${reason}`);
	};
}
