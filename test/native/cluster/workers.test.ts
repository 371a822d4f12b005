/** What survives what, with real processes: workers and the queue server are killed, paused and stopped. */

import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Job } from '../../../src/jobs/job.js';
import { queueServers } from '../../helpers/cluster/clients.js';
import { digits, realCluster } from '../../helpers/cluster/worker-processes.js';
import type { TestServer } from '../../helpers/net/servers.js';

/** Some minutes, so that a worker can be killed in the midst of it. */
const long = digits(120);

/** Texts by server and recording: as long as they are equal, they need not be read. */
const digest = (text: string): string => `${text.length} ${createHash('sha256').update(text).digest('hex')}`;

async function begun(start: () => Promise<TestServer>) {
	const server = await start();
	onTestFinished(() => server.close());
	const cluster = await realCluster(server);
	const calm = digest(await cluster.undisturbed(long));
	return {
		server,
		...cluster,
		calm,
		outcome: async (job: Job) => [job.error, job.status, digest(await cluster.textOf(job))],
	};
}

describe.each(queueServers.filter(({ skip }) => skip === undefined))('on $name', ({ start }) => {
	test('a worker that is killed is noticed within 15 s, and another goes on at its last clip', async () => {
		const { worker, submit, clips, ended, outcome, calm, cluster } = await begun(start);
		const startedMs = performance.now();
		const first = await worker();
		const job = await submit(long);
		await clips(job.id, 2);
		// On a busy machine the other worker takes as long to start.
		const startMs = performance.now() - startedMs;
		const other = worker();
		await first.end('SIGKILL');
		const killedMs = performance.now();
		await other;
		const before = (await cluster.queue.clips(job.id)).length;
		while ((await cluster.queue.clips(job.id)).length === before) await pause(20);
		expect(performance.now() - killedMs).toBeLessThan(15_000 + 2 * startMs);
		const done = await ended(job.id);
		expect(await outcome(done)).toEqual([null, 'completed', calm]);
		const all = await cluster.queue.clips(job.id);
		expect(all.map(({ clip }) => clip)).toEqual(all.map((_, index) => index));
	}, 120_000);

	test('a worker that stops returns its unit at once', async () => {
		const { worker, submit, clips, ended, outcome, calm } = await begun(start);
		const [first, second] = [await worker(), await worker()];
		const job = await submit(long);
		await clips(job.id, 2);
		const stoppedMs = performance.now();
		await Promise.all([first.end('SIGTERM'), pause(1)]);
		const done = await ended(job.id);
		expect(await outcome(done)).toEqual([null, 'completed', calm]);
		// No death had to be noticed.
		expect(performance.now() - stoppedMs).toBeLessThan(9000);
		await second.end('SIGTERM');
	}, 120_000);

	test('a job that is cancelled ends at a running worker within 5 s', async () => {
		const { worker, submit, clips, service, cluster } = await begun(start);
		await worker();
		const job = await submit(digits(600));
		await clips(job.id, 2);
		expect(await service.cancelOrDelete((await cluster.store.get(job.id))!)).toBe('cancelled');
		const cancelledMs = performance.now();
		const next = await submit(digits(1));
		let clipCount = -1;
		for (;;) {
			const now = (await cluster.queue.clips(job.id)).length;
			if (now === clipCount) break;
			clipCount = now;
			await pause(300);
		}
		expect(performance.now() - cancelledMs).toBeLessThan(5000);
		expect(next.status).not.toBe('failed');
	}, 120_000);

	test('a worker that is paused for longer than its lock counts no second result', async () => {
		const { worker, submit, clips, ended, outcome, calm, cluster } = await begun(start);
		const paused = await worker();
		const job = await submit(long);
		await clips(job.id, 2);
		paused.process.kill('SIGSTOP');
		await worker();
		const done = await ended(job.id);
		const { version } = done;
		paused.process.kill('SIGCONT');
		await pause(3000);
		expect((await cluster.store.get(job.id))?.version).toBe(version);
		expect(await outcome(done)).toEqual([null, 'completed', calm]);
	}, 120_000);

	test('nothing is lost when the queue server is killed and comes back', async () => {
		const { server, worker, submit, clips, ended, outcome, calm } = await begun(start);
		await worker();
		const jobs = [await submit(long), await submit(long), await submit(long)];
		await clips(jobs[0]!.id, 2);
		await pause(1100);
		await server.kill();
		await pause(1000);
		await server.restart();
		const done = await Promise.all(jobs.map(({ id }) => ended(id)));
		expect(await Promise.all(done.map(outcome))).toEqual(done.map(() => [null, 'completed', calm]));
	}, 120_000);

	test('several workers transcribe one long recording, with the text of one, although one of them is killed', async () => {
		const { worker, submit, ended, outcome, undisturbed, service, cluster } = await begun(start);
		const longer = digits(200);
		const calm = digest(await undisturbed(longer));
		const workers = [await worker(), await worker()];
		const job = await submit(longer, true);
		const groupsIn = async (state: string) =>
			(await cluster.queue.units(job.id)).filter((unit) => unit.part > 0 && unit.state === state).length;
		while ((await groupsIn('done')) < 2) await pause(20);
		await workers[0]!.end('SIGKILL');
		const done = await ended(job.id);
		expect(await outcome(done)).toEqual([null, 'completed', calm]);
		const parts = await cluster.queue.units(job.id);
		expect(parts.length).toBeGreaterThan(3);
		expect(parts.every(({ state }) => state === 'done')).toBe(true);
		const names = async () => {
			const found: string[] = [];
			for await (const { key } of cluster.blobs.list(`${job.id}/`)) found.push(key.split('/')[1]!);
			return found.sort();
		};
		// Whoever has joined them removes them.
		while ((await names()).length > 2) await pause(20);
		expect(await names()).toEqual(['request.json', 'result.json']);
		expect((await service.result(done)).transcript.duration).toBeCloseTo(done.durationSeconds!, 3);
	}, 240_000);

	test('a job that several workers are at ends at all of them within 5 s when it is cancelled', async () => {
		const { worker, submit, service, cluster } = await begun(start);
		await worker();
		await worker();
		const job = await submit(digits(600), true);
		const clipCount = async () => (await cluster.queue.clips(job.id)).length;
		while ((await clipCount()) < 2) await pause(20);
		expect(await service.cancelOrDelete((await cluster.store.get(job.id))!)).toBe('cancelled');
		const cancelledMs = performance.now();
		for (let before = -1; before !== (await clipCount()); before = await clipCount()) await pause(300);
		expect(performance.now() - cancelledMs).toBeLessThan(5000);
		expect(await cluster.queue.units(job.id)).not.toContainEqual(
			expect.objectContaining({ state: 'leased' }),
		);
	}, 120_000);
});
