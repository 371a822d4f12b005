/** `earshot serve --queue URL`: sends recordings to workers on other machines too. */

import { openCluster } from '../../../cluster/open-cluster.js';
import { Role } from '../../../cluster/role.js';
import { finishedTopic } from '../../../cluster/unit-keys.js';
import { recordWebhooks } from '../../../cluster/webhooks/record-webhooks.js';
import { Announcer } from '../../../cluster/workers/announcer.js';
import { ClusterPool } from '../../../cluster/workers/cluster-pool.js';
import { clusterKey } from '../../../cluster/workers/key.js';
import { QueuedRequests } from '../../../cluster/workers/queued-requests.js';
import { WorkerClient } from '../../../cluster/workers/worker-client.js';
import { systemClock } from '../../../core/clock.js';
import { slotsOf } from '../../../core/config/resolve.js';
import type { Config } from '../../../core/config/settings.js';
import { EarshotError, reasonOf } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { ModelPool } from '../../../pool/model-pool.js';
import type { SharedJobs } from '../../../server/jobs/create-server-jobs.js';
import type { WebhookStorage } from '../../../webhooks/storage.js';
import { numericsOfMachine } from './start-up.js';

export interface Gateway {
	/** The models of this machine, and those of workers. */
	readonly pool: ModelPool;
	readonly jobs: SharedJobs;
	readonly webhooks: WebhookStorage;
	close(): Promise<void>;
}

/** `local`: the models of this machine; it belongs to the caller. Throws `config_invalid` and `closed`. */
export async function joinCluster(
	config: Config,
	local: ModelPool,
	{
		log,
		bytesOf,
		version,
	}: { readonly log: Log; readonly bytesOf: (model: string) => number; readonly version: string },
): Promise<Gateway> {
	const numerics = numericsOfMachine(config, version);
	const cluster = await openCluster({
		...clusterUrls(config),
		...(!config.noWorker && { numerics }),
		// Requests must fail soon while the queue is unreachable.
		waitsForServer: false,
		clock: systemClock,
		log,
	});
	const slots = slotsOf(config);
	const onError = (thrown: unknown) => log.warn({}, `the queue: ${reasonOf(thrown)}`);
	// One gateway at a time publishes the end of jobs. Its successor looks for jobs whose end was not published.
	let sweepMissed = () => {};
	const publisher = new Role('webhook-publisher', {
		records: cluster.records,
		clock: systemClock,
		onTaken: () => sweepMissed(),
		onError,
	});
	const pool = new ClusterPool({
		directory: cluster.directory,
		client: new WorkerClient(await clusterKey(cluster.records)),
		queued: new QueuedRequests({ ...cluster, clock: systemClock, onError }),
		clock: systemClock,
		local: config.noWorker ? undefined : local,
		defaultModel: config.defaultModel,
		hasLocalCapacity: () => local.models.reduce((sum, { requests }) => sum + requests, 0) < slots,
	});
	// Announces this machine's models, so that it receives units for them, but no recordings of other servers.
	const announcer = config.noWorker
		? undefined
		: new Announcer({
				...{ id: cluster.id, address: '', directory: cluster.directory, pool: local, clock: systemClock },
				...{ slots: slots, models: [], busySlots: () => 0, bytesOf, speedOf: () => 1, onError },
				numerics,
				budgetBytes: config.memoryBudgetMb * 2 ** 20,
			});
	await announcer?.begin();
	return {
		pool,
		webhooks: recordWebhooks({ records: cluster.records, clock: systemClock, onError }),
		jobs: {
			// The cluster is closed with the gateway, not with the jobs.
			open: async () => ({ ...cluster, close: async () => {} }),
			works: !config.noWorker,
			pool: local,
			onEnded: (ended, missed) => {
				sweepMissed = missed;
				return cluster.records.subscribe(finishedTopic, (id) => {
					if (publisher.isHeldHere) ended(id);
				});
			},
		},
		close: async () => {
			await announcer?.close();
			await publisher.close();
			await pool.close();
			await cluster.close();
		},
	};
}

/** Throws `config_invalid` unless both are given. */
export function clusterUrls({ queue, blobs }: Pick<Config, 'queue' | 'blobs'>): {
	readonly queueUrl: string;
	readonly blobsUrl: string;
} {
	const missing = queue === '' ? 'queue' : blobs === '' ? 'blobs' : undefined;
	if (missing === undefined) return { queueUrl: queue, blobsUrl: blobs };
	throw new EarshotError(
		'config_invalid',
		`Expected \`${missing}\` to be set, since several machines share it: EARSHOT_${missing.toUpperCase()}`,
		{ param: missing },
	);
}
