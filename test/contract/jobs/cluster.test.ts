import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { openCluster } from '../../../src/cluster/open-cluster.js';
import type { JobStorage } from '../../../src/jobs/storage.js';
import { silentLog } from '../../../src/log.js';
import { redisProgram, skipReason, startRedis, type TestServer } from '../../helpers/net/servers.js';
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

describe.skipIf(skipReason('redis-server', redisProgram) !== undefined)('shared jobs', () => {
	storageContract('several machines, on Redis', {
		open: async () => open(await startRedis()),
		reopen: (closed) => open(servers.get(closed)!),
		passTime: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
		patienceMs: 3000,
	});
});
