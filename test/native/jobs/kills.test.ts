/** A server that is killed while it works on a job: the next one goes on with it, and the text is the same. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

/** How often it is killed: `EARSHOT_KILLS=500` is the long run. */
const kills = Number(process.env.EARSHOT_KILLS ?? 6);

const command = path.join(root, 'dist', 'cli', 'main.js');
const digits = ['count', 'pause', 'telephone'].map((name) =>
	readFileSync(path.join(root, 'fixtures', 'demo-digits', `digits-${name}.wav`)),
);

/** Two minutes of spoken digits, of 16 kHz mono. */
function recording(): Buffer {
	const usable = digits.filter((wav) => wav.readUInt32LE(24) === 16_000);
	const samples = usable.map((wav) => wav.subarray(wav.indexOf('data') + 8));
	const bytesPerSecond = 32_000;
	const pieces: Buffer[] = [];
	for (let size = 0, at = 0; size < 120 * bytesPerSecond; at++) {
		const piece = samples[at % samples.length] ?? Buffer.alloc(0);
		pieces.push(piece, Buffer.alloc(bytesPerSecond));
		size += piece.length + bytesPerSecond;
	}
	const data = Buffer.concat(pieces);
	const head = Buffer.from((usable[0] ?? Buffer.alloc(44)).subarray(0, 44));
	head.write('data', 36);
	head.writeUInt32LE(data.length + 36, 4);
	head.writeUInt32LE(data.length, 40);
	return Buffer.concat([head, data]);
}

interface Served {
	readonly url: string;
	readonly child: ChildProcess;
	kill(): Promise<void>;
}

async function serve(home: string): Promise<Served> {
	const child = spawn(process.execPath, [command, 'serve', '--port', '0', '--num-threads', '1'], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { PATH: process.env.PATH, HOME: home },
	});
	const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
	let said = '';
	const url = await new Promise<string>((resolve, reject) => {
		child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
			said += piece;
			const found = /listens on (http:\S+?)\/v1 /.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
		child.on('close', () => reject(new Error(said)));
	});
	const kill = async (): Promise<void> => {
		child.kill('SIGKILL');
		await ended;
	};
	onTestFinished(kill);
	return { url, child, kill };
}

async function submit({ url }: Served, file: Buffer): Promise<string> {
	const answer = await fetch(`${url}/v1/transcription_jobs?response_format=verbose_json`, {
		method: 'POST',
		body: new Uint8Array(file),
		headers: { 'content-type': 'audio/wav' },
	});
	expect([200, 202]).toContain(answer.status);
	return ((await answer.json()) as { id: string }).id;
}

async function finished({ url }: Served, id: string): Promise<{ status: string; attempts: number }> {
	for (;;) {
		const answer = await fetch(`${url}/v1/transcription_jobs/${id}?wait=30`);
		const job = (await answer.json()) as { status: string; attempts: number };
		if (!['queued', 'in_progress'].includes(job.status)) return job;
	}
}

const resultOf = async ({ url }: Served, id: string): Promise<string> =>
	await (await fetch(`${url}/v1/transcription_jobs/${id}/result`)).text();

test(`a job survives ${kills} servers that are killed at any moment`, async () => {
	const scratch = new Scratch();
	onTestFinished(() => scratch[Symbol.dispose]());
	const file = recording();
	const undisturbed = await serve(scratch.path);
	const startedMs = performance.now();
	const first = await submit(undisturbed, file);
	expect(await finished(undisturbed, first)).toMatchObject({ status: 'completed', attempts: 1 });
	const usualMs = performance.now() - startedMs;
	const expected = await resultOf(undisturbed, first);
	expect(JSON.parse(expected).text.length).toBeGreaterThan(100);
	await fetch(`${undisturbed.url}/v1/transcription_jobs/${first}`, { method: 'DELETE' });

	let server = undisturbed;
	let id = await submit(server, file);
	const jobs = path.join(scratch.path, '.local', 'state', 'earshot', 'jobs');
	for (let kill = 1; kill <= kills; kill++) {
		// At other moments each time: while it loads, in the middle, near the end.
		await new Promise((resolve) => setTimeout(resolve, usualMs * Math.random()));
		await server.kill();
		server = await serve(scratch.path);
		// Every other time it may come to its end, and another job begins.
		if (kill % 2 > 0 && kill < kills) continue;
		expect(await finished(server, id)).toMatchObject({ status: 'completed' });
		expect(await resultOf(server, id)).toBe(expected);
		await fetch(`${server.url}/v1/transcription_jobs/${id}`, { method: 'DELETE' });
		expect(existsSync(path.join(jobs, id))).toBe(false);
		if (kill < kills) id = await submit(server, file);
	}
	expect(readdirSync(jobs).filter((name) => name.startsWith('trj_'))).toEqual([]);
}, 600_000_000);
