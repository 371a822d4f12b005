/** Connections to PostgreSQL, as a URL names it. */

import type { Queue as BullQueue, Worker as BullWorker, createPostgresBackend } from 'bullmq';
import { installed } from './install/packages.js';
import { makeTables, PostgresRecords } from './records/postgres-records.js';
import type { ClusterServer, OpenServerOptions } from './server-connection.js';
import { BullTransport, bullOptions } from './transport/bullmq-transport.js';

/** Of one process: units are few, and each question is short. */
const maxConnections = 5;
const connectMs = 5000;

/** The default of BullMQ, which a pool of ours cannot change. */
export const bullSchema = 'bullmq';

type Made<T> = new (name: string, options: object, backend: typeof createPostgresBackend) => T;
type MadeWorker = new (
	name: string,
	processor: null,
	options: object,
	backend: typeof createPostgresBackend,
) => BullWorker;

/** BullMQ's own tables are in the schema `bullmq`, ours in `earshot`; both are made at the first start. Throws
 * `config_invalid` without the packages. */
export async function openPostgres({ url, isPatient, onError }: OpenServerOptions): Promise<ClusterServer> {
	const { default: pg } = await installed('pg', url, () => import('pg'));
	const { Queue, Worker, createPostgresBackend, runMigrations } = await installed(
		'bullmq',
		url,
		() => import('bullmq'),
	);
	const connect = () => {
		const pool = new pg.Pool({
			connectionString: url,
			max: maxConnections,
			connectionTimeoutMillis: connectMs,
			keepAlive: true,
			...(!isPatient && { query_timeout: connectMs }),
		});
		// Of a connection that nobody uses now; the next one is new.
		pool.on('error', onError);
		return pool;
	};
	const pool = connect();
	try {
		await makeTables(pool);
		const client = await pool.connect();
		await runMigrations(client, bullSchema).finally(() => client.release());
	} catch (thrown) {
		await pool.end();
		throw thrown;
	}
	const records = new PostgresRecords({
		pool,
		isPatient,
		onError,
		listen: async () => {
			const client = new pg.Client({ connectionString: url, keepAlive: true });
			client.on('error', onError);
			await client.connect();
			return client;
		},
	});
	// Each queue has connections of its own, which it closes.
	const connection = { connectionString: url, max: 2, connectionTimeoutMillis: connectMs, keepAlive: true };
	// Their types are made for Redis, unless every type parameter is named.
	const QueueThere = Queue as unknown as Made<BullQueue>;
	const WorkerThere = Worker as unknown as MadeWorker;
	const transport = new BullTransport(
		{
			queue: (name) => new QueueThere(name, { connection }, createPostgresBackend),
			worker: (name, options) =>
				new WorkerThere(
					name,
					null,
					{ connection, autorun: false, ...bullOptions, ...options },
					createPostgresBackend,
				),
		},
		onError,
	);
	return {
		records,
		transport,
		close: async () => {
			await transport.close();
			await records.close();
		},
	};
}
