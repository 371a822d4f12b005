// Commands where nothing can be written, nothing is set, or nobody is known: one sentence, and never a stack trace.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { root } from '../lib/server.mjs';

const main = path.join(root, 'dist', 'cli', 'main.js');
const commands = [
	['--help'],
	['list'],
	['search'],
	['doctor'],
	['ps', '--port', '9'],
	['transcribe', '/nowhere.wav'],
	['show', 'nothing'],
	['rm', 'nothing'],
];
const isStack = (text) => /^\s+at .*[(:]\d+:\d+\)?$/m.test(text);

/** Where nobody can write, not even root. */
const locked = '/proc';

/** Whether `serve` listens there, or says why not in a sentence. */
async function serves(env) {
	const child = spawn(process.execPath, [main, 'serve', '--port', '0'], {
		env,
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let said = '';
	const ended = new Promise((resolve) => child.once('close', resolve));
	const listens = new Promise((resolve) => {
		child.stderr.setEncoding('utf8').on('data', (text) => {
			said += text;
			if (said.includes('listens on')) resolve(true);
		});
	});
	const isUp = await Promise.race([listens, ended.then(() => false)]);
	child.kill();
	await ended;
	return { held: !isStack(said) && (isUp || said.trim() !== ''), said };
}

export async function attack({ check }) {
	const usual = mkdtempSync(path.join(tmpdir(), 'earshot-attack-'));
	const places = [
		['a home that cannot be written', { HOME: locked }],
		['a home that is not there', { HOME: `${locked}/nobody` }],
		['no home', {}],
		['a folder for temporary files that is not there', { HOME: usual, TMPDIR: `${locked}/nobody` }],
	];
	for (const [place, given] of places) {
		const env = { PATH: process.env.PATH, ...given };
		const { held, said } = await serves(env);
		check(`earshot serve with ${place} listens or says why not`, held, said.slice(-300));
		for (const command of commands) {
			const options = { env, encoding: 'utf8', timeout: 30_000 };
			const { stdout, stderr, signal, error } = spawnSync(process.execPath, [main, ...command], options);
			const quiet = signal === null && error === undefined && !isStack(stdout + stderr);
			check(
				`earshot ${command.join(' ')} with ${place} shows no stack trace`,
				quiet,
				signal ?? stderr.slice(0, 200),
			);
		}
	}
	rmSync(usual, { recursive: true, force: true });
}
