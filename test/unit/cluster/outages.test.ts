/** Servers that are away or full, in words and codes that clients can do something with. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { Directory } from '../../../src/cluster/directory.js';
import { openRedis } from '../../../src/cluster/open-redis.js';
import { asOutage, withOutages } from '../../../src/cluster/records/outages.js';
import { EarshotError } from '../../../src/core/errors.js';
import { type BlobStore, jsonBytes, readBlob } from '../../../src/jobs/blobs.js';
import { retryableBlobs } from '../../../src/server/job-worker/retryable-blobs.js';
import { queueServers } from '../../helpers/cluster/clients.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';
import { FakeClock } from '../../helpers/fakes.js';
import { freePort, redisProgram, skipReason, startRedis } from '../../helpers/net/servers.js';

const coded = (code: string, message = 'failed') => Object.assign(new Error(message), { code });

test.each([
	new Error('Connection is closed.'),
	new Error(
		'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
	),
	new Error('LOADING Redis is loading the dataset in memory'),
	new Error("READONLY You can't write against a read only replica."),
	new Error('Command timed out'),
	new Error('Query read timeout'),
	new Error('Connection terminated unexpectedly'),
	new Error('Client has encountered a connection error and is not queryable'),
	new Error('Client was closed and is not queryable'),
	new Error('timeout expired'),
	coded('ECONNREFUSED'),
	coded('57P01'),
	coded('53300', 'sorry, too many clients already'),
])('"%s" is a server that is away', (error) => {
	expect(asOutage(error)).toMatchObject({ code: 'closed', retryAfterSeconds: 5, cause: error });
});

test.each([
	new Error("OOM command not allowed when used memory > 'maxmemory'."),
	new Error('MISCONF Errors writing to the AOF file: No space left on device'),
	coded('53100', 'could not extend file: No space left on device'),
])('"%s" is a server that is full', (error) => {
	expect(asOutage(error)).toMatchObject({ code: 'disk_full', cause: error });
});

test('a mistake stays what it is', () => {
	for (const error of [
		new TypeError('x is not a function'),
		new EarshotError('conflict', 'no'),
		coded('42P01'),
	])
		expect(asOutage(error)).toBe(error);
});

test('a Redis that is not there at the start is an error with the reason', async () => {
	const opening = openRedis({
		url: `redis://127.0.0.1:${await freePort()}`,
		waitsForServer: true,
		onError: () => {},
	});
	await expect(opening).rejects.toThrow('ECONNREFUSED');
});

test.skipIf(skipReason('redis-server', redisProgram) !== undefined)(
	'a Redis whose memory is full refuses what is new, and takes it when there is room',
	async () => {
		const server = await startRedis();
		onTestFinished(() => server.close());
		const opened = await openRedis({ url: server.url, waitsForServer: false, onError: () => {} });
		onTestFinished(() => opened.close());
		const { Redis } = await import('ioredis');
		const redis = new Redis(server.url);
		onTestFinished(() => redis.disconnect());
		const records = withOutages(opened.records);
		await records.commit({ put: { before: '1' } });
		await redis.config('SET', 'maxmemory', '1');
		await expect(records.commit({ put: { during: '1' } })).rejects.toMatchObject({ code: 'disk_full' });
		expect(await records.get(['before'])).toMatchObject([{ value: '1' }]);
		await redis.config('SET', 'maxmemory', '0');
		expect(await records.commit({ put: { after: '1' } })).toBe(true);
	},
);

describe.each(queueServers)('a $name that is killed', ({ name, skip, start, open }) => {
	test.skipIf(skip !== undefined)(
		'is reported soon, and used again when it is back',
		async () => {
			const server = await start();
			onTestFinished(() => server.close());
			const opened = await open({ url: server.url, waitsForServer: false, onError: () => {} });
			onTestFinished(() => opened.close());
			const records = withOutages(opened.records);
			await records.commit({ put: { kept: '1' } });
			await server.kill();
			for (const ask of [
				() => records.get(['kept']),
				() => records.commit({ put: { more: '1' } }),
				() => records.now(),
			])
				await expect(ask()).rejects.toMatchObject({ code: 'closed', retryAfterSeconds: 5 });
			await server.restart();
			await expect
				.poll(() => records.get(['kept']).catch(() => []), { timeout: 20_000 })
				.toMatchObject([{ value: '1' }]);
		},
		60_000,
	);

	test.skipIf(skip !== undefined)(
		'takes units when it is back, also of a model that was first asked for meanwhile',
		async () => {
			const server = await start();
			onTestFinished(() => server.close());
			const { transport, close } = await open({ url: server.url, waitsForServer: true, onError: () => {} });
			onTestFinished(close);
			await server.kill();
			const parcel = { jobId: 'job', part: 0, model: 'm', class: 'normal' } as const;
			const next = transport.next('m');
			// PostgreSQL's are refused, Redis' wait.
			const answers = Promise.allSettled([transport.add(parcel), transport.has(parcel), next]);
			if (name === 'PostgreSQL') await answers;
			await server.restart();
			await answers;
			await transport.add(parcel);
			expect(await transport.has(parcel)).toBe(true);
			// The one that waited may have taken the unit that was added meanwhile.
			const early = await next.catch(() => undefined);
			expect(early ?? (await transport.next('m'))).toMatchObject({ jobId: 'job', part: 0 });
		},
		60_000,
	);
});

test('while the queue is away workers are those that were there, for ten minutes', async () => {
	const clock = new FakeClock();
	const memory = new MemoryRecords(() => clock.now());
	let isAway = false;
	const records = new Proxy(memory, {
		get: (target, name: keyof MemoryRecords) => {
			if (isAway) throw new EarshotError('closed', 'away');
			const found = target[name];
			return typeof found === 'function' ? found.bind(target) : found;
		},
	});
	const directory = new Directory(records, clock);
	await directory.announce({ id: 'w', address: '', slots: 1, models: [] } as never);
	expect(await directory.workers()).toMatchObject([{ id: 'w' }]);
	isAway = true;
	clock.advance(5 * 60_000);
	expect(await directory.workers()).toMatchObject([{ id: 'w' }]);
	clock.advance(6 * 60_000);
	await expect(directory.workers()).rejects.toMatchObject({ code: 'closed' });
});

describe('recordings for who works on jobs', () => {
	const failing = (thrown: unknown): BlobStore => ({
		put: () => Promise.reject(thrown),
		putFile: () => Promise.reject(thrown),
		// biome-ignore lint/correctness/useYield: fails before the first piece
		get: async function* () {
			throw thrown;
		},
		fileOf: () => '/nowhere/at/all',
		delete: () => Promise.reject(thrown),
		list: async function* () {},
	});

	test.each([
		new EarshotError('not_found', 'Nothing is stored'),
		coded('EIO', 'i/o error'),
		coded('ESTALE', 'stale file handle'),
	])('that cannot be read or written are there again later: %s', async (thrown) => {
		const blobs = retryableBlobs(failing(thrown));
		await expect(readBlob(blobs, 'a/audio')).rejects.toMatchObject({ code: 'closed' });
		await expect(blobs.put('a/result.json', jsonBytes(1))).rejects.toMatchObject({ code: 'closed' });
		// As of a folder that is not mounted: it is read, which tells why.
		expect(blobs.fileOf('a/audio')).toBeUndefined();
	});

	test.each([coded('ENOSPC', 'no space left'), new EarshotError('disk_full', 'full')])(
		'%s stays a full disk',
		async (thrown) => {
			await expect(retryableBlobs(failing(thrown)).put('a', jsonBytes(1))).rejects.toBe(thrown);
		},
	);
});
