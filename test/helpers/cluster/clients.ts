/** A whole cluster for tests, as its clients see it: a queue, workers and gateways that are processes. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { openPostgres } from '../../../src/cluster/open-postgres.js';
import { openRedis } from '../../../src/cluster/open-redis.js';
import type { ClusterServer, OpenServerOptions } from '../../../src/cluster/server-connection.js';
import {
	postgresFolder,
	redisProgram,
	skipReason,
	startPostgres,
	startRedis,
	type TestServer,
} from '../net/servers.js';
import { type EarshotProcess, startEarshot } from './processes.js';

export const queueServers: readonly {
	readonly name: string;
	readonly skip: string | undefined;
	readonly start: () => Promise<TestServer>;
	readonly open: (options: OpenServerOptions) => Promise<ClusterServer>;
}[] = [
	{
		name: 'Redis',
		skip: skipReason('redis-server', redisProgram),
		start: startRedis,
		open: openRedis,
	},
	{
		name: 'PostgreSQL',
		skip: skipReason('postgresql', postgresFolder),
		start: startPostgres,
		open: openPostgres,
	},
];

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	// biome-ignore lint/suspicious/noExplicitAny: bodies as clients read them.
	readonly json: any;
}

async function answered(response: Response): Promise<Answer> {
	const text = await response.text();
	return {
		status: response.status,
		headers: response.headers,
		json: text.startsWith('{') ? JSON.parse(text) : text,
	};
}

export const get = async ({ url }: EarshotProcess, place: string): Promise<Answer> =>
	answered(await fetch(url + place));

export async function post(
	{ url }: EarshotProcess,
	place: string,
	file: Buffer,
	{ fields = {}, headers = {} }: { fields?: Record<string, string>; headers?: Record<string, string> } = {},
): Promise<Answer> {
	const form = new FormData();
	form.append('file', new Blob([new Uint8Array(file)]), 'digits.wav');
	for (const [name, value] of Object.entries(fields)) form.append(name, value);
	return await answered(await fetch(url + place, { method: 'POST', body: form, headers }));
}

export const jobsPath = '/v1/transcription_jobs';
export const transcriptionsPath = '/v1/audio/transcriptions';

/** Waits until it has ended, whatever happens to the queue meanwhile. */
export async function ended(gateway: EarshotProcess, id: string): Promise<Answer['json']> {
	for (;;) {
		const { status, json } = await get(gateway, `${jobsPath}/${id}?wait=5`);
		if (status === 200 && !['queued', 'in_progress'].includes(json.status)) return json;
		if (status !== 200) await pause(200);
	}
}

/** Waits while the gateway has no queue, as after a kill of the queue's server. */
export async function textOf(gateway: EarshotProcess, id: string): Promise<string> {
	for (;;) {
		const { status, json } = await get(gateway, `${jobsPath}/${id}/result?response_format=json`);
		if (status !== 503) return json.text;
		await pause(200);
	}
}

/** The value of a metric, all labels together. */
export async function metric({ url }: EarshotProcess, name: string): Promise<number> {
	const text = await (await fetch(`${url}/metrics`)).text();
	return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
		(sum, [, value]) => sum + Number(value),
		0,
	);
}

export async function until(look: () => Promise<boolean>): Promise<void> {
	while (!(await look())) await pause(20);
}

export async function startCluster(
	start: () => Promise<TestServer>,
	given: { readonly blobs?: string; readonly env?: Record<string, string> } = {},
) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-cluster-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const server = await start();
	onTestFinished(() => server.close());
	const blobs = given.blobs ?? path.join(folder, 'blobs');
	if (given.blobs === undefined) mkdirSync(blobs);
	const machine = { queueUrl: server.url, folder, blobs, ...(given.env && { env: given.env }) };
	return {
		server,
		blobs,
		worker: () => startEarshot(['worker'], machine),
		async gateway(...flags: string[]) {
			const gateway = await startEarshot(['serve', '--no-worker', ...flags], machine);
			// Until it knows the workers.
			await until(async () => (await get(gateway, '/ready')).status === 200);
			return gateway;
		},
	};
}
