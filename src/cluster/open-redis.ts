/** Opens connections to Redis, Valkey or another server with the same protocol, from a URL. */

import { installed } from '../core/optional-packages.js';
import { RedisRecords, redisPrefix } from './records/redis-records.js';
import type { ClusterServer, OpenServerOptions } from './server-connection.js';
import { BullTransport, bullOptions } from './transport/bullmq-transport.js';

/** Delay before attempt number `tries` to reconnect, ms. */
const reconnectMs = (tries: number): number => Math.min(50 * 2 ** Math.min(tries, 6), 2000);

/**
 * `waitsForServer`: commands wait while the server is unreachable, as workers need; otherwise they fail within seconds,
 * as client requests need. Throws `config_invalid` if the packages are missing.
 */
export async function openRedis({ url, waitsForServer, onError }: OpenServerOptions): Promise<ClusterServer> {
	const { Redis } = await installed('ioredis', url, () => import('ioredis'));
	const { Queue, Worker } = await installed('bullmq', url, () => import('bullmq'));
	let failure: unknown;
	const connect = (retries: boolean) => {
		const redis = new Redis(url, {
			// BullMQ requires null for connections that take jobs.
			maxRetriesPerRequest: retries ? null : 0,
			enableOfflineQueue: retries,
			retryStrategy: reconnectMs,
			connectTimeout: 10_000,
			// Detects connections that were dropped without notice.
			keepAlive: 10_000,
			lazyConnect: true,
			...(!retries && { commandTimeout: 5000 }),
		});
		redis.on('error', (error) => {
			failure ??= error;
			onError(error);
		});
		return redis;
	};
	const redis = connect(waitsForServer);
	const listening = connect(true);
	// One connection for all queues; each BullMQ worker opens one more.
	const shared = connect(waitsForServer);
	const all = [redis, listening, shared];
	try {
		await Promise.all(all.map((each) => each.connect()));
	} catch (thrown) {
		for (const each of all) each.disconnect();
		// The client's own error only says that the connection is closed.
		throw failure ?? thrown;
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
