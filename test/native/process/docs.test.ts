/** What the docs show of the command, the library and the bundled model, run as it stands there. */

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readPages, root, shellCommands } from '../../helpers/checks/docs.js';
import { generated } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const blocks = readPages().flatMap((page) => page.blocks);
const demo = path.join(root, 'fixtures', 'demo-digits', 'digits-count.wav');
const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
/** A machine on which nothing was fetched. */
const options = { cwd: root, env: { PATH: process.env.PATH, HOME: scratch.path } };

describe('the library as the docs show it', () => {
	const snippets = blocks.filter(
		({ language, text }) => language === 'js' && text.includes("from 'earshot'"),
	);

	/** A program's folder: the package, a recording beside it, and a microphone. */
	function arrangeFolder(): Scratch {
		const folder = new Scratch();
		onTestFinished(() => folder[Symbol.dispose]());
		mkdirSync(path.join(folder.path, 'node_modules'));
		symlinkSync(root, path.join(folder.path, 'node_modules', 'earshot'), 'dir');
		copyFileSync(demo, path.join(folder.path, 'talk.mp3'));
		writeFileSync(path.join(folder.path, 'arecord'), `#!/bin/sh\nexec tail -c +45 '${demo}'\n`, {
			mode: 0o755,
		});
		return folder;
	}

	it.each(snippets.map(({ page, text }) => [page, text]))('transcribes: %s', async (_, text) => {
		const folder = arrangeFolder();
		const script = folder.file('program.mjs', text.replaceAll('whisper-tiny.en', 'demo-digits'));
		const { stdout } = await run(process.execPath, [script], {
			cwd: folder.path,
			env: { PATH: `${folder.path}:${process.env.PATH}`, HOME: scratch.path },
		});
		expect(stdout).toMatch(/one two three/);
	});
});

describe('the first answer of a checkout without a network', () => {
	const [command = []] = blocks
		.flatMap(({ text }) => shellCommands(text))
		.filter((words) => words.includes('model=demo-digits'));

	it.runIf(has('curl'))('is what curl prints', async () => {
		const server = spawn(process.execPath, ['dist/cli/main.js', 'serve', '--port', '0'], {
			...options,
			stdio: ['ignore', 'ignore', 'pipe'],
		});
		onTestFinished(() => void server.kill());
		const url = await new Promise<string>((resolve) => {
			let said = '';
			server.stderr.setEncoding('utf8').on('data', (text: string) => {
				said += text;
				const found = /listens on (http:\S+)\/v1/.exec(said)?.[1];
				if (found !== undefined) resolve(found);
			});
		});
		const [program = '', ...args] = command.map((word) => word.replace('http://127.0.0.1:8080', url));
		const { stdout } = await run(program, ['-sS', ...args], options);
		expect(JSON.parse(stdout)).toMatchObject({ text: expect.stringMatching(/\w+ \w+/) });
	});
});

