/** Records that somebody has cut off, removed or written by hand: they cost what they were about, and nothing else. */

import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Directory } from '../../../src/cluster/directory.js';
import { openPostgres } from '../../../src/cluster/open-postgres.js';
import { RecordStore } from '../../../src/cluster/record-store.js';
import { Role } from '../../../src/cluster/role.js';
import { RecordDeliveries } from '../../../src/cluster/webhooks/record-deliveries.js';
import { RecordEndpoints } from '../../../src/cluster/webhooks/record-endpoints.js';
import { clusterKey } from '../../../src/cluster/workers/key.js';
import type { UnitGroup } from '../../../src/jobs/queue.js';
import { newDelivery } from '../../../src/webhooks/deliveries.js';
import { job } from '../../contract/jobs/storage.contract.js';
import {
	blob,
	clip,
	clusterKinds,
	jobId,
	type TestCluster,
	take,
	unit,
} from '../../helpers/cluster/cluster.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';
import { FakeClock } from '../../helpers/fakes.js';
import { postgresFolder, skipReason, startPostgres } from '../../helpers/net/servers.js';

const damages: readonly (readonly [string, string])[] = [
	['cut off', '{"unit":{"jobId":"trj_'],
	['empty', ''],
	['of another shape', '[1,{"unit":null}]'],
	['null', 'null'],
];

const write = (cluster: Pick<TestCluster, 'records'>, key: string, value: string) =>
	cluster.records.commit({ put: { [key]: value } });

describe.each(clusterKinds.filter(({ skip }) => skip === undefined))('a queue $name', ({ start }) => {
	test('whose record of a unit is damaged works on the others, and on this one when it is queued again', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		for (const [index, [, damage]] of damages.entries()) {
			await queue.enqueue(unit(index));
			await write(cluster, `unit:${jobId(index)}:0`, damage);
		}
		await queue.enqueue(unit(9));
		// Until it is noticed, each seems to be under way.
		const lease = await take(cluster, queue);
		expect(lease.unit.jobId).toBe(jobId(9));
		await lease.done(blob());
		for (const index of damages.keys()) {
			expect(await queue.units(jobId(index))).toEqual([]);
			expect(await queue.progress(jobId(index))).toBeNull();
			await queue.enqueue(unit(index));
			expect(await queue.units(jobId(index))).toEqual([{ part: 0, state: 'waiting' }]);
			const again = await take(cluster, queue);
			expect([again.unit.jobId, again.clips]).toEqual([jobId(index), []]);
			expect(await again.done(blob())).toBe(true);
		}
		expect(await queue.depth()).toEqual([]);
	}, 60_000);

	test('loses the lease of a unit whose record is damaged meanwhile, and has it done anew', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const lease = await take(cluster, queue);
		await lease.checkpoint(clip(0));
		await write(cluster, `unit:${jobId(1)}:0`, '{"unit"');
		expect(await lease.done(blob())).toBe(false);
		expect(lease.signal.aborted).toBe(true);
		await queue.enqueue(unit(1));
		expect((await take(cluster, queue)).clips).toEqual([]);
	}, 40_000);

	test('reports that the record of a group is damaged, and begins anew when it is tried again', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		const group = (number: number): UnitGroup => ({
			...{ group: number, start: number * 100, end: number * 100 + 100, clips: 2 },
			blob: blob(`${jobId(1)}/part-${number + 1}-1.clips`),
		});
		const whole = unit(1, { mayDivide: true, schema: 1 });
		await queue.enqueue(whole);
		const cutting = await take(cluster, queue);
		for (const number of [0, 1]) await cutting.division!.add(group(number));
		await cutting.done(blob());
		await write(cluster, `unit:${jobId(1)}:2`, '{"unit"');
		expect((await queue.units(jobId(1))).at(-1)).toMatchObject({
			part: 2,
			state: 'failed',
			error: { code: 'internal', message: expect.stringContaining('part 2') },
		});
		await queue.cancel(jobId(1));
		await queue.enqueue(whole);
		expect(await queue.units(jobId(1))).toEqual([{ part: 0, state: 'waiting' }]);
		expect((await take(cluster, queue)).division?.groups).toEqual([]);
	}, 40_000);

	test('is not held up by entries of units that are gone', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		const stray = Array.from({ length: 12 }, (_, index) =>
			index === 0 ? 'no unit' : JSON.stringify(['normal', 60, `t${index}`, jobId(100 + index), 0]),
		);
		await cluster.records.commit({
			index: [
				{ name: 'models', member: 'tiny', score: 0 },
				...['held:tiny', 'waiting:tiny'].flatMap((name) =>
					stray.map((member, score) => ({ name, member, score })),
				),
				...stray.map((member) => ({ name: 'under-way:tiny', member, score: 1 })),
			],
		});
		await queue.enqueue(unit(1));
		const lease = await take(cluster, queue);
		expect(lease.unit.jobId).toBe(jobId(1));
		await lease.done(blob());
		await cluster.pass(1500);
		expect(await queue.depth()).toEqual([]);
	}, 60_000);

	test('reports to a new watcher what has changed just then', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const control = new AbortController();
		const events = queue.watch(jobId(1), control.signal)[Symbol.asyncIterator]();
		await queue.announce(jobId(1));
		expect(await events.next()).toMatchObject({ value: { type: 'changed' } });
		control.abort();
	});
});

