/** What a queue promises that several machines share: in memory with a clock of the test, and on real servers. */

import { describe, expect, test } from 'vitest';
import { unitSchema } from '../../../src/jobs/queue.js';
import { blob, clip, clusterKinds, jobId, take, unit } from '../../helpers/cluster/cluster.js';

const caps = { schema: unitSchema };

describe.each(clusterKinds.filter(({ skip }) => skip === undefined))('a queue $name', ({ start }) => {
	test('hands a unit to one of two workers', async () => {
		const cluster = await start();
		const [one, two] = [await cluster.join('one'), await cluster.join('two')];
		await one.enqueue(unit(1));
		const lease = await take(cluster, two);
		expect([lease.unit.jobId, lease.number, lease.attempt, lease.clips]).toEqual([jobId(1), 1, 1, []]);
		expect(await one.lease(caps)).toBeNull();
		expect(await one.units(jobId(1))).toEqual([{ part: 0, state: 'leased' }]);
		expect(await lease.done(blob())).toBe(true);
		expect(await one.units(jobId(1))).toEqual([{ part: 0, state: 'done', result: blob() }]);
		expect(await lease.done(blob())).toBe(false);
		await cluster.pass(500);
		expect(await one.lease(caps)).toBeNull();
	});

	test('adds a unit once', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		await queue.enqueue(unit(1));
		await (await take(cluster, queue)).done(blob());
		await queue.enqueue(unit(1));
		await cluster.pass(1500);
		expect(await queue.lease(caps)).toBeNull();
	});

	test('gives the unit of a dead worker to another, with its clips, and fences the dead one off', async () => {
		const cluster = await start();
		const [one, two] = [await cluster.join('one'), await cluster.join('two')];
		await one.enqueue(unit(1));
		const first = await take(cluster, one);
		expect(await first.checkpoint(clip(0))).toBe(true);
		expect(await first.checkpoint(clip(1))).toBe(true);
		expect(await first.checkpoint(clip(1))).toBe(true);
		await cluster.kill('one');
		const second = await take(cluster, two);
		expect([second.number, second.attempt]).toEqual([2, 2]);
		expect(second.clips).toEqual([clip(0), clip(1)]);
		// It begins to count anew, and progress does not go back.
		await second.progress(0, 40);
		expect(await two.progress(jobId(1))).toMatchObject({ processed: 20, duration: 40 });
		expect(await second.checkpoint(clip(2))).toBe(true);
		expect(await second.done(blob())).toBe(true);
		expect((await two.clips(jobId(1))).length).toBe(3);
	}, 40_000);

	test('a worker that was paused changes nothing any more when its unit went to another', async () => {
		const cluster = await start();
		const [one, two] = [await cluster.join('one'), await cluster.join('two')];
		await one.enqueue(unit(1));
		const late = await take(cluster, one);
		// Its unit is delivered again although it lives: as after a pause, or by a fault of the transport.
		await cluster.transport.add({ ...unit(1), jobId: jobId(1) });
		const record = `unit:${jobId(1)}:0`;
		const [found] = await cluster.records.get([record]);
		const stolen = { ...JSON.parse(found!.value), number: 2, worker: 'two' };
		await cluster.records.commit({ put: { [record]: JSON.stringify(stolen) } });
		expect(await late.checkpoint(clip(0))).toBe(false);
		expect(late.signal.aborted).toBe(true);
		expect(late.signal.reason).toMatchObject({ code: 'conflict' });
		expect(await late.done(blob())).toBe(false);
		expect(await late.fail({ code: 'internal', message: 'x' }, false)).toBe(false);
		expect(await two.units(jobId(1))).toEqual([{ part: 0, state: 'leased' }]);
	});

	test('a cancelled unit that waits is never handed out, and a lease of it is lost', async () => {
		const cluster = await start();
		const [one, two] = [await cluster.join('one'), await cluster.join('two')];
		for (const job of [1, 2]) await one.enqueue(unit(job));
		const lease = await take(cluster, two);
		await one.cancel(jobId(1));
		await one.cancel(jobId(2));
		for (let rest = 5000; rest > 0 && !lease.signal.aborted; rest -= 250) await cluster.pass(250);
		expect(lease.signal.reason).toMatchObject({ code: 'cancelled' });
		await cluster.pass(1500);
		expect(await two.lease(caps)).toBeNull();
		expect(await one.units(jobId(1))).toEqual([]);
	});

	test('what is given back is taken at once, and counts as no attempt', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const first = await take(cluster, queue);
		await first.checkpoint(clip(0));
		expect(await first.release()).toBe(true);
		const second = await take(cluster, queue);
		expect([second.number, second.attempt, second.clips.length]).toEqual([2, 1, 1]);
	});

	test('a lasting failure is reported, and the unit waits again when it is queued again', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const error = { code: 'audio_unsupported', message: 'no audio' } as const;
		expect(await (await take(cluster, queue)).fail(error, false)).toBe(true);
		expect(await queue.units(jobId(1))).toEqual([{ part: 0, state: 'failed', error }]);
		await queue.enqueue(unit(1));
		expect((await take(cluster, queue)).attempt).toBe(1);
	});

	test('interactive units go before others that wait', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		const order = ['bulk', 'normal', 'normal', 'interactive'] as const;
		for (const [index, each] of order.entries()) await queue.enqueue(unit(index, { class: each }));
		await cluster.pass(1500);
		expect((await take(cluster, queue)).unit.class).toBe('interactive');
		expect((await take(cluster, queue)).unit.class).toBe('normal');
	});

	test('a tenant with one unit does not wait behind the many of another', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		for (let job = 0; job < 30; job++) await queue.enqueue(unit(job, { tenant: 'many' }));
		await cluster.pass(500);
		await queue.enqueue(unit(99, { tenant: 'one' }));
		const tenants: string[] = [];
		for (let turn = 0; turn < 8; turn++) {
			const lease = await take(cluster, queue);
			tenants.push(lease.unit.tenant);
			await lease.done(blob());
		}
		expect(tenants).toContain('one');
	});

	test('units of other models wait for workers that have them', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1, { model: 'org/large:v3 ü' }));
		await cluster.pass(1000);
		expect(await queue.lease({ ...caps, models: ['tiny'] })).toBeNull();
		expect((await queue.depth()).map(({ model, units, seconds }) => ({ model, units, seconds }))).toEqual([
			{ model: 'org/large:v3 ü', units: 1, seconds: 60 },
		]);
		expect(await queue.lease({ ...caps, models: ['org/large:v3 ü'] })).not.toBeNull();
		expect(await queue.depth()).toEqual([]);
	});

	test('requests do not count as waiting jobs, since the server of their client counts them', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		const job = unit(1);
		await queue.enqueue(job);
		const request = { audio: blob(), options: blob() };
		await queue.enqueue({ ...unit(2), tenant: unit(2).jobId, request });
		expect((await queue.depth()).map(({ units, seconds }) => [units, seconds])).toEqual([[1, job.seconds]]);
	});

	test('an older worker leaves units of a later version to others', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1, { schema: unitSchema + 1 }));
		await cluster.pass(1000);
		expect(await queue.lease(caps)).toBeNull();
		await cluster.pass(1500);
		const lease = await queue.lease({ schema: unitSchema + 1 });
		expect([lease?.number, lease?.attempt]).toEqual([1, 1]);
	});

	test('watchers receive clips in order, progress and changes', async () => {
		const cluster = await start();
		const [one, two] = [await cluster.join('one'), await cluster.join('two')];
		await one.enqueue(unit(1));
		const control = new AbortController();
		const received: string[] = [];
		const watching = (async () => {
			for await (const event of one.watch(jobId(1), control.signal))
				received.push(event.type === 'clip' ? `clip ${event.clip.clip}` : event.type);
		})();
		const lease = await take(cluster, two);
		await lease.progress(3, 40);
		for (let index = 0; index < 4; index++) await lease.checkpoint(clip(index));
		expect(await one.progress(jobId(1))).toEqual({ processed: 40, duration: 40, ahead: null });
		await lease.done(blob());
		await cluster.pass(500);
		control.abort();
		await watching;
		expect(received.filter((what) => what.startsWith('clip'))).toEqual([
			'clip 0',
			'clip 1',
			'clip 2',
			'clip 3',
		]);
		expect(received).toContain('progress');
		expect(received.at(-1)).toBe('changed');
	});

	test('what waits knows how much is ahead of it', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		await queue.enqueue(unit(2, { class: 'interactive', seconds: 5 }));
		await queue.enqueue(unit(3));
		expect(await queue.progress(jobId(3))).toEqual({
			processed: 0,
			duration: null,
			ahead: { units: 2, seconds: 65 },
		});
		expect(await queue.progress(jobId(9))).toBeNull();
	});

	test('nothing is left of a forgotten job', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const lease = await take(cluster, queue);
		await lease.checkpoint(clip(0));
		await queue.forget(jobId(1));
		expect(await queue.units(jobId(1))).toEqual([]);
		expect(await queue.clips(jobId(1))).toEqual([]);
		expect(await lease.done(blob())).toBe(false);
	});

	test('a closed queue loses its leases, and hands out nothing', async () => {
		const cluster = await start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const lease = await take(cluster, queue);
		const waiting = expect(queue.lease(caps, { waitMs: 60_000 })).rejects.toMatchObject({ code: 'closed' });
		await queue.close();
		await waiting;
		expect(lease.signal.reason).toMatchObject({ code: 'closed' });
	});
});

