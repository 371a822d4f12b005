import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { openCluster } from '../../../src/cluster/open-cluster.js';
import { newJobId } from '../../../src/jobs/job.js';
import { type Unit, unitSchema } from '../../../src/jobs/queue.js';
import type { JobStorage } from '../../../src/jobs/storage.js';
import { silentLog } from '../../../src/log.js';
import {
	postgresFolder,
	redisProgram,
	skipReason,
	startPostgres,
	startRedis,
	type TestServer,
} from '../../helpers/net/servers.js';
import { storageContract } from './storage.contract.js';

const root = mkdtempSync(path.join(tmpdir(), 'earshot-jobs-'));
const servers = new Map<JobStorage, TestServer>();
afterAll(async () => {
	for (const server of new Set(servers.values())) await server.close();
	rmSync(root, { recursive: true, force: true });
});

async function open(server: TestServer): Promise<JobStorage> {
	const storage = await openCluster({
		queueUrl: server.url,
		blobsUrl: `file://${path.join(root, new URL(server.url).port)}`,
		isPatient: true,
		clock: systemClock,
		log: silentLog,
	});
	servers.set(storage, server);
	return storage;
}

const kinds = [
	{ name: 'Redis', skip: skipReason('redis-server', redisProgram), start: startRedis },
	{ name: 'PostgreSQL', skip: skipReason('postgresql', postgresFolder), start: startPostgres },
];

describe.each(kinds.filter(({ skip }) => skip === undefined))('shared jobs', ({ name, start }) => {
	storageContract(`several machines, on ${name}`, {
		open: async () => open(await start()),
		reopen: (closed) => open(servers.get(closed)!),
		passTime: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
		patienceMs: 3000,
	});

	test('what was acknowledged is there after the server was killed, and a lease goes on', async () => {
		const server = await start();
		const storage = await open(server);
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
	}, 90_000);
});
