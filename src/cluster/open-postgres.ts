/** Opens connections to PostgreSQL from a URL. */

import type { Queue as BullQueue, Worker as BullWorker, createPostgresBackend } from 'bullmq';
import { installed } from '../core/optional-packages.js';
import { makeTables, PostgresRecords } from './records/postgres-records.js';
import type { ClusterServer, OpenServerOptions } from './server-connection.js';
import { BullTransport, bullOptions } from './transport/bullmq-transport.js';

/** For each process: there are few units, and each query is short. */
const maxConnections = 5;
const connectMs = 5000;

/** BullMQ's default schema, which cannot be changed when it uses our pool. */
export const bullSchema = 'bullmq';

type ConstructorOf<T> = new (name: string, options: object, backend: typeof createPostgresBackend) => T;
type WorkerConstructor = new (
	name: string,
	processor: null,
	options: object,
	backend: typeof createPostgresBackend,
) => BullWorker;

/** BullMQ's tables are in the schema `bullmq`, Earshot's in `earshot`; both are created at the first start. Throws
 * `config_invalid` if the packages are missing. */
export async function openPostgres({
	url,
	waitsForServer,
	onError,
}: OpenServerOptions): Promise<ClusterServer> {
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
			...(!waitsForServer && { query_timeout: connectMs }),
		});
		// Errors of an idle connection; the pool replaces it.
		pool.on('error', onError);
		// Errors of a checked-out connection between queries: an unhandled `error` event would end the process.
		pool.on('connect', (client) => client.on('error', onError));
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
		waitsForServer,
		onError,
		listen: async () => {
			const client = new pg.Client({ connectionString: url, keepAlive: true });
			client.on('error', onError);
			await client.connect();
			return client;
		},
	});
	// Each queue has its own connections and closes them itself.
	const connection = { connectionString: url, max: 2, connectionTimeoutMillis: connectMs, keepAlive: true };
	// BullMQ's types assume Redis unless every type parameter is given.
	const QueueClass = Queue as unknown as ConstructorOf<BullQueue>;
	const WorkerClass = Worker as unknown as WorkerConstructor;
	const transport = new BullTransport(
		{
			queue: (name) => new QueueClass(name, { connection }, createPostgresBackend),
			worker: (name, options) =>
				new WorkerClass(
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