describe('with a clock of the test', () => {
	const [memory] = clusterKinds;

	test('three deaths on one clip fail the job, and say where', async () => {
		const cluster = await memory!.start();
		const first = await cluster.join('w0');
		await first.enqueue(unit(1));
		let queue = first;
		for (let death = 0; death < 3; death++) {
			const lease = await take(cluster, queue);
			if (death === 0) await lease.checkpoint(clip(0));
			await cluster.kill(`w${death}`);
			queue = await cluster.join(`w${death + 1}`);
		}
		const last = queue.lease(caps, { waitMs: 20_000 });
		await cluster.pass(20_000);
		expect(await last).toBeNull();
		expect(await queue.units(jobId(1))).toEqual([
			{
				part: 0,
				state: 'failed',
				error: { code: 'engine_failed', message: '3 workers have died on this recording, at second 10' },
			},
		]);
	});

	test('deaths on different clips do not fail it', async () => {
		const cluster = await memory!.start();
		let queue = await cluster.join('w0');
		await queue.enqueue(unit(1));
		for (let death = 0; death < 6; death++) {
			const lease = await take(cluster, queue);
			await lease.checkpoint(clip(death));
			await cluster.kill(`w${death}`);
			queue = await cluster.join(`w${death + 1}`);
		}
		const lease = await take(cluster, queue);
		expect([lease.number, lease.attempt, lease.clips.length]).toEqual([7, 2, 6]);
	});

	test('a failure that may pass is tried again after longer and longer, for an hour', async () => {
		const cluster = await memory!.start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		const error = { code: 'closed', message: 'The blob store cannot be reached' } as const;
		const delays: number[] = [];
		for (let seconds = 0; seconds < 3600; seconds += delays.at(-1)!) {
			const lease = await take(cluster, queue, 2000);
			expect(lease.attempt).toBe(1);
			await lease.fail(error, true);
			expect(await queue.lease(caps)).toBeNull();
			delays.push(Math.min(300, 5 * 2 ** delays.length));
			await cluster.pass(delays.at(-1)! * 1000);
		}
		expect(delays.length).toBeGreaterThan(15);
		await (await take(cluster, queue, 2000)).fail(error, true);
		expect(await queue.units(jobId(1))).toEqual([{ part: 0, state: 'failed', error }]);
	}, 60_000);

	test('units that the transport has lost are found', async () => {
		const cluster = await memory!.start();
		const queue = await cluster.join('one');
		await queue.enqueue(unit(1));
		await cluster.pass(1000);
		(cluster.transport as unknown as { lose(): void }).lose();
		expect(await queue.lease(caps)).toBeNull();
		await cluster.pass(20_000);
		expect(await queue.lease(caps)).not.toBeNull();
	});

	test('when the process that releases has died, another one does', async () => {
		const cluster = await memory!.start();
		const [, two] = [await cluster.join('one'), await cluster.join('two')];
		await cluster.pass(3000);
		await cluster.kill('one');
		await two.enqueue(unit(1));
		expect((await take(cluster, two)).number).toBe(1);
	});
});
