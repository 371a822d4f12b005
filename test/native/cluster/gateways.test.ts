/** What clients see of a cluster when its servers and its queue are killed: real gateways, workers and queues. */

import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
	ended,
	get,
	jobsPath,
	metric,
	post,
	queueServers,
	startCluster,
	textOf,
	transcriptionsPath,
	until,
} from '../../helpers/cluster/clients.js';
import { digits } from '../../helpers/cluster/worker-processes.js';
import { startReceiver } from '../../helpers/net/receiver.js';
import { startS3 } from '../../helpers/net/s3.js';
import { freePort } from '../../helpers/net/servers.js';

const short = digits(1);
/** Of 3.54 s each. */
const long = digits(200);
const longSeconds = 200 * 3.54;

describe.each(queueServers.filter(({ skip }) => skip === undefined))('on $name', ({ start }) => {
	test('a gateway that is killed after its 202 leaves a job that ends, and a webhook that is delivered once by id', async () => {
		const receiver = await startReceiver();
		const { worker, gateway } = await startCluster(start);
		await worker();
		const flags = ['--webhook-allow', receiver.place];
		const [first, second] = [await gateway(...flags), await gateway(...flags)];
		const calm = (await post(second, transcriptionsPath, long)).json.text;
		const fields = { webhook_url: receiver.url };
		const ids: string[] = [];
		for (let count = 0; count < 3; count++) {
			const { status, json } = await post(first, jobsPath, long, {
				fields,
				headers: { 'idempotency-key': `${count}` },
			});
			expect(status).toBe(202);
			ids.push(json.id);
		}
		await first.end('SIGKILL');
		for (const id of ids) {
			expect(await ended(second, id)).toMatchObject({ status: 'completed', error: null });
			expect(await textOf(second, id)).toBe(calm);
		}
		const deliveries = (): Map<string, string> =>
			new Map(
				receiver.received.map(({ headers, body }) => [
					String(headers['webhook-id']),
					JSON.parse(body).data.id,
				]),
			);
		await until(async () => new Set(deliveries().values()).size === ids.length);
		expect([...deliveries().values()].sort()).toEqual([...ids].sort());
	}, 180_000);

	test('a request reaches a worker that cannot be connected to, by way of the queue, and nothing of it is kept', async () => {
		const env = { EARSHOT_ADVERTISE: 'http://127.0.0.1:1' };
		const { worker, gateway, blobs } = await startCluster(start, { env });
		await worker();
		const server = await gateway();
		const job = (await post(server, jobsPath, short)).json.id;
		await ended(server, job);
		const calm = await textOf(server, job);
		const plain = await post(server, transcriptionsPath, short);
		expect([plain.status, plain.json.text]).toEqual([200, calm]);
		const streamed = await post(server, transcriptionsPath, short, { fields: { stream: 'true' } });
		const done = /"type":"transcript.text.done","text":("[^"]*")/.exec(streamed.json)?.[1];
		expect(JSON.parse(done ?? '""')).toBe(calm);
		const { json: list } = await get(server, jobsPath);
		expect(list.data.map(({ id }: { id: string }) => id)).toEqual([job]);
		expect(new Set(readdirSync(blobs).filter((name) => name.startsWith('trj_')))).toEqual(new Set([job]));
	}, 120_000);

	test('an upload that has no 202 leaves no job, and what a killed gateway has left in the store is swept', async () => {
		const { worker, gateway, blobs } = await startCluster(start);
		await worker();
		const [first, second] = [await gateway(), await gateway()];
		const half = request(`${first.url}${jobsPath}`, {
			method: 'POST',
			headers: { 'content-type': 'audio/wav' },
		});
		const broken = new Promise<void>((resolve) => void half.once('error', () => resolve()));
		half.write(long.subarray(0, long.length / 2));
		await until(async () => (await metric(first, 'earshot_uploads_bytes')) > 0);
		await first.end('SIGKILL');
		await broken;
		expect((await get(second, jobsPath)).json.data).toEqual([]);
		const left = () => readdirSync(blobs).filter((name) => name.startsWith('trj_'));
		expect(left()).toEqual([]);
		// As when it is killed between the recording and the job; a day later.
		const orphan = path.join(blobs, `trj_${'0'.repeat(32)}`);
		mkdirSync(orphan);
		writeFileSync(path.join(orphan, 'audio'), short);
		const yesterday = Date.now() / 1000 - 25 * 3600;
		utimesSync(path.join(orphan, 'audio'), yesterday, yesterday);
		await gateway();
		await until(async () => left().length === 0 || readdirSync(orphan).length === 0);
	}, 120_000);

	test('a gateway that is killed during a request ends its work, and the same request at another one is answered', async () => {
		const { worker, gateway } = await startCluster(start);
		const only = await worker();
		const [first, second] = [await gateway(), await gateway()];
		const calm = (await post(second, transcriptionsPath, long)).json.text;
		const heardBefore = await metric(only, 'earshot_batch_audio_seconds_total');
		const headers = { 'idempotency-key': 'again' };
		const lost = post(first, transcriptionsPath, long, { headers }).then(
			() => 'answered',
			() => 'broken',
		);
		await until(async () => (await metric(only, 'earshot_slots_busy')) > 0);
		await first.end('SIGKILL');
		expect(await lost).toBe('broken');
		await until(async () => (await metric(only, 'earshot_slots_busy')) === 0);
		const heardInVain = (await metric(only, 'earshot_batch_audio_seconds_total')) - heardBefore;
		// It has stopped in the midst of it.
		expect(heardInVain).toBeLessThan(longSeconds);
		const again = await post(second, transcriptionsPath, long, { headers });
		expect([again.status, again.json.text]).toEqual([200, calm]);
		const heardAfter = (await metric(only, 'earshot_batch_audio_seconds_total')) - heardBefore - heardInVain;
		// Once, with the silence between the clips left out.
		expect(heardAfter).toBeLessThanOrEqual(longSeconds);
	}, 120_000);

	test('while the queue is down jobs are answered with 503, requests as ever, and nothing acknowledged is lost', async () => {
		const { server, worker, gateway } = await startCluster(start);
		await worker();
		const only = await gateway();
		const calm = (await post(only, transcriptionsPath, long)).json.text;
		const { json } = await post(only, jobsPath, long);
		await server.kill();
		const refused = [
			await post(only, jobsPath, short),
			await get(only, `${jobsPath}/${json.id}`),
			await get(only, jobsPath),
		];
		for (const { status, headers, json: body } of refused) {
			expect([status, body.error.code, headers.get('retry-after')]).toEqual([503, 'closed', '5']);
			expect(body.error.message).toContain('The queue of this server cannot be reached now');
		}
		expect((await get(only, '/health')).status).toBe(200);
		expect((await fetch(`${only.url}/metrics`)).status).toBe(200);
		// The worker is known, and needs no queue for it; while the job has its slots, clients ask again.
		await until(async () => (await post(only, transcriptionsPath, short)).status === 200);
		await server.restart();
		expect(await ended(only, json.id)).toMatchObject({ status: 'completed', error: null });
		expect(await textOf(only, json.id)).toBe(calm);
		const next = await post(only, jobsPath, short);
		expect(next.status).toBe(202);
		expect(await ended(only, next.json.id)).toMatchObject({ status: 'completed' });
	}, 180_000);

	test('while recordings cannot be read, jobs wait for them', async () => {
		const port = await freePort();
		const s3 = await startS3({ port });
		const env = {
			AWS_ACCESS_KEY_ID: s3.accessKeyId,
			AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
			AWS_REGION: s3.region,
			AWS_ENDPOINT_URL_S3: s3.endpoint,
		};
		const { worker, gateway } = await startCluster(start, { blobs: `s3://${s3.bucket}/x`, env });
		await worker();
		const only = await gateway();
		const objects = new Map(s3.objects);
		const first = await post(only, jobsPath, short);
		expect(await ended(only, first.json.id)).toMatchObject({ status: 'completed' });
		const second = await post(only, jobsPath, long);
		for (const [key, object] of s3.objects) objects.set(key, object);
		await s3.close();
		const refused = await post(only, jobsPath, short);
		expect([refused.status, refused.json.error.code]).toEqual([503, 'closed']);
		expect((await get(only, `${jobsPath}/${second.json.id}`)).json.error).toBeNull();
		const back = await startS3({ port });
		onTestFinished(() => back.close());
		for (const [key, object] of objects) back.objects.set(key, object);
		expect(await ended(only, second.json.id)).toMatchObject({ status: 'completed', error: null });
	}, 180_000);
});
