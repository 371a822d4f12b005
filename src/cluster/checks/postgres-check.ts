/** Checks that a PostgreSQL server keeps jobs safely. Changes nothing: the first server or worker creates the
 * tables. */

import type { Client } from 'pg';
import { reasonOf } from '../../core/errors.js';
import { installed } from '../../core/optional-packages.js';
import { bullSchema } from '../open-postgres.js';
import { PostgresRecords, postgresSchema } from '../records/postgres-records.js';
import type { CheckedQueue, SharedFinding } from './finding.js';

const timeoutMs = 5000;
const minMajor = 13;

export interface PostgresState {
	readonly version: string;
	readonly fsync: string;
	readonly commit: string;
	readonly standby: boolean;
	/** Whether this user may create schemas. */
	readonly creates: boolean;
	/** Number of Earshot's tables that exist; `usable`: of those that this user may change. */
	readonly tables: number;
	readonly usable: number;
	/** Schema version of BullMQ's tables; 0 = there are none. */
	readonly bullVersion: number;
	readonly latestBullVersion: number;
	/** Why BullMQ cannot use its tables. */
	readonly bullFault?: string;
}

const tableNames = ['records', 'indexes', 'counters', 'lists'];

const question = `
SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
	current_setting('synchronous_commit') AS commit, pg_is_in_recovery() AS standby,
	has_database_privilege(current_database(), 'CREATE') AS creates,
	count(found)::int AS tables,
	(count(*) FILTER (WHERE found IS NOT NULL AND has_table_privilege(found, 'SELECT') AND has_table_privilege(found, 'INSERT')
		AND has_table_privilege(found, 'UPDATE') AND has_table_privilege(found, 'DELETE')))::int AS usable
FROM (SELECT to_regclass('${postgresSchema}.' || name) AS found FROM unnest($1::text[]) AS name) AS tables`;

/** Throws errors of the server and its client. */
export async function checkPostgres(url: string): Promise<CheckedQueue> {
	const { default: pg } = await installed('pg', url, () => import('pg'));
	const bull = await installed('bullmq', url, () => import('bullmq'));
	const pool = new pg.Pool({
		connectionString: url,
		max: 1,
		connectionTimeoutMillis: timeoutMs,
		query_timeout: timeoutMs,
	});
	pool.on('error', () => {});
	try {
		const { rows } = await pool.query<PostgresState>(question, [tableNames]);
		const [row] = rows;
		if (row === undefined) throw new Error('it gave no answer');
		const client = await pool.connect();
		const tables = await bullTables(client, bull).finally(() => client.release());
		const state = { ...row, ...tables, latestBullVersion: bull.LATEST_SCHEMA_VERSION };
		const records = new PostgresRecords({
			pool,
			waitsForServer: false,
			onError: () => {},
			listen: () => Promise.reject(new Error('nothing is listened to')),
		});
		return {
			findings: postgresFindings(state),
			records: state.usable === tableNames.length ? records : undefined,
			close: () => records.close(),
		};
	} catch (thrown) {
		await pool.end();
		throw thrown;
	}
}

async function bullTables(
	client: Pick<Client, 'query'>,
	bull: typeof import('bullmq'),
): Promise<Pick<PostgresState, 'bullVersion' | 'bullFault'>> {
	try {
		return { bullVersion: await bull.assertSchemaCompatibility(client, bullSchema) };
	} catch (thrown) {
		if (thrown instanceof bull.SchemaMigrationRequiredError) return { bullVersion: 0 };
		return { bullVersion: 0, bullFault: reasonOf(thrown) };
	}
}

/** Pure. */
export function postgresFindings(state: PostgresState): SharedFinding[] {
	const faults = [...faultsOf(state)];
	const { version, tables, bullVersion, latestBullVersion } = state;
	const made =
		tables === 0
			? 'the first server or worker makes its tables'
			: `tables of Earshot, and of BullMQ ${bullVersion}`;
	const older = bullVersion > 0 && bullVersion < latestBullVersion;
	const migrated = older ? `, which the next start brings to ${latestBullVersion}` : '';
	return [
		{ ok: faults.length === 0, what: 'queue', detail: `PostgreSQL ${version} (${made}${migrated})` },
		...faults.map((fault) => ({ ok: false, what: 'queue' as const, detail: fault })),
	];
}

function* faultsOf(state: PostgresState): Generator<string> {
	const { version, fsync, commit, standby, creates, tables, usable, bullFault } = state;
	if (Number.parseInt(version, 10) < minMajor) yield `Expected version ${minMajor} or newer, got ${version}`;
	if (standby) yield 'it is a standby, which takes no jobs: name the server that it follows';
	if (fsync === 'off') yield 'a power cut may destroy it (fsync is off): set fsync = on';
	if (commit === 'off')
		yield 'a crash loses the last jobs (synchronous_commit is off): set synchronous_commit = on';
	if (tables < tableNames.length && !creates)
		yield 'this user may not make the tables: GRANT CREATE ON DATABASE to it, for the first start';
	if (tables > 0 && tables < tableNames.length && creates)
		yield `${tableNames.length - tables} of the tables in the schema ${postgresSchema} are missing: was it restored in part?`;
	if (usable < tables)
		yield `this user may not change ${tables - usable} of the tables in the schema ${postgresSchema}: use the one who made them`;
	if (bullFault !== undefined) yield `BullMQ cannot use its tables: ${bullFault}`;
}
