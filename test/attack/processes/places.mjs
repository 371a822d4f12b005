// Commands where nothing can be written, nothing is set, or nobody is known: one sentence, and never a stack trace.
import { execFile, spawn } from 'node:child_process';
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

/** Whether a command ends, and without a stack trace. */
function endsQuietly(command, env) {
	return new Promise((resolve) => {
		execFile(
			process.execPath,
			[main, ...command],
			{ env, encoding: 'utf8', timeout: 60_000 },
			(error, stdout, stderr) => {
				const hasEnded = (error?.signal ?? null) === null && typeof (error?.code ?? 0) === 'number';
				resolve({ held: hasEnded && !isStack(stdout + stderr), said: error?.signal ?? stderr.slice(0, 200) });
			},
		);
	});
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
		// At once, since most of each is the start of Node.
		const [server, ...ends] = await Promise.all([
			serves(env),
			...commands.map((command) => endsQuietly(command, env)),
		]);
		check(`earshot serve with ${place} listens or says why not`, server.held, server.said.slice(-300));
		for (const [index, { held, said }] of ends.entries())
			check(`earshot ${commands[index].join(' ')} with ${place} shows no stack trace`, held, said);
	}
	rmSync(usual, { recursive: true, force: true });
}
