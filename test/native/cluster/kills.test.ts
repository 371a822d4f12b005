/**
 * Jobs by HTTP while workers, gateways and the queue server are killed at random: each that was acknowledged ends once, with
 * the right text, and its webhook is delivered once by id. A few times in continuous integration; `npm run kills` does it with
 * hundreds of jobs.
 */

import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
	ended,
	get,
	jobsPath,
	post,
	queueServers,
	startCluster,
	textOf,
	transcriptionsPath,
	until,
} from '../../helpers/cluster/clients.js';
import type { EarshotProcess } from '../../helpers/cluster/processes.js';
import { digits } from '../../helpers/cluster/worker-processes.js';
import { startReceiver } from '../../helpers/net/receiver.js';

const count = Number(process.env.EARSHOT_KILLS ?? 8);

/** Of 3.54 s, so often. */
const lengths = [1, 3, 10, 30, 60];

const digest = (text: string): string => `${text.length} ${createHash('sha256').update(text).digest('hex')}`;

const chosen = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

/** Until a gateway acknowledges it, as clients do: the key makes the repeated ones the same job. */
async function acknowledged(gateways: readonly EarshotProcess[], file: Buffer, key: string, hook: string) {
	for (;;) {
		const given = { fields: { webhook_url: hook }, headers: { 'idempotency-key': key } };
		const { status, json } = await post(chosen(gateways), jobsPath, file, given).catch(() => ({
			status: 0,
			json: undefined,
		}));
		if (status === 202 || status === 200) return json.id as string;
		// Whoever was killed gives no answer; whoever lacks its queue, or has the other half of a repeated one, says so.
		expect([0, 409, 503], gateways.map((each) => each.said()).join('\n')).toContain(status);
		await pause(100);
	}
}

describe.each(queueServers.filter(({ skip }) => skip === undefined))('on $name', ({ start }) => {
	test(`${count} jobs while anything is killed: each ends once, with the right text, and its webhook is delivered once by id`, async () => {
		const receiver = await startReceiver();
		const { server, worker, gateway } = await startCluster(start);
		const flags = ['--webhook-allow', receiver.place, '--max-jobs-per-key', '10000'];
		const workers = [await worker(), await worker()];
		const gateways = [await gateway(...flags), await gateway(...flags)];
		const calm = new Map<number, string>();
		for (const times of lengths)
			calm.set(times, digest((await post(gateways[0]!, transcriptionsPath, digits(times))).json.text));

		const kills = { worker: 0, gateway: 0, queue: 0 };
		/** One of each first, so that few jobs meet all of them; a worker most often. */
		const order = (['worker', 'gateway', 'queue'] as const).toSorted(() => Math.random() - 0.5);
		const killOne = async (): Promise<void> => {
			const what = order.shift() ?? chosen(['queue', 'gateway', 'worker', 'worker'] as const);
			if (what === 'queue') {
				kills.queue++;
				await server.kill();
				await pause(Math.random() * 2000);
				await server.restart();
			} else if (what === 'gateway') {
				kills.gateway++;
				const victim = Math.floor(Math.random() * gateways.length);
				await gateways[victim]!.end('SIGKILL');
				gateways[victim] = await gateway(...flags);
			} else {
				kills.worker++;
				const victim = Math.floor(Math.random() * workers.length);
				await workers[victim]!.end('SIGKILL');
				workers[victim] = await worker();
			}
		};
		let isOver = false;
		const killing = (async () => {
			// On a fast machine a few jobs end sooner than one of each is killed.
			while (!isOver || order.length > 0) {
				await pause(order.length > 0 ? Math.random() * 300 : 500 + Math.random() * 3000);
				if (!isOver || order.length > 0) await killOne();
			}
		})();

		const made: { readonly id: string; readonly times: number }[] = [];
		for (let job = 0; job < count; job++) {
			const times = chosen(lengths);
			made.push({ id: await acknowledged(gateways, digits(times), `job ${job}`, receiver.url), times });
		}
		expect(new Set(made.map(({ id }) => id)).size).toBe(count);
		const patiently = async <T>(ask: (gateway: EarshotProcess) => Promise<T>): Promise<T> => {
			for (;;) {
				try {
					return await ask(chosen(gateways));
				} catch {
					// Killed while it was asked.
					await pause(100);
				}
			}
		};
		for (const { id } of made)
			expect(await patiently((one) => ended(one, id))).toMatchObject({ status: 'completed', error: null });
		isOver = true;
		await killing;
		for (const { id, times } of made) expect(digest(await textOf(gateways[0]!, id))).toBe(calm.get(times));

		const deliveries = (): Map<string, string> =>
			new Map(
				receiver.received.map(({ headers, body }) => [
					String(headers['webhook-id']),
					JSON.parse(body).data.id,
				]),
			);
		// What a killed gateway had to deliver, another one finds.
		await until(async () => deliveries().size >= count);
		expect([...deliveries().values()].sort()).toEqual(made.map(({ id }) => id).sort());
		const list = await get(gateways[0]!, `${jobsPath}?limit=100`);
		expect(list.json.data.length).toBe(Math.min(100, count));
		expect(Math.min(...Object.values(kills))).toBeGreaterThan(0);
		process.stderr.write(
			`${count} jobs, ${receiver.received.length} webhooks; killed: ${JSON.stringify(kills)}\n`,
		);
	}, 7_200_000);
});
