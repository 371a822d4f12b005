/** A recording that several workers transcribe at once, in groups of clips. */

import { describe, expect, test } from 'vitest';
import { FairLines } from '../../../src/cluster/core/fair-lines.js';
import type { UnitQueue } from '../../../src/cluster/unit-queue.js';
import {
	groupSchema,
	type JobEvent,
	type UnitGroup,
	type UnitLease,
	unitSchema,
} from '../../../src/jobs/queue.js';
import {
	blob,
	clip,
	clusterKinds,
	jobId,
	type TestCluster,
	take,
	unit,
} from '../../helpers/cluster/cluster.js';

const caps = { schema: unitSchema };

const group = (number: number): UnitGroup => ({
	...{ group: number, start: number * 100, end: number * 100 + 100, clips: 2 },
	blob: blob(`${jobId(1)}/part-${number + 1}-1.clips`),
});

const whole = () => unit(1, { mayDivide: true, seconds: 300, schema: 1 });

describe.each(clusterKinds.filter(({ skip }) => skip === undefined))(
	'groups in a queue $name',
	({ start }) => {
		/** The lease of a recording that was divided into so many groups. */
		async function dividing(cluster: TestCluster, queue: UnitQueue, count: number): Promise<UnitLease> {
			await queue.enqueue(whole());
			const lease = await take(cluster, queue);
			for (let number = 0; number < count; number++)
				expect(await lease.division!.add(group(number))).toBe(true);
			return lease;
		}

		/** The leases of all that can be taken, by their parts. */
		async function takeGroups(cluster: TestCluster, queue: UnitQueue, count: number): Promise<UnitLease[]> {
			const leases: UnitLease[] = [];
			while (leases.length < count) leases.push(await take(cluster, queue));
			return leases.sort((a, b) => a.unit.part - b.unit.part);
		}

		test('others take them while the recording is still being cut', async () => {
			const cluster = await start();
			const [one, two] = [await cluster.join('one'), await cluster.join('two')];
			const cutting = await dividing(cluster, one, 2);
			// Told again, as by a message whose answer was lost; and one too far.
			expect(await cutting.division!.add(group(1))).toBe(true);
			expect(await cutting.division!.add(group(3))).toBe(false);
			const [first, second] = await takeGroups(cluster, two, 2);
			expect(first!.unit).toEqual({
				...{ ...whole(), mayDivide: undefined, queuedAt: cutting.unit.queuedAt },
				...{ part: 1, seconds: 100, schema: groupSchema, group: group(0) },
			});
			expect(second!.unit).toMatchObject({ part: 2, group: group(1) });
			expect(first!.division).toBeUndefined();
			expect(await two.units(jobId(1))).toEqual([0, 1, 2].map((part) => ({ part, state: 'leased' })));
		});

		test('are reported in the order of the recording, whichever is done first', async () => {
			const cluster = await start();
			const [one, two] = [await cluster.join('one'), await cluster.join('two')];
			const cutting = await dividing(cluster, one, 2);
			const [first, second] = await takeGroups(cluster, two, 2);
			const control = new AbortController();
			const events: JobEvent[] = [];
			const watching = (async () => {
				for await (const event of one.watch(jobId(1), control.signal)) events.push(event);
			})();
			await cluster.pass(100);
			await cutting.progress(200, 220);
			await second!.checkpoint(clip(0));
			await second!.checkpoint(clip(1));
			await second!.done(blob('b'));
			expect(await one.clips(jobId(1))).toEqual([]);
			expect(await one.progress(jobId(1))).toEqual({ processed: 100, duration: 220, ahead: null });
			await first!.checkpoint({ ...clip(0), processed: 40 });
			expect(await one.progress(jobId(1))).toMatchObject({ processed: 140 });
			await first!.checkpoint({ ...clip(1), processed: 90 });
			await first!.done(blob('a'));
			expect(await one.progress(jobId(1))).toMatchObject({ processed: 200 });
			expect((await one.clips(jobId(1))).map((each) => each.clip)).toEqual([0, 1, 2, 3]);
			// Messages may come late; what is there then is told at the next one.
			await cutting.done(blob('c'));
			for (let rest = 3000; rest > 0 && events.filter(({ type }) => type === 'clip').length < 2; rest -= 250)
				await cluster.pass(250);
			control.abort();
			await watching;
			const clips = events.flatMap((event) => (event.type === 'clip' ? [event.clip] : []));
			expect(clips.map((each) => each.clip)).toEqual(clips.map((_, at) => at));
			expect(clips.slice(0, 2).map(({ processed }) => processed)).toEqual([40, 90]);
		});

		test('the worker that continues a half-cut recording knows the groups, and the dead one adds none', async () => {
			const cluster = await start();
			const [one, two] = [await cluster.join('one'), await cluster.join('two')];
			const first = await dividing(cluster, one, 2);
			for (const lease of await takeGroups(cluster, two, 2)) await lease.done(blob(`${lease.unit.part}`));
			await cluster.kill('one');
			const second = await take(cluster, two);
			expect(second.unit.part).toBe(0);
			expect([second.number, second.division!.groups]).toEqual([2, [group(0), group(1)]]);
			const late = first.division!.add({ ...group(2), end: 999 });
			expect(await Promise.race([late.catch(() => false), cluster.pass(1000).then(() => false)])).toBe(false);
			expect(await second.division!.add(group(2))).toBe(true);
			expect((await take(cluster, two)).unit.group).toEqual(group(2));
		}, 40_000);

		test('are all cancelled with the job, and none is added any more', async () => {
			const cluster = await start();
			const [one, two] = [await cluster.join('one'), await cluster.join('two')];
			const cutting = await dividing(cluster, one, 3);
			const [lease] = await takeGroups(cluster, two, 1);
			await two.cancel(jobId(1));
			expect(await cutting.division!.add(group(3))).toBe(false);
			for (let rest = 5000; rest > 0 && !lease!.signal.aborted; rest -= 250) await cluster.pass(250);
			expect(lease!.signal.reason).toMatchObject({ code: 'cancelled' });
			await cluster.pass(1500);
			expect(await two.lease(caps)).toBeNull();
			expect(await two.units(jobId(1))).toEqual([]);
			await two.forget(jobId(1));
			expect(await two.progress(jobId(1))).toBeNull();
		});

		test('that failed or were cancelled wait again with their job, and those that are done do not', async () => {
			const cluster = await start();
			const queue = await cluster.join('one');
			const cutting = await dividing(cluster, queue, 3);
			await cutting.done(blob('cut'));
			const [first, second] = await takeGroups(cluster, queue, 2);
			await first!.checkpoint(clip(0));
			await second!.done(blob('b'));
			const error = { code: 'engine_failed', message: 'no' } as const;
			await first!.fail(error, false);
			await queue.cancel(jobId(1));
			expect((await queue.units(jobId(1))).map(({ state }) => state)).toEqual(['done', 'failed', 'done']);
			await queue.enqueue(whole());
			const again = await takeGroups(cluster, queue, 2);
			expect(again.map(({ unit: { part }, clips }) => [part, clips.length])).toEqual([
				[1, 1],
				[3, 0],
			]);
		});

		test('one that three workers have died on says at which second of the recording', async () => {
			const cluster = await start();
			const queue = await cluster.join('one');
			const cutting = await dividing(cluster, queue, 2);
			await cutting.done(blob('cut'));
			await cluster.pass(500);
			// As three deaths leave it.
			const record = `unit:${jobId(1)}:2`;
			const [found] = await cluster.records.get([record]);
			const dead = { ...JSON.parse(found!.value), stage: 'leased', number: 3, deaths: 2 };
			await cluster.records.commit({ put: { [record]: JSON.stringify(dead) } });
			const lease = await take(cluster, queue);
			expect(lease.unit.part).toBe(1);
			await cluster.pass(1500);
			expect(await queue.lease(caps)).toBeNull();
			expect((await queue.units(jobId(1)))[2]).toMatchObject({
				state: 'failed',
				error: { code: 'engine_failed', message: expect.stringContaining('at second 100') },
			});
		});

		test('go to workers that compute alike while there are some, and then to any', async () => {
			const cluster = await start();
			const there = new Set(['x', 'y']);
			const availableNumerics = async () => there;
			const [one, other] = [
				await cluster.join('one', { numerics: 'x', availableNumerics }),
				await cluster.join('other', { numerics: 'y', availableNumerics }),
			];
			const cutting = await dividing(cluster, one, 1);
			await cutting.done(blob('cut'));
			for (let tries = 0; tries < 4; tries++) {
				expect(await other.lease(caps)).toBeNull();
				await cluster.pass(500);
			}
			there.delete('x');
			expect((await take(cluster, other)).unit).toMatchObject({ part: 1, numerics: 'x' });
		});
	},
);