test('a watcher gets changes whose messages were lost', async () => {
	const cluster = await clusterKinds[0]!.start();
	const queue = await cluster.join('one');
	const control = new AbortController();
	const events = queue.watch(jobId(1), control.signal)[Symbol.asyncIterator]();
	await events.next();
	const next = events.next();
	await cluster.pass(10_000);
	expect(await next).toMatchObject({ value: { type: 'changed' } });
	control.abort();
});

test('a failure that cannot be written ends the lease, so that the unit goes to another', async () => {
	const cluster = await clusterKinds[0]!.start();
	const [one, two] = [await cluster.join('one'), await cluster.join('two')];
	await one.enqueue(unit(1));
	const lease = await take(cluster, one);
	const { commit } = cluster.records;
	cluster.records.commit = async () => {
		throw new Error('READONLY');
	};
	await expect(lease.fail({ code: 'internal', message: 'x' }, true)).rejects.toThrow('READONLY');
	cluster.records.commit = commit;
	expect((await take(cluster, two)).number).toBe(2);
});

const noPostgres = skipReason('postgresql', postgresFolder);

test.skipIf(noPostgres)(
	'notifications of other programs in the same database are left alone',
	async () => {
		const server = await startPostgres();
		onTestFinished(() => server.close());
		const opened = await openPostgres({ url: server.url, waitsForServer: true, onError: () => {} });
		onTestFinished(() => opened.close());
		const received: string[] = [];
		await opened.records.subscribe('topic', (message) => received.push(message));
		const other = new Client({ connectionString: server.url });
		await other.connect();
		onTestFinished(() => other.end());
		for (const payload of ['garbage {', '5', '[]', '', '["topic"'])
			await other.query(`NOTIFY earshot, '${payload}'`);
		await opened.records.commit({ publish: [{ topic: 'topic', message: 'ours' }] });
		await expect.poll(() => received, { timeout: 15_000 }).toEqual(['ours']);
	},
	60_000,
);

describe('records in memory', () => {
	const damaged = async (key: string) => {
		const records = new MemoryRecords();
		await write({ records }, key, '{"id":"');
		return records;
	};

	test('a job whose record is damaged is reported, and leaves the others in lists and sweeps', async () => {
		const records = new MemoryRecords();
		const reported: string[] = [];
		const store = new RecordStore(records, ({ message }) => reported.push(message));
		const [one, two, three] = [1, 2, 3].map((createdAt) =>
			job({ createdAt, repeatKeys: [{ key: `k${createdAt}`, until: 9999 }] }),
		);
		for (const each of [one, two, three]) await store.create(each!);
		await write({ records }, `job:${two!.id}`, '{"id":');
		await write({ records }, 'repeat:k3', 'x');
		const { jobs } = await store.list({ owner: 'local', limit: 10, order: 'asc' });
		expect(jobs.map(({ id }) => id)).toEqual([one!.id, three!.id]);
		const unfinished: string[] = [];
		for await (const { id } of store.unfinished()) unfinished.push(id);
		expect(unfinished).toEqual([one!.id, three!.id]);
		expect(await store.get(two!.id)).toBeUndefined();
		expect((await store.create(job({ repeatKeys: three!.repeatKeys }))).isNew).toBe(true);
		expect(reported).toContain(`the record job:${two!.id} is not a job`);
	});

	test('a role whose holder is damaged is taken', async () => {
		const records = await damaged('role:webhook-publisher');
		const clock = new FakeClock();
		const onError = (thrown: unknown) => {
			throw thrown;
		};
		const role = new Role('webhook-publisher', { records, clock, onError, onTaken: () => {} });
		onTestFinished(() => role.close());
		for (let second = 0; second < 12; second++) {
			clock.advance(1000);
			for (let turn = 0; turn < 20; turn++) await Promise.resolve();
		}
		expect(role.isHeldHere).toBe(true);
	});

	test.each([['{"id":'], ['{"id":"x"}'], ['{"id":"x","address":"","slots":1,"models":[{}]}']])(
		'a worker that says %s of itself is none',
		async (value) => {
			const records = new MemoryRecords();
			const index = [{ name: 'workers', member: 'x', score: 'now' as const }];
			await records.commit({ put: { 'worker:x': value }, index });
			expect(await new Directory(records, new FakeClock()).workers()).toEqual([]);
		},
	);

	test('a damaged delivery or endpoint leaves the others', async () => {
		const records = new MemoryRecords();
		const deliveries = new RecordDeliveries(records);
		const made = ['1', '2'].map((number) => {
			const event = { type: 'transcription.completed', jobId: jobId(Number(number)), owner: 'o' } as const;
			const to = { endpointId: null, url: 'https://example.com/', secret: null };
			return newDelivery({ ...event, createdAt: 1000 }, to, 0);
		});
		for (const each of made) await deliveries.keep(each);
		await write({ records }, `delivery:${made[0]!.id}`, '{');
		const listed: string[] = [];
		for await (const { id } of deliveries.list('o')) listed.push(id);
		expect(listed).toEqual([made[1]!.id]);
		expect(await deliveries.pending(made[0]!.id)).toBeUndefined();
		await deliveries.sweep(Number.MAX_SAFE_INTEGER);
		const id = `we_${'0'.repeat(32)}`;
		await write({ records }, `endpoint:${id}`, 'x');
		await records.commit({ index: [{ name: 'endpoints-of:o', member: id, score: 1 }] });
		expect(await new RecordEndpoints(records).list('o')).toEqual([]);
	});

	test('an empty key of the cluster is made anew', async () => {
		const records = new MemoryRecords();
		await write({ records }, 'cluster-key', '');
		const key = await clusterKey(records);
		expect(key).toHaveLength(43);
		expect(await clusterKey(records)).toBe(key);
	});
});
