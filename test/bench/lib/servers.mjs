/** Both sides of a trial: servers in processes of their own, and the crowd that asks them. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { env, execPath } from 'node:process';
import { modelDir, root, workplace } from './peers.mjs';

/**
 * @typedef {object} Server
 * @property {string} url where recordings are posted
 * @property {string} base
 * @property {number} pid
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<number>} a port that is free now */
export function freePort() {
	return new Promise((resolve, reject) => {
		const server = createServer().on('error', reject);
		server.listen(0, '127.0.0.1', () => {
			const address = server.address();
			server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
		});
	});
}

/** @param {string} url until it answers 200 */
export async function answers(url, patience = 120_000) {
	const until = Date.now() + patience;
	for (;;) {
		try {
			if ((await fetch(url)).ok) return;
		} catch {
			// Not listening yet.
		}
		if (Date.now() > until) throw new Error(`${url} did not answer in ${patience / 1000} s`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [environment] */
export function start(command, args, environment = env) {
	const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.on('data', (chunk) => {
			said = (said + chunk).slice(-4000);
		});
	}
	const ended = new Promise((resolve) => child.once('exit', resolve));
	return {
		pid: child.pid ?? 0,
		said: () => said,
		async stop() {
			child.kill('SIGTERM');
			const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
			await ended;
			clearTimeout(kill);
		},
	};
}

/** @param {string} program whisper-server @param {string} model @returns {Promise<Server>} */
export async function whisperServer(program, model) {
	const port = await freePort();
	const base = `http://127.0.0.1:${port}`;
	const { pid, stop } = start(program, ['-m', model, '--host', '127.0.0.1', '--port', `${port}`]);
	await answers(`${base}/`);
	return { base, url: `${base}/inference`, pid, stop };
}

/**
 * Earshot as people run it, with its models in a models.yaml of the trial.
 * @param {Record<string, object>} models @param {string[]} [flags]
 * @returns {Promise<Server>}
 */
export async function earshot(models, flags = []) {
	const port = await freePort();
	const base = `http://127.0.0.1:${port}`;
	mkdirSync(workplace, { recursive: true });
	const folder = mkdtempSync(join(workplace, 'earshot-'));
	const config = join(folder, 'models.yaml');
	writeFileSync(config, JSON.stringify({ models }));
	const args = [
		join(root, 'dist', 'cli', 'main.js'),
		'serve',
		'--port',
		`${port}`,
		'--config',
		config,
		'--model-dir',
		modelDir,
		...flags,
	];
	const { pid, stop } = start(execPath, args);
	await answers(`${base}/health`);
	return {
		base,
		url: `${base}/v1/audio/transcriptions`,
		pid,
		async stop() {
			await stop();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

/** Earshot with an engine that does nothing. @returns {Promise<Server>} */
export async function nullServer() {
	const { pid, said, stop } = start(execPath, [join(root, 'test', 'bench', 'null-server.mjs')]);
	for (let waited = 0; waited < 30_000; waited += 50) {
		const base = /"url":"([^"]+)"/.exec(said())?.[1];
		if (base) return { base, url: `${base}/v1/audio/transcriptions`, pid, stop };
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	await stop();
	throw new Error(`null-server.mjs did not start: ${said()}`);
}

/** @param {import('./client.mjs').Crowd} crowd @returns {Promise<import('./client.mjs').Seen>} */
export function crowd(crowd) {
	return inProcess('lib/client.mjs', crowd);
}

/**
 * Runs a script of this folder with a task on its stdin and reads its answer, one line of JSON.
 * @param {string} script @param {object} task @param {NodeJS.ProcessEnv} [environment]
 */
export function inProcess(script, task, environment = env) {
	return answerOf(execPath, [join(root, 'test', 'bench', script)], task, environment);
}

/**
 * The same of any program: its last line counts.
 * @param {string} command @param {string[]} args @param {object} task @param {NodeJS.ProcessEnv} environment
 */
export function answerOf(command, args, task, environment) {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
		let out = '';
		child.stdout.on('data', (chunk) => {
			out += chunk;
		});
		child.once('error', reject);
		child.once('close', (code) => {
			const line = out.trim().split('\n').at(-1) ?? '';
			if (code === 0) resolve(JSON.parse(line));
			else reject(new Error(`${basename(args[0])} ended with ${code}: ${line}`));
		});
		// A program that ends before it has read its task is told of by its exit status.
		child.stdin.on('error', () => {});
		child.stdin.end(JSON.stringify(task));
	});
}

/** @param {number} pid @returns {number[]} it and all below it */
export function processTree(pid) {
	let children = [];
	try {
		children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
			.trim()
			.split(' ')
			.filter(Boolean)
			.map(Number);
	} catch {
		return [];
	}
	return [pid, ...children.flatMap(processTree)];
}

/** @param {number} pid @returns {number} MiB loaded, the processes below it included */
export function residentMegabytes(pid) {
	return processTree(pid).reduce((sum, each) => sum + residentMegabytesOf(each), 0);
}

/** @param {number} pid @returns {number} MiB loaded of this process alone; 0 if it has ended */
export function residentMegabytesOf(pid) {
	try {
		return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 2 ** 20;
	} catch {
		return 0;
	}
}