test('a recording counts once for its owner: as a whole until it is divided, then by its groups', () => {
	const lines = new FairLines();
	const normal = { class: 'normal' as const };
	lines.add({ ...normal, key: 'long', tenant: 'a', seconds: 3000 });
	for (const key of ['b0', 'b1', 'b2', 'b3']) lines.add({ ...normal, key, tenant: 'b', seconds: 100 });
	expect(lines.next()!.key).toBe('long');
	lines.putBack({ ...normal, tenant: 'a', seconds: 3000 });
	for (const key of ['a0', 'a1', 'a2', 'a3']) lines.add({ ...normal, key, tenant: 'a', seconds: 100 });
	const order = Array.from({ length: 8 }, () => lines.next()!.key.slice(0, 1)).join('');
	expect(order.slice(0, 4).split('').sort().join('')).toBe('aabb');
	expect(order.slice(4).split('').sort().join('')).toBe('aabb');
});

test('a bulk recording that is divided takes no more of the others than its quarter, and no less', () => {
	const lines = new FairLines();
	lines.add({ key: 'long', class: 'bulk', tenant: 'a', seconds: 3000 });
	expect(lines.next()!.key).toBe('long');
	for (let at = 0; at < 30; at++) lines.add({ key: `n${at}`, class: 'normal', tenant: 'b', seconds: 100 });
	lines.putBack({ class: 'bulk', tenant: 'a', seconds: 3000 });
	for (let at = 0; at < 30; at++) lines.add({ key: `g${at}`, class: 'bulk', tenant: 'a', seconds: 100 });
	const order = Array.from({ length: 20 }, () => lines.next()!.key.slice(0, 1));
	expect(order.filter((each) => each === 'g').length).toBeGreaterThanOrEqual(4);
	expect(order.filter((each) => each === 'g').length).toBeLessThanOrEqual(7);
});
