/** Records in tables of PostgreSQL. */

import type { Client, Pool, PoolClient } from 'pg';
import { objectIn } from './objects.js';
import type { Commit, IndexEntry, Page, Records, StoredRecord } from './records.js';

/** The schema of all tables. */
export const postgresSchema = 'earshot';

/** Members are sorted by bytes, whatever the locale of the database. */
const tables = `
CREATE SCHEMA IF NOT EXISTS ${postgresSchema};
CREATE TABLE IF NOT EXISTS ${postgresSchema}.records (key text PRIMARY KEY, version bigint NOT NULL, value text NOT NULL);
CREATE TABLE IF NOT EXISTS ${postgresSchema}.indexes (
	name text NOT NULL, member text COLLATE "C" NOT NULL, score double precision NOT NULL, PRIMARY KEY (name, member));
CREATE INDEX IF NOT EXISTS indexes_order ON ${postgresSchema}.indexes (name, score, member);
CREATE TABLE IF NOT EXISTS ${postgresSchema}.counters (name text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE IF NOT EXISTS ${postgresSchema}.lists (name text NOT NULL, id bigserial, value text NOT NULL, PRIMARY KEY (name, id));
`;

/** Advisory lock held while tables are created, so that two servers that start together do not conflict. */
const tablesLock = 0x65617273;

/** Codes of conflicts between concurrent transactions; PostgreSQL decides which one must retry. */
const again = ['40001', '40P01', '23505'];
const maxTries = 20;

const nowMs = 'floor(extract(epoch FROM clock_timestamp()) * 1000)';

/** Channel of NOTIFY. A topic and its message are far below the size limit of a notification. */
const channel = 'earshot';

export async function makeTables(pool: Pool): Promise<void> {
	const client = await pool.connect();
	try {
		await client.query(`SELECT pg_advisory_lock(${tablesLock})`);
		await client.query(tables);
	} finally {
		await client.query(`SELECT pg_advisory_unlock(${tablesLock})`).catch(() => {});
		client.release();
	}
}

export interface PostgresRecordsOptions {
	readonly pool: Pool;
	/** Opens a connection for LISTEN only; called again after it breaks. */
	readonly listen: () => Promise<Client>;
	readonly onError: (error: unknown) => void;
	/** Whether a query is retried while the server is unreachable. */
	readonly waitsForServer: boolean;
}

const reconnectMs = 500;

export class PostgresRecords implements Records {
	readonly #options: PostgresRecordsOptions;
	readonly #subscribers = new Map<string, Set<(message: string) => void>>();
	#listening: Promise<Client> | undefined;
	#isClosed = false;

	/** Takes ownership of the pool. */
	constructor(options: PostgresRecordsOptions) {
		this.#options = options;
	}

