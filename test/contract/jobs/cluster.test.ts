import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { openCluster } from '../../../src/cluster/open-cluster.js';
import { systemClock } from '../../../src/core/clock.js';
import { silentLog } from '../../../src/core/log.js';
import { newJobId } from '../../../src/jobs/job.js';
import { type Unit, unitSchema } from '../../../src/jobs/queue.js';
import type { JobStorage } from '../../../src/jobs/storage.js';
import { queueServers } from '../../helpers/cluster/clients.js';
import type { TestServer } from '../../helpers/net/servers.js';
import { storageContract } from './storage.contract.js';

const root = mkdtempSync(path.join(tmpdir(), 'earshot-jobs-'));
const urls = new Map<JobStorage, string>();
const running: TestServer[] = [];
afterAll(async () => {
	for (const server of running) await server.close();
	rmSync(root, { recursive: true, force: true });
}, 60_000);

let opened = 0;

async function open(url: string): Promise<JobStorage> {
	const storage = await openCluster({
		queueUrl: url,
		blobsUrl: `file://${path.join(root, url.replace(/\W+/g, '-'))}`,
		waitsForServer: true,
		clock: systemClock,
		log: silentLog,
	});
	urls.set(storage, url);
	return storage;
}

async function started(start: () => Promise<TestServer>): Promise<TestServer> {
	const server = await start();
	running.push(server);
	return server;
}

/** The URL of one that is empty: of Redis a new server, of PostgreSQL, which takes long to start, a new database. */
let postgres: Promise<TestServer> | undefined;
async function empty(kind: string, start: () => Promise<TestServer>): Promise<string> {
	if (kind !== 'PostgreSQL') return (await started(start)).url;
	postgres ??= started(start);
	const { url } = await postgres;
	const name = `jobs_${opened++}`;
	const client = new pg.Client(url);
	await client.connect();
	await client.query(`CREATE DATABASE ${name}`);
	await client.end();
	return url.replace(/\/postgres$/, `/${name}`);
}

describe.each(queueServers.filter(({ skip }) => skip === undefined))('shared jobs', ({ name, start }) => {
	storageContract(`several machines, on ${name}`, {
		open: async () => open(await empty(name, start)),
		reopen: (closed) => open(urls.get(closed)!),
		passTime: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
		patienceMs: 3000,
	});

	test('acknowledged writes survive the kill of the server, and a lease continues', async () => {
		const server = await started(start);
		const storage = await open(server.url);
		onTestFinished(() => storage.close());
		const unit: Unit = {
			...{ jobId: newJobId(), part: 0, model: 'tiny', class: 'normal', tenant: 'local', seconds: 10 },
			...{ schema: unitSchema, queuedAt: 1 },
		};
		await storage.queue.enqueue(unit);
		const lease = await storage.queue.lease({ schema: unitSchema }, { waitMs: 20_000 });
		const waiting = { ...unit, jobId: newJobId() };
		await storage.queue.enqueue(waiting);
		await server.kill();
		// A worker waits for it, and tells it then.
		const done = lease!.done({ key: 'result', size: 1, sha256: 'x' });
		await server.restart();
		expect(await done).toBe(true);
		expect(await storage.queue.units(unit.jobId)).toMatchObject([{ state: 'done' }]);
		const next = await storage.queue.lease({ schema: unitSchema }, { waitMs: 30_000 });
		expect(next?.unit).toEqual(waiting);
	}, 180_000);
});
