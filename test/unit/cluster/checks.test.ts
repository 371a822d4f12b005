/** What `earshot doctor` says of queues and stores, from real ones and from answers of odd ones. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkCluster, hidden, workersFinding } from '../../../src/cluster/checks/check-cluster.js';
import { clockFinding } from '../../../src/cluster/checks/finding.js';
import { type PostgresState, postgresFindings } from '../../../src/cluster/checks/postgres-check.js';
import { redisFindings } from '../../../src/cluster/checks/redis-check.js';
import { openCluster } from '../../../src/cluster/open-cluster.js';
import { systemClock } from '../../../src/core/clock.js';
import { doctorEnvironment } from '../../../src/core/config/environment.js';
import { silentLog } from '../../../src/core/log.js';
import { startS3 } from '../../helpers/net/s3.js';
import {
	freePort,
	postgresFolder,
	redisProgram,
	skipReason,
	startPostgres,
	startRedis,
	type TestServer,
} from '../../helpers/net/servers.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let folders = 0;
function newFolder(): string {
	const made = path.join(folder, String(folders++));
	mkdirSync(made);
	return made;
}

const faults = (findings: readonly { ok: boolean; detail: string }[]): string[] =>
	findings.filter(({ ok }) => !ok).map(({ detail }) => detail);

test('without a queue there is nothing to say', async () => {
	expect(await checkCluster({ queue: '', blobs: '' })).toEqual([]);
});

test('one without the other is missing', async () => {
	expect(await checkCluster({ queue: '', blobs: `file://${newFolder()}` })).toEqual([
		{ ok: false, what: 'queue', detail: 'machines that share jobs need it too: EARSHOT_QUEUE' },
		{ ok: true, what: 'blobs', detail: expect.stringMatching(/can be written and read$/) },
	]);
	const queue = `redis://127.0.0.1:${await freePort()}`;
	expect(await checkCluster({ queue, blobs: '' })).toMatchObject([
		{ ok: false, what: 'queue' },
		{ ok: false, what: 'blobs', detail: 'machines that share jobs need it too: EARSHOT_BLOBS' },
	]);
});

describe.skipIf(skipReason('redis-server', redisProgram) !== undefined)('a Redis', () => {
	let server: TestServer;
	const blobs = newFolder();
	beforeAll(async () => {
		server = await startRedis();
		return () => server.close();
	});

	test('that keeps what it gets is fine, and so is the clock', async () => {
		expect(await checkCluster({ queue: server.url, blobs: `file://${blobs}` })).toEqual([
			{
				ok: true,
				what: 'queue',
				detail: expect.stringMatching(
					/^redis:\/\/127\.0\.0\.1:\d+: (Redis|Valkey) [\d.]+ \(append-only file, written everysec; noeviction\)$/,
				),
			},
			{ ok: true, what: 'clock', detail: "agrees with the queue's within 5 s" },
			{ ok: true, what: 'workers', detail: 'none is running; to start one: earshot worker' },
			{
				ok: true,
				what: 'blobs',
				detail: `file://${blobs} can be written and read, and is that of the queue`,
			},
		]);
		// Nothing is left but the mark.
		expect(readdirSync(path.join(blobs, 'earshot'))).toEqual(['store.json']);
	});

	test('that evicts jobs is reported, with the command that mends it', async () => {
		const redis = new Redis(server.url);
		onTestFinished(async () => {
			await redis.config('SET', 'maxmemory-policy', 'noeviction');
			await redis.config('SET', 'appendonly', 'yes');
			redis.disconnect();
		});
		await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
		await redis.config('SET', 'appendonly', 'no');
		const found = await checkCluster({ queue: server.url, blobs: `file://${blobs}` });
		expect(faults(found)).toEqual([
			expect.stringContaining('Redis'),
			expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
			expect.stringContaining('CONFIG SET appendonly yes'),
		]);
	});

	test('whose password is wrong says so, without any password', async () => {
		const redis = new Redis(server.url);
		await redis.config('SET', 'requirepass', 'right-secret');
		onTestFinished(async () => {
			await redis.config('SET', 'requirepass', '');
			redis.disconnect();
		});
		const queue = server.url.replace('//', '//:wrong-secret@');
		const found = await checkCluster({ queue, blobs: `file://${newFolder()}` });
		expect(found[0]).toMatchObject({ ok: false, what: 'queue' });
		expect(found[0]?.detail).toMatch(/WRONGPASS|invalid/i);
		expect(JSON.stringify(found)).not.toContain('secret');
	});

	test('another folder than that of the other machines is found, by the doctor and at the start', async () => {
		const [mounted, empty] = [newFolder(), newFolder()];
		const own = await startRedis();
		onTestFinished(() => own.close());
		const url = (place: string) => `file://${place}`;
		await checkCluster({ queue: own.url, blobs: url(mounted) });
		const redis = new Redis(own.url);
		// As after a job was made.
		await redis.zadd('{earshot}:i:jobs', 1, 'trj_1');
		redis.disconnect();
		const found = await checkCluster({ queue: own.url, blobs: url(empty) });
		expect(faults(found)).toEqual([
			expect.stringContaining(`${url(empty)} is not the place that the other machines of this queue use`),
		]);
		const error = vi.fn();
		const cluster = await openCluster({
			...{ queueUrl: own.url, blobsUrl: url(empty), waitsForServer: false, clock: systemClock },
			log: { ...silentLog, error },
		});
		await vi.waitFor(() => expect(error).toHaveBeenCalledOnce());
		await cluster.close();
		expect(faults(await checkCluster({ queue: own.url, blobs: url(mounted) }))).toEqual([]);
	});
});

describe.skipIf(skipReason('postgresql', postgresFolder) !== undefined)('a PostgreSQL', () => {
	test('is fine before and after its first start, and nothing is made by looking', async () => {
		const server = await startPostgres();
		onTestFinished(() => server.close());
		const blobs = `file://${newFolder()}`;
		const first = await checkCluster({ queue: server.url, blobs });
		expect(first).toMatchObject([
			{
				ok: true,
				what: 'queue',
				detail: expect.stringMatching(
					/^postgres:\/\/127\.0\.0\.1:\d+\/postgres: PostgreSQL .* \(the first server or worker makes its tables\)$/,
				),
			},
			{ ok: true, what: 'blobs' },
		]);
		const client = new pg.Client(server.url);
		await client.connect();
		const { rows } = await client.query("SELECT to_regnamespace('earshot') AS made");
		expect(rows).toEqual([{ made: null }]);
		const options = { queueUrl: server.url, blobsUrl: blobs, waitsForServer: false } as const;
		const cluster = await openCluster({ ...options, clock: systemClock, log: silentLog });
		await cluster.close();
		const second = await checkCluster({ queue: server.url, blobs });
		expect(faults(second)).toEqual([]);
		expect(second[0]?.detail).toMatch(/tables of Earshot, and of BullMQ \d+\)$/);
		expect(second.map(({ what }) => what)).toEqual(['queue', 'clock', 'workers', 'blobs']);

		await client.query(
			"CREATE ROLE stranger LOGIN PASSWORD 'very-secret'; GRANT USAGE ON SCHEMA earshot TO stranger",
		);
		await client.end();
		const stranger = server.url.replace('earshot@', 'stranger:very-secret@');
		const third = await checkCluster({ queue: stranger, blobs });
		expect(faults(third)).toContainEqual(expect.stringContaining('may not change 4 of the tables'));
		expect(JSON.stringify(third)).not.toContain('very-secret');
	});
});

describe('an object store', () => {
	test('is written, read and cleaned up; its keys are not shown', async () => {
		const s3 = await startS3();
		onTestFinished(() => s3.close());
		vi.stubEnv('AWS_ACCESS_KEY_ID', s3.accessKeyId);
		vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.secretAccessKey);
		vi.stubEnv('AWS_REGION', s3.region);
		vi.stubEnv('AWS_ENDPOINT_URL_S3', s3.endpoint);
		onTestFinished(() => void vi.unstubAllEnvs());
		const blobs = `s3://${s3.bucket}/there`;
		const fine = await checkCluster({ queue: '', blobs });
		expect(fine[1]).toEqual({ ok: true, what: 'blobs', detail: `${blobs} can be written and read` });
		expect([...s3.objects.keys()]).toEqual([]);
		vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret');
		const refused = await checkCluster({ queue: '', blobs });
		expect(refused[1]).toMatchObject({ ok: false, detail: expect.stringContaining('SignatureDoesNotMatch') });
		expect(JSON.stringify(refused)).not.toMatch(/secret/);
	});
});

test('a missing folder is reported, since an empty one in its place would be taken for it', async () => {
	const missing = path.join(folder, 'nowhere');
	expect((await checkCluster({ queue: '', blobs: `file://${missing}` }))[1]).toEqual({
		ok: false,
		what: 'blobs',
		detail: `there is no folder ${missing}: mount the one that all machines share`,
	});
});

test('a queue that does not answer is reported, with its reason', async () => {
	for (const protocol of ['redis', 'postgres']) {
		const queue = `${protocol}://user:hidden-word@127.0.0.1:${await freePort()}/db`;
		const [found] = await checkCluster({ queue, blobs: '' });
		expect(found).toMatchObject({ ok: false, detail: expect.stringContaining('ECONNREFUSED') });
		expect(found?.detail).not.toContain('hidden-word');
	}
});

test.each<[name: string, info: string, fsync: string | undefined, message: string]>([
	['too old', 'redis_version:6.0.9', undefined, 'Expected version 6.2 or newer, got 6.0'],
	['a replica', 'redis_version:7.2.4\r\nrole:slave', undefined, 'it is a replica'],
	['never flushed', 'redis_version:7.2.4\r\naof_enabled:1', 'no', 'CONFIG SET appendfsync everysec'],
	['full', 'redis_version:7.2.4\r\naof_last_write_status:err', undefined, 'is its disk full?'],
])('a Redis that is %s', (_, info, fsync, message) => {
	expect(faults(redisFindings(info, fsync))).toEqual([expect.any(String), expect.stringContaining(message)]);
});

test('servers with the protocol of Redis are named as what they are', () => {
	const detail = (info: string) => redisFindings(info, undefined)[0]?.detail;
	expect(detail('redis_version:7.2.4\r\nvalkey_version:8.1.1\r\naof_enabled:1\r\n')).toBe(
		'Valkey 8.1.1 (append-only file)',
	);
	expect(detail('redis_version:7.4.0\r\ndragonfly_version:df-v1.30.0')).toBe('Dragonfly df-v1.30.0');
});

const fine: PostgresState = {
	version: '16.4',
	fsync: 'on',
	commit: 'on',
	standby: false,
	creates: true,
	tables: 4,
	usable: 4,
	bullVersion: 3,
	latestBullVersion: 3,
};

test.each<[change: Partial<PostgresState>, message: string]>([
	[{ version: '12.9' }, 'Expected version 13 or newer, got 12.9'],
	[{ standby: true }, 'it is a standby'],
	[{ fsync: 'off' }, 'set fsync = on'],
	[{ commit: 'off' }, 'set synchronous_commit = on'],
	[{ tables: 0, usable: 0, creates: false }, 'GRANT CREATE ON DATABASE'],
	[{ tables: 3, usable: 3 }, 'was it restored in part?'],
	[{ bullFault: 'newer' }, 'BullMQ cannot use its tables: newer'],
])('a PostgreSQL with %j', (change, message) => {
	expect(faults(postgresFindings(fine))).toEqual([]);
	expect(faults(postgresFindings({ ...fine, ...change }))).toEqual([
		expect.any(String),
		expect.stringContaining(message),
	]);
});

test('tables of an older BullMQ are no fault: the next start brings them up to date', () => {
	const [found] = postgresFindings({ ...fine, bullVersion: 2 });
	expect(found).toMatchObject({
		ok: true,
		detail: expect.stringContaining('which the next start brings to 3'),
	});
});

test('clocks may differ by five seconds', () => {
	expect(clockFinding(105_000, 99_000, 100_000).ok).toBe(true);
	expect(clockFinding(106_000, 99_000, 100_000)).toMatchObject({
		ok: false,
		detail: "this machine's is 6 s behind the queue's: set both by NTP",
	});
	expect(clockFinding(3000, 99_000, 100_000).detail).toContain('96 s ahead of');
});

test('workers are counted, and those that are not reached are named', () => {
	const models = (...ids: string[]) => ids.map((id) => ({ id })) as never;
	expect(
		workersFinding(
			[
				{ address: 'http://10.0.0.7:8081', models: models('tiny', 'base') },
				{ address: '', models: models('tiny') },
			],
			[false, null],
		).detail,
	).toBe(
		'2, with base, tiny; not reached from here, as servers must: http://10.0.0.7:8081 (firewall, or --advertise)',
	);
});

test('secrets are hidden in any form that a message may quote', () => {
	const urls = ['redis://me:p%40ss@host', 'postgres://host/db?password=other', 'redis://:%zz@host'];
	expect(hidden('p%40ss p@ss other %zz me', urls)).toBe('… … … … me');
});

test('the doctor of a server gets what opens queue and store, and no other secrets', () => {
	const env = {
		EARSHOT_QUEUE: 'redis://x',
		AWS_SECRET_ACCESS_KEY: 's',
		EARSHOT_API_KEYS: 'k',
		HF_TOKEN: 't',
		A: '1',
	};
	expect(doctorEnvironment(env)).toEqual({ EARSHOT_QUEUE: 'redis://x', AWS_SECRET_ACCESS_KEY: 's', A: '1' });
});
