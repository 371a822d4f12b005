/**
 * What a cluster adds to a request and to a job: a clip of 3 s that is waited for, on a server that runs the model itself and
 * through a gateway on a worker of the same machine, by turns; from the last byte of a recording until its 202; and reading
 * a job. Starts Redis (redis-server or valkey-server of the system), a server, a gateway and a worker.
 *
 *   npm run bench:round-trips
 *   … --model FILE     a ggml file of Whisper; else tiny.en
 *   … --requests 60    clips on each side
 *   … --uploads 100    recordings for jobs
 *   … --megabytes 10   of each of them
 *
 * Takes a quiet machine. Not a test: figures are shown beside the bars.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, execPath, stdout } from 'node:process';
import { setTimeout as after } from 'node:timers/promises';
import { flagsOf, refuse, wholeFrom } from '../helpers/flags.mjs';
import { machine } from './lib/machine.mjs';
import { modelFile, shortHash } from './lib/models.mjs';
import { root } from './lib/peers.mjs';
import { speech } from './lib/speech.mjs';
import { median, percentile } from './lib/statistics.mjs';

const { values } = flagsOf(import.meta.url, {
	options: {
		model: { type: 'string' },
		requests: { type: 'string', default: '60' },
		uploads: { type: 'string', default: '100' },
		megabytes: { type: 'string', default: '10' },
	},
});
const requests = wholeFrom('requests', values.requests, 1);
const uploads = wholeFrom('uploads', values.uploads, 1);
const megabytes = wholeFrom('megabytes', values.megabytes, 1);
const model = modelFile(values.model);

const redisServer = ['redis-server', 'valkey-server']
	.flatMap((name) => (env.PATH ?? '').split(':').map((folder) => join(folder, name)))
	.find((file) => existsSync(file));
if (redisServer === undefined) refuse('Expected redis-server or valkey-server to be installed');

const folder = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
const children = [];

async function freePort() {
	const server = createServer();
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/** @param {string} name @param {string[]} args @param {string} queue '' = none @returns {Promise<string>} its URL */
async function start(name, args, queue) {
	const home = join(folder, name);
	mkdirSync(home);
	const config = join(home, 'models.yaml');
	const entry = `{type: whisper_cpp, files: {model: ${JSON.stringify(model)}}}`;
	writeFileSync(config, `default_model: bench\nmodels:\n  bench: ${entry}\n`);
	const shared = queue === '' ? [] : ['--blobs', join(folder, 'blobs')];
	const child = spawn(
		execPath,
		[
			join(root, 'dist', 'cli', 'main.js'),
			...args,
			'--port',
			'0',
			'--config',
			config,
			'--model-dir',
			home,
			...shared,
		],
		{
			stdio: ['ignore', 'ignore', 'pipe'],
			env: { PATH: env.PATH, HOME: home, ...(queue !== '' && { EARSHOT_QUEUE: queue }) },
		},
	);
	children.push(child);
	let said = '';
	return await new Promise((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (piece) => {
			said += piece;
			const found = /(?:listens on|is reachable at) (http:\/\/[\w.:]+)/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
		child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${said}`)));
	});
}

async function ready(url) {
	while (!(await fetch(`${url}/ready`).catch(() => ({ ok: false }))).ok) await after(50);
}

/** @returns {Promise<number>} ms from the last byte that was sent until the whole answer is there */
function sent(url, path, bytes, status, headers = {}) {
	return new Promise((resolve, reject) => {
		let lastByteMs = 0;
		const post = request(url + path, {
			method: 'POST',
			headers: { 'content-type': 'audio/wav', 'content-length': bytes.length, ...headers },
		});
		post.once('error', reject);
		post.once('response', (answer) => {
			answer.resume().once('end', () => {
				const ms = performance.now() - lastByteMs;
				if (answer.statusCode === status) resolve(ms);
				else reject(new Error(`${path} answered ${answer.statusCode}`));
			});
		});
		post.end(bytes, () => {
			lastByteMs = performance.now();
		});
	});
}

const ms = (value) => `${value.toFixed(1)} ms`;
const shown = (times) => `p50 ${ms(median(times))}, p95 ${ms(percentile(times, 0.95))}`;

try {
	const port = await freePort();
	const keeps = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction', '--dir', folder];
	children.push(
		spawn(redisServer, ['--port', `${port}`, '--bind', '127.0.0.1', ...keeps], { stdio: 'ignore' }),
	);
	mkdirSync(join(folder, 'blobs'));
	await after(500);
	const queue = `redis://127.0.0.1:${port}`;
	const local = await start('local', ['serve'], '');
	await start('worker', ['worker'], queue);
	const gateway = await start('gateway', ['serve', '--no-worker'], queue);
	await Promise.all([ready(local), ready(gateway)]);
	const { processor, cores, commit, date, loadBefore } = machine();
	stdout.write(`${processor}, ${cores} cores, load ${loadBefore.toFixed(2)}; ${commit}, ${date}\n`);
	stdout.write(`model ${model.split('/').at(-1)} ${shortHash(model)}\n`);

	const clip = speech(3);
	const path = '/v1/audio/transcriptions';
	for (let warm = 0; warm < 5; warm++) for (const url of [local, gateway]) await sent(url, path, clip, 200);
	const sides = { local: [], worker: [] };
	for (let at = 0; at < requests; at++) {
		// By turns, and each side first every other time.
		const turns = [
			['local', local],
			['worker', gateway],
		];
		for (const [side, url] of at % 2 ? turns.reverse() : turns)
			sides[side].push(await sent(url, path, clip, 200));
	}
	const added = median(sides.worker) - median(sides.local);
	stdout.write(`3 s clip, local    ${shown(sides.local)}\n`);
	stdout.write(`3 s clip, worker   ${shown(sides.worker)}\n`);
	stdout.write(`a worker adds      ${ms(added)} at p50 (bar 15 ms)\n`);

	const file = Buffer.alloc(megabytes * 2 ** 20);
	speech(3).copy(file);
	file.writeUInt32LE(file.length - 8, 4);
	file.writeUInt32LE(file.length - 44, 40);
	for (const [side, url] of [
		['local', local],
		['gateway', gateway],
	]) {
		const times = [];
		for (let at = 0; at < uploads; at++) {
			// Each is another recording, so that none is the job of before.
			file.writeUInt32LE(at, file.length - 4);
			times.push(await sent(url, '/v1/transcription_jobs', file, 202, { 'idempotency-key': `${at}` }));
			const { data } = await (await fetch(`${url}/v1/transcription_jobs?limit=1`)).json();
			await fetch(`${url}/v1/transcription_jobs/${data[0].id}`, { method: 'DELETE' });
		}
		stdout.write(`202 after ${megabytes} MB, ${side.padEnd(8)} ${shown(times)} (bar 50 ms at p95)\n`);
		const { data } = await (await fetch(`${url}/v1/transcription_jobs?limit=1`)).json();
		const reads = [];
		for (let at = 0; at < 200; at++) {
			const from = performance.now();
			await (await fetch(`${url}/v1/transcription_jobs/${data[0].id}`)).arrayBuffer();
			reads.push(performance.now() - from);
		}
		stdout.write(
			`GET of a job, ${side.padEnd(8)} ${shown(reads)}, p99 ${ms(percentile(reads, 0.99))} (bar 10 ms)\n`,
		);
	}
} finally {
	// Redis last, so that nobody waits for it.
	for (const child of children.reverse()) {
		const ended = child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once('exit', resolve));
		child.kill('SIGTERM');
		await ended;
	}
	rmSync(folder, { recursive: true, force: true });
}
