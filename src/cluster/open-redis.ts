/** Connections to Redis, Valkey or another server with their protocol, as a URL names it. */

import { installed } from './install/packages.js';
import { RedisRecords, redisPrefix } from './records/redis-records.js';
import type { ClusterServer, OpenServerOptions } from './server-connection.js';
import { BullTransport, bullOptions } from './transport/bullmq-transport.js';

/** Between tries to connect again, ms. */
const reconnectMs = (tries: number): number => Math.min(50 * 2 ** Math.min(tries, 6), 2000);

/**
 * `isPatient`: what is told while the server is away waits for it, as workers do; else it fails soon, as requests must.
 * Throws `config_invalid` without the packages.
 */
export async function openRedis({ url, isPatient, onError }: OpenServerOptions): Promise<ClusterServer> {
	const { Redis } = await installed('ioredis', url, () => import('ioredis'));
	const { Queue, Worker } = await installed('bullmq', url, () => import('bullmq'));
	const connect = (patient: boolean) => {
		const redis = new Redis(url, {
			// As BullMQ wants it of connections that take work.
			maxRetriesPerRequest: patient ? null : 0,
			enableOfflineQueue: patient,
			retryStrategy: reconnectMs,
			connectTimeout: 10_000,
			// A connection that is silently gone is found by this.
			keepAlive: 10_000,
			lazyConnect: true,
			...(!patient && { commandTimeout: 5000 }),
		});
		redis.on('error', onError);
		return redis;
	};
	const redis = connect(isPatient);
	const listening = connect(true);
	// One connection for all queues; workers make one more each.
	const shared = connect(isPatient);
	const all = [redis, listening, shared];
	try {
		await Promise.all(all.map((each) => each.connect()));
	} catch (thrown) {
		for (const each of all) each.disconnect();
		throw thrown;
	}
	const prefix = `${redisPrefix}:bull`;
	const transport = new BullTransport(
		{
			queue: (name) => new Queue(name, { connection: shared, prefix, skipVersionCheck: true }),
			worker: (name, options) =>
				new Worker(name, null, {
					connection: shared,
					prefix,
					autorun: false,
					skipVersionCheck: true,
					...bullOptions,
					...options,
				}),
		},
		onError,
	);
	return {
		records: new RedisRecords(redis, listening),
		transport,
		close: async () => {
			await transport.close();
			for (const each of all) each.disconnect();
		},
	};
}