	async get(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
		if (keys.length === 0) return [];
		const rows = await this.#query<{ key: string; version: string; value: string }>(
			`SELECT key, version, value FROM ${postgresSchema}.records WHERE key = ANY($1)`,
			[keys],
		);
		const found = new Map(rows.map(({ key, version, value }) => [key, { version: Number(version), value }]));
		return keys.map((key) => found.get(key));
	}

	async commit(changes: Commit): Promise<boolean> {
		for (let tries = 1; ; tries++) {
			try {
				return await this.#whenConnected(() => this.#commitOnce(changes));
			} catch (thrown) {
				if (tries >= maxTries || !again.includes(codeOf(thrown))) throw thrown;
			}
		}
	}

	async page(index: string, { after, limit, order }: Page): Promise<IndexEntry[]> {
		const values: unknown[] = [index, limit];
		let behind = '';
		if (after !== undefined) {
			values.push(after);
			const compared = order === 'asc' ? '>' : '<';
			behind = `AND (score, member) ${compared} (SELECT score, member FROM ${postgresSchema}.indexes WHERE name = $1 AND member = $3)`;
		}
		return await this.#query<IndexEntry>(
			`SELECT member, score FROM ${postgresSchema}.indexes WHERE name = $1 ${behind} ORDER BY score ${order}, member ${order} LIMIT $2`,
			values,
		);
	}

	async between(index: string, min: number, max: number, limit: number): Promise<IndexEntry[]> {
		return await this.#query<IndexEntry>(
			`SELECT member, score FROM ${postgresSchema}.indexes WHERE name = $1 AND score >= $2 AND score <= $3 ORDER BY score, member LIMIT $4`,
			[index, min, max, Math.min(limit, Number.MAX_SAFE_INTEGER)],
		);
	}

	async sizes(indexes: readonly string[]): Promise<number[]> {
		const rows = await this.#query<{ name: string; size: string }>(
			`SELECT name, count(*) AS size FROM ${postgresSchema}.indexes WHERE name = ANY($1) GROUP BY name`,
			[indexes],
		);
		const found = new Map(rows.map(({ name, size }) => [name, Number(size)]));
		return indexes.map((name) => found.get(name) ?? 0);
	}

	async counts(names: readonly string[]): Promise<number[]> {
		const rows = await this.#query<{ name: string; value: string }>(
			`SELECT name, value FROM ${postgresSchema}.counters WHERE name = ANY($1)`,
			[names],
		);
		const found = new Map(rows.map(({ name, value }) => [name, Number(value)]));
		return names.map((name) => found.get(name) ?? 0);
	}

	async list(name: string, from: number): Promise<string[]> {
		const rows = await this.#query<{ value: string }>(
			`SELECT value FROM ${postgresSchema}.lists WHERE name = $1 ORDER BY id OFFSET $2`,
			[name, from],
		);
		return rows.map(({ value }) => value);
	}

	async now(): Promise<number> {
		const [row] = await this.#query<{ now: string }>(`SELECT ${nowMs} AS now`, []);
		return Number(row?.now);
	}

	async subscribe(topic: string, onMessage: (message: string) => void): Promise<() => void> {
		const others = this.#subscribers.get(topic) ?? new Set();
		this.#subscribers.set(topic, others);
		others.add(onMessage);
		await this.#listen();
		return () => {
			others.delete(onMessage);
			if (others.size === 0 && this.#subscribers.get(topic) === others) this.#subscribers.delete(topic);
		};
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		const listening = await this.#listening?.catch(() => undefined);
		await listening?.end().catch(() => {});
		await this.#options.pool.end().catch(() => {});
	}

	async #commitOnce(changes: Commit): Promise<boolean> {
		const client = await this.#options.pool.connect();
		let isBroken = false;
		try {
			await client.query('BEGIN');
			const isExpected = await isAsExpected(client, changes.expect ?? {});
			if (isExpected) await apply(client, changes);
			await client.query(isExpected ? 'COMMIT' : 'ROLLBACK');
			return isExpected;
		} catch (thrown) {
			await client.query('ROLLBACK').catch(() => {
				isBroken = true;
			});
			throw thrown;
		} finally {
			client.release(isBroken);
		}
	}

	async #query<R extends object>(text: string, values: readonly unknown[]): Promise<R[]> {
		const { rows } = await this.#whenConnected(() => this.#options.pool.query<R>(text, [...values]));
		return rows;
	}

	/** Retries while the server is unreachable, if `waitsForServer`. */
	async #whenConnected<T>(act: () => Promise<T>): Promise<T> {
		for (;;) {
			try {
				return await act();
			} catch (thrown) {
				if (!this.#options.waitsForServer || this.#isClosed || !isConnectionError(thrown)) throw thrown;
				this.#options.onError(thrown);
				await new Promise((resolve) => setTimeout(resolve, reconnectMs));
			}
		}
	}

	async #listen(): Promise<void> {
		this.#listening ??= (async () => {
			const client = await this.#options.listen();
			client.on('notification', ({ payload = '' }) => {
				const { topic, message } = messageOf(payload);
				for (const onMessage of this.#subscribers.get(topic) ?? []) onMessage(message);
			});
			const lost = (error?: unknown) => {
				this.#listening = undefined;
				if (this.#isClosed) return;
				if (error !== undefined) this.#options.onError(error);
				setTimeout(() => void this.#listen().catch(() => {}), reconnectMs).unref();
			};
			client.once('error', lost);
			client.once('end', () => lost());
			await client.query(`LISTEN ${channel}`);
			return client;
		})().catch((thrown: unknown) => {
			this.#listening = undefined;
			if (!this.#isClosed) setTimeout(() => void this.#listen().catch(() => {}), reconnectMs).unref();
			throw thrown;
		});
		await this.#listening;
	}
}

