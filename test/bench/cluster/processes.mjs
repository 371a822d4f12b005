/** Earshot on a queue: Redis, a gateway and workers on this machine, each in processes of its own. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { modelDir, root, workplace } from '../lib/peers.mjs';
import { answers, freePort, processTree, start } from '../lib/servers.mjs';

/**
 * @typedef {object} Group
 * @property {string} base where requests are posted
 * @property {() => number} cpuSeconds that all its processes have taken so far
 * @property {() => Promise<void>} stop
 */

const main = join(root, 'dist', 'cli', 'main.js');

/** @returns {string} path of Redis or Valkey */
export function redisProgram() {
	for (const folder of (env.PATH ?? '').split(':'))
		for (const name of ['redis-server', 'valkey-server'])
			if (existsSync(join(folder, name))) return join(folder, name);
	throw new Error('Expected redis-server or valkey-server in the PATH, got neither: Debian has both');
}

/** @param {number[]} pids @returns {number} seconds of processor time, of their children too */
export function cpuSecondsOf(pids) {
	let ticks = 0;
	for (const pid of pids.flatMap(processTree)) {
		try {
			const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
			// The name, which comes second, may have spaces.
			const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
			// Its own, and that of children that have ended.
			for (const field of fields.slice(11, 15)) ticks += Number(field);
		} catch {
			// It has just ended.
		}
	}
	return ticks / 100;
}

/** @param {string} name @param {string} model a ggml file @returns {{ folder: string, flags: string[] }} */
function settled(name, model) {
	mkdirSync(workplace, { recursive: true });
	const folder = mkdtempSync(join(workplace, `${name}-`));
	const config = join(folder, 'models.yaml');
	writeFileSync(config, JSON.stringify({ models: { speech: { type: 'whisper_cpp', files: { model } } } }));
	return { folder, flags: ['--config', config, '--model-dir', modelDir, '--preload', 'speech'] };
}

/** @param {number} threads of which each transcribes a batch of its own */
const wide = (threads) => ['--num-threads', `${threads}`, '--parallel', `${threads}`];

/** @param {string} base until its model is loaded */
async function loaded(base) {
	for (let tries = 0; tries < 1200; tries++) {
		const text = await (await fetch(`${base}/metrics`)).text();
		if (/^earshot_loads_total\{[^}]*result="ok"[^}]*\} [1-9]/m.test(text)) return;
		await pause(100);
	}
	throw new Error(`${base} does not load its model`);
}

/**
 * @param {string} folder of their own, removed with them
 * @param {{ pid: number, stop: () => Promise<void> }[]} programs the last one ends first
 * @param {string} base @param {() => Promise<void>} ready
 * @returns {Promise<Group>}
 */
async function grouped(folder, programs, base, ready) {
	const stop = async () => {
		for (const each of programs.toReversed()) await each.stop();
		rmSync(folder, { recursive: true, force: true });
	};
	try {
		await ready();
	} catch (error) {
		await stop();
		throw error;
	}
	return { base, cpuSeconds: () => cpuSecondsOf(programs.map(({ pid }) => pid)), stop };
}

/** One process that does all. @param {string} model @param {number} threads @returns {Promise<Group>} */
export async function oneProcess(model, threads) {
	const { folder, flags } = settled('one', model);
	const port = await freePort();
	const base = `http://127.0.0.1:${port}`;
	const own = { ...env, XDG_STATE_HOME: folder, HOME: folder };
	const server = start(execPath, [main, 'serve', '--port', `${port}`, ...flags, ...wide(threads)], own);
	return await grouped(folder, [server], base, async () => {
		await answers(`${base}/health`);
		await loaded(base);
	});
}

/** @param {string} model @param {number} count of workers @param {number} threads of each @returns {Promise<Group>} */
export async function workers(model, count, threads) {
	const { folder, flags } = settled('workers', model);
	mkdirSync(join(folder, 'blobs'));
	const [redisPort, port, ...ports] = await freePorts(2 + count);
	const queue = `redis://127.0.0.1:${redisPort}`;
	const own = { ...env, EARSHOT_QUEUE: queue, EARSHOT_BLOBS: join(folder, 'blobs'), HOME: folder };
	const where = ['--port', `${redisPort}`, '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
	const redis = start(redisProgram(), [...where, '--appendonly', 'yes']);
	await pause(500);
	const base = `http://127.0.0.1:${port}`;
	const gateway = start(execPath, [main, 'serve', '--no-worker', '--port', `${port}`, ...flags], own);
	const shared = ['--weights-dir', join(folder, 'weights')];
	const each = ports.map((at) =>
		start(execPath, [main, 'worker', '--port', `${at}`, ...flags, ...shared, ...wide(threads)], own),
	);
	return await grouped(folder, [redis, gateway, ...each], base, async () => {
		await answers(`${base}/health`);
		for (const at of ports) await answers(`http://127.0.0.1:${at}/health`);
		for (const at of ports) await loaded(`http://127.0.0.1:${at}`);
		// Each tells the others what it has within two seconds.
		await pause(3000);
	});
}

/** @param {number} count @returns {Promise<number[]>} */
async function freePorts(count) {
	/** @type {Set<number>} */
	const ports = new Set();
	while (ports.size < count) ports.add(await freePort());
	return [...ports];
}