const shellLines = blocks
	.filter(({ language }) => language === 'sh')
	.flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, ' ').split('\n'))
	.map((line) => line.replace(/\s+#.*$/, '').trim());

const lines = [...new Set(shellLines.filter((line) => line.startsWith('earshot ')))];

/** What needs more than this machine has; test/unit/docs.test.ts checks its names and flags. */
const elsewhere: readonly (readonly [why: string, pattern: RegExp])[] = [
	['a network, or what was fetched from it', /^earshot (pull|rm|add (Systran|.*moonshine|.*faster-whisper))/],
	['a microphone', /^earshot listen/],
	['models that find speakers', /^earshot (voices add|voices rm|.*--speakers)/],
	['a queue', /^earshot (worker|serve --no-worker)/],
	['a server that is started below', /^earshot (serve --|.*--addr unix:)/],
	['the id of a job', /^earshot jobs wait/],
];
const isHere = (line: string): boolean => !elsewhere.some(([, pattern]) => pattern.test(line));

it('what is not run is in the docs', () => {
	const unused = elsewhere.filter(([, pattern]) => !lines.some((line) => pattern.test(line)));
	expect(unused).toEqual([]);
});

describe.runIf(process.platform !== 'win32')('commands of the docs', () => {
	const home = new Scratch();
	let server: ChildProcess;
	let port = '0';
	const environment = () => ({ HOME: home.path, PATH: `${home.path}/bin:${process.env.PATH}` });
	const shell = (line: string) =>
		run('sh', ['-c', line], {
			cwd: home.path,
			env: { ...environment(), EARSHOT_PORT: port },
		});

	beforeAll(async () => {
		for (const folder of ['bin', 'talks', 'models', '.config/earshot'])
			mkdirSync(path.join(home.path, folder), { recursive: true });
		const program = `#!/bin/sh\nexec '${process.execPath}' '${root}/dist/cli/main.js' "$@"\n`;
		writeFileSync(path.join(home.path, 'bin', 'earshot'), program, { mode: 0o755 });
		for (const name of ['talk.mp3', 'one.m4a', 'two.m4a', 'talks/three.wav'])
			copyFileSync(demo, path.join(home.path, name));
		copyFileSync(
			path.join(generated, 'whisper', 'aligned.bin'),
			path.join(home.path, 'models', 'ggml-small.bin'),
		);
		writeFileSync(
			path.join(home.path, '.config/earshot/models.yaml'),
			'aliases: {whisper-base: demo-digits, sensevoice-small: demo-digits}\n',
		);
		server = spawn(path.join(home.path, 'bin', 'earshot'), ['serve'], {
			cwd: home.path,
			env: { HOME: home.path, PATH: process.env.PATH, EARSHOT_PORT: '0' },
			stdio: ['ignore', 'ignore', 'pipe'],
		});
		port = await new Promise((resolve) => {
			let said = '';
			server.stderr?.setEncoding('utf8').on('data', (text: string) => {
				said += text;
				const found = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
				if (found !== undefined) resolve(found);
			});
		});
	});
	afterAll(() => {
		server.kill();
		home[Symbol.dispose]();
	});

	// One after the other, in the order of the docs.
	it.each(lines.filter(isHere))(
		'%s',
		async (line) => {
			const { stdout } = await shell(line);
			if (line === 'earshot transcribe talk.mp3') expect(stdout).toContain('one two three');
		},
		60_000,
	);

	/** Starts a server as the docs do, until it listens; what is of one machine alone is another here. */
	async function listens(line: string): Promise<ChildProcess> {
		const here = line
			.replace('/run/user/1000/', `${home.path}/`)
			.replace('0.0.0.0:10300', '127.0.0.1:0')
			.replaceAll('0.0.0.0', '127.0.0.1');
		const started = spawn('sh', ['-c', `exec ${here}`], {
			cwd: home.path,
			env: { ...environment(), EARSHOT_PORT: '0' },
			stdio: ['ignore', 'ignore', 'pipe'],
		});
		onTestFinished(() => void started.kill());
		let said = '';
		await new Promise<void>((resolve, reject) => {
			started.once('exit', () => reject(new Error(said)));
			started.stderr?.setEncoding('utf8').on('data', (text: string) => {
				said += text;
				if (said.includes(' listens on ')) resolve();
			});
		});
		return started;
	}

	const serves = lines.filter((line) => line.startsWith('earshot serve --') && !line.includes('--no-worker'));

	it.runIf(spawnSync('openssl', ['version']).status === 0).each(serves)(
		'%s',
		async (line) => {
			const certificate = shellLines.find((each) => each.startsWith('openssl req'));
			if (line.includes('--tls-cert')) await shell(certificate ?? '');
			await listens(line);
			const asks = lines.find((each) => each.includes('--addr unix:'));
			if (line.includes('unix:')) await shell((asks ?? '').replace('/run/user/1000/', `${home.path}/`));
		},
		60_000,
	);
});