/** Locks the expected records in sorted order, which avoids deadlocks, and compares their versions. */
async function isAsExpected(
	client: PoolClient,
	expected: Readonly<Record<string, number>>,
): Promise<boolean> {
	const keys = Object.keys(expected).sort();
	if (keys.length === 0) return true;
	const { rows } = await client.query<{ key: string; version: string }>(
		`SELECT key, version FROM ${postgresSchema}.records WHERE key = ANY($1) ORDER BY key FOR UPDATE`,
		[keys],
	);
	const found = new Map(rows.map(({ key, version }) => [key, Number(version)]));
	return keys.every((key) => (found.get(key) ?? 0) === expected[key]);
}

async function apply(client: PoolClient, changes: Commit): Promise<void> {
	const { expect = {}, put = {}, remove = [], index = [], count = [], append = [] } = changes;
	for (const [key, value] of Object.entries(put)) {
		// A record that must not exist yet: if another transaction inserts it first, this fails and is retried.
		const onConflict =
			expect[key] === 0
				? ''
				: 'ON CONFLICT (key) DO UPDATE SET version = records.version + 1, value = EXCLUDED.value';
		await client.query(`INSERT INTO ${postgresSchema}.records VALUES ($1, 1, $2) ${onConflict}`, [
			key,
			value,
		]);
	}
	if (remove.length > 0)
		await client.query(`DELETE FROM ${postgresSchema}.records WHERE key = ANY($1)`, [remove]);
	for (const { name, member, score } of index) {
		if (score === null)
			await client.query(`DELETE FROM ${postgresSchema}.indexes WHERE name = $1 AND member = $2`, [
				name,
				member,
			]);
		else
			await client.query(
				`INSERT INTO ${postgresSchema}.indexes VALUES ($1, $2, ${score === 'now' ? nowMs : '$3'})
				ON CONFLICT (name, member) DO UPDATE SET score = EXCLUDED.score`,
				score === 'now' ? [name, member] : [name, member, score],
			);
	}
	for (const { name, by } of count)
		await client.query(
			`INSERT INTO ${postgresSchema}.counters VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = counters.value + EXCLUDED.value`,
			[name, by],
		);
	for (const { list, value } of append)
		await client.query(`INSERT INTO ${postgresSchema}.lists (name, value) VALUES ($1, $2)`, [list, value]);
	if (changes.removeLists && changes.removeLists.length > 0)
		await client.query(`DELETE FROM ${postgresSchema}.lists WHERE name = ANY($1)`, [changes.removeLists]);
	for (const { topic, message } of changes.publish ?? [])
		await client.query('SELECT pg_notify($1, $2)', [channel, JSON.stringify([topic, message])]);
}

/** Any user of the database may send notifications, so the payload is not trusted. */
function messageOf(payload: string): { readonly topic: string; readonly message: string } {
	const { 0: topic, 1: message } = objectIn({ value: payload }) ?? {};
	return { topic: String(topic), message: String(message) };
}

function codeOf(thrown: unknown): string {
	const { code } = thrown as { readonly code?: unknown };
	return typeof code === 'string' ? code : '';
}

/** Whether the connection failed rather than the query: classes 08 and 57P of SQLSTATE, and socket errors. */
function isConnectionError(thrown: unknown): boolean {
	const code = codeOf(thrown);
	if (/^(08|57P)/.test(code) || /^E(CONN|PIPE|TIMEDOUT|HOST)/.test(code)) return true;
	return (
		thrown instanceof Error && /connection terminated|timeout exceeded when trying/i.test(thrown.message)
	);
}
