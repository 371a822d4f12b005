import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { audioPath, generated, loudnessDetector, root } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';
import { commandIn, patient } from '../../helpers/processes.js';
import { wav } from '../wav.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

interface Outcome {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

function start(args: readonly string[]): ChildProcess {
	return spawn(process.execPath, [commandIn(scratch.path), ...args], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { PATH: process.env.PATH, HOME: scratch.path },
	});
}

function earshot(...args: string[]): Promise<Outcome> {
	const child = start(args);
	let stdout = '';
	let stderr = '';
	child.stdout?.setEncoding('utf8').on('data', (text: string) => {
		stdout += text;
	});
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		stderr += text;
	});
	return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

/** A server on any free port, once it listens. */
async function listening(
	...args: string[]
): Promise<{ child: ChildProcess; url: string; said: () => string }> {
	const child = start(['serve', '--addr', '127.0.0.1:0', '--log-level', 'error', ...args]);
	let said = '';
	const url = await new Promise<string>((resolve) => {
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			said += text;
			const found = /listens on (http:\S+)\/v1/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
	});
	return { child, url, said: () => said };
}

it
	.skipIf(process.platform !== 'linux')
	.each([['list'], ['search', '--json'], ['--help'], ['completion', 'bash']])(
	'%s fails where what it prints cannot be written',
	(...args) => {
		const full = openSync('/dev/full', 'w');
		const { status, stderr } = spawnSync(process.execPath, [commandIn(scratch.path), ...args], {
			stdio: ['ignore', full, 'pipe'],
			encoding: 'utf8',
			env: { PATH: process.env.PATH, HOME: scratch.path },
		});
		closeSync(full);
		expect(stderr).toContain('earshot: standard output: ENOSPC');
		expect(status).toBe(1);
	},
	30_000,
);

const transcribe = (...args: string[]) => earshot('transcribe', '--config', config, ...args);

describe('earshot transcribe', () => {
	it('writes the text to standard output, and no progress where there is no terminal', async () => {
		expect(await transcribe(audioPath('tones-abc'))).toEqual({ code: 0, stdout: 'a b c\n', stderr: '' });
	});

	it('writes one file per recording to a folder, in any format', async () => {
		const out = path.join(scratch.path, 'subtitles');
		const { code } = await transcribe(
			'--format',
			'srt',
			'--output-dir',
			out,
			audioPath('tones-abc'),
			audioPath('tones-edcba'),
		);
		expect(code).toBe(0);
		expect(readdirSync(out).sort()).toEqual(['tones-abc.srt', 'tones-edcba.srt']);
		expect(readFileSync(path.join(out, 'tones-abc.srt'), 'utf8')).toMatch(
			/^1\n00:00:00,\d{3} --> 00:00:01,\d{3}\na b c\n/,
		);
	});

	it('cuts subtitles as the flags say, by the times of the words', async () => {
		const { code, stdout } = await transcribe(
			...[
				'--format',
				'vtt',
				'--subtitles',
				'broadcast',
				'--max-words-per-line',
				'1',
				'--max-line-count',
				'1',
			],
			audioPath('tones-abc'),
		);
		expect(code).toBe(0);
		expect(stdout.match(/^[abc]$/gm)).toEqual(['a', 'b', 'c']);
		const times = (stdout.match(/^\S+ --> \S+$/gm) ?? []).map((line) => line.split(' --> '));
		expect(times).toHaveLength(3);
		expect(times.flat()).toEqual(times.flat().toSorted());
	});

	it.each([
		['tsv', /^start\tend\ttext\n\d+\t\d+\ta b c\n$/],
		['lrc', /^\[00:00\.\d\d\]a b c\n$/],
	])('writes %s', async (format, content) => {
		expect((await transcribe('--format', format, audioPath('tones-abc'))).stdout).toMatch(content);
	});

	it('uses the requested model', async () => {
		expect((await transcribe('--model', 'paraformer', audioPath('tones-abc'))).stdout).toBe('你好 world\n');
	});

	it('reports a recording that fails, goes on with the others, and exits with 1', async () => {
		const broken = scratch.file('broken.wav', 'no audio');
		const { code, stdout, stderr } = await transcribe(broken, audioPath('tones-abc'));
		expect([code, stdout]).toEqual([1, `==> ${audioPath('tones-abc')} <==\na b c\n\n`]);
		expect(stderr).toMatch(/^earshot: .*broken\.wav: /);
	});

	it('transcribes each channel by itself', async () => {
		const [abc, edcba] = ['tones-abc', 'tones-edcba'].map((name) =>
			readFileSync(audioPath(name)).subarray(44),
		);
		if (!abc || !edcba) throw new Error('no fixtures');
		const frames = Math.max(abc.length, edcba.length) / 2;
		const data = Buffer.alloc(frames * 4);
		for (let at = 0; at < frames; at++) {
			if (2 * at < abc.length) abc.copy(data, 4 * at, 2 * at, 2 * at + 2);
			if (2 * at < edcba.length) edcba.copy(data, 4 * at + 2, 2 * at, 2 * at + 2);
		}
		const head = wav({ channels: 2, seconds: frames / 16_000 }).subarray(0, 44);
		const both = scratch.file('both.wav', Buffer.concat([head, data]));
		const split = await transcribe('--channels', 'split', both);
		expect(split).toMatchObject({ code: 0, stdout: 'Channel 0: a b c\nChannel 1: e d c b a\n' });
		const nine = scratch.file('nine.wav', wav({ channels: 9 }));
		const refused = await transcribe('--channels', 'split', nine);
		expect(refused.code).toBe(1);
		expect(refused.stderr).toContain('at most 8 channels for `channels` `split`, got 9');
	});

	it('warns of a truncated recording, and transcribes what there is of it', async () => {
		const bytes = readFileSync(audioPath('tones-abc'));
		const cut = scratch.file('cut.wav', bytes.subarray(0, 44 + (bytes.length * 2) / 3));
		const { code, stdout, stderr } = await transcribe(cut);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^a b/);
		expect(stderr).toMatch(/^earshot: .*cut\.wav: The file is cut off/);
	});

	it.each([
		['no file', [], 2, 'missing required argument'],
		['an unknown format', ['--format', 'docx', 'a.wav'], 2, 'Allowed choices are'],
		['unknown channels', ['--channels', 'left', 'a.wav'], 2, 'Allowed choices are mix, split'],
		['an unknown flag', ['--colour', 'a.wav'], 2, "unknown option '--colour'"],
		['an unknown model', ['--model', 'nobody', 'a.wav'], 1, 'The model `nobody` is not on this machine'],
		['a bad number', ['--num-threads', 'many', 'a.wav'], 1, 'Expected `--num-threads` to be a whole number'],
		[
			'a bad temperature',
			['--temperature', 'hot', audioPath('tones-a')],
			1,
			'Expected `--temperature` to be a number from 0 to 1',
		],
		['two outputs in one place', ['-o', scratch.path, 'a/x.wav', 'b/x.wav'], 1, 'would be written to'],
		[
			'a folder that no folder can be',
			['-o', '/proc/x', audioPath('tones-a')],
			1,
			'no folder can be created at /proc/x',
		],
		[
			'a folder of recordings',
			[generated],
			1,
			'To transcribe the recordings in it: earshot transcribe --recursive',
		],
		['words without times', ['--words', 'a.wav'], 1, '`--words` needs `--format verbose_json`'],
		[
			'no language',
			['-l', 'Klingon', audioPath('tones-a')],
			1,
			'Expected `--language` to be an ISO 639-1 code',
		],
		['a terminal for a recording', ['/dev/tty'], 1, '/dev/tty is a device'],
		['an unknown preset', ['--subtitles', 'cinema', 'a.wav'], 2, 'Allowed choices are broadcast'],
		[
			'a bad width of lines',
			['-f', 'srt', '--max-line-width', 'wide', 'a.wav'],
			1,
			'Expected `--max-line-width` to be a whole number from 1 to 1000, got `wide`',
		],
		[
			'highlighted words in a text',
			['--highlight-words', 'a.wav'],
			1,
			'`--highlight-words` needs `--format` to be `srt` or `vtt`, got `text`',
		],
	])('refuses %s', async (_, args, code, message) => {
		const outcome = await transcribe(...args);
		expect(outcome.stderr).toContain(message);
		expect([outcome.code, outcome.stdout]).toEqual([code, '']);
	});

	it.each(['SIGINT', 'SIGTERM'] as const)('ends on %s before the next recording', async (signal) => {
		const recordings = Array.from({ length: 500 }, () => audioPath('tones-abc'));
		const child = start(['transcribe', '--config', config, '--no-names', ...recordings]);
		let stdout = '';
		child.stdout?.setEncoding('utf8').on('data', (text: string) => {
			if (stdout === '') child.kill(signal);
			stdout += text;
		});
		const ended = await new Promise((resolve) => child.on('close', (...outcome) => resolve(outcome)));
		expect(ended).toEqual([130, null]);
		expect(stdout).toMatch(/^(a b c\n)+$/);
		expect(stdout.split('\n').length).toBeLessThan(recordings.length);
	});
});

describe('recordings for earshot transcribe', () => {
	const piped = (file: string, ...args: string[]) =>
		spawnSync(process.execPath, [commandIn(scratch.path), 'transcribe', '--config', config, ...args], {
			input: readFileSync(file),
			encoding: 'utf8',
			env: { PATH: process.env.PATH, HOME: scratch.path },
		});

	it.each(['-', '/dev/stdin'])('takes a recording on standard input as %s', (name) => {
		const { status, stdout, stderr } = piped(audioPath('tones-abc'), name);
		expect([status, stdout, stderr]).toEqual([0, 'a b c\n', '']);
	});

	it('removes what a killed one has left of standard input', async () => {
		const tmp = path.join(scratch.path, 'tmp');
		mkdirSync(tmp);
		const child = spawn(process.execPath, [commandIn(scratch.path), 'transcribe', '--config', config, '-'], {
			stdio: ['pipe', 'ignore', 'ignore'],
			env: { PATH: process.env.PATH, HOME: scratch.path, TMPDIR: tmp },
		});
		child.stdin?.write('RIFF');
		await vi.waitUntil(() => readdirSync(tmp).length === 1, patient);
		child.kill('SIGKILL');
		await once(child, 'close');
		expect(readdirSync(tmp)).toHaveLength(1);
		const next = spawnSync(
			process.execPath,
			[commandIn(scratch.path), 'transcribe', '--config', config, '-'],
			{
				input: readFileSync(audioPath('tones-abc')),
				encoding: 'utf8',
				env: { PATH: process.env.PATH, HOME: scratch.path, TMPDIR: tmp },
			},
		);
		expect([next.stdout, readdirSync(tmp)]).toEqual(['a b c\n', []]);
	});

	it('takes what another program writes', () => {
		const command = `"${process.execPath}" "${commandIn(scratch.path)}" transcribe --config "${config}"`;
		const { stdout } = spawnSync('bash', ['-c', `${command} <(cat "${audioPath('tones-abc')}")`], {
			encoding: 'utf8',
		});
		expect(stdout).toBe('a b c\n');
	});

	it('names several recordings, in JSON too, and takes a language by its name', async () => {
		const files = [audioPath('tones-a'), audioPath('tones-abc')];
		const { stdout } = await transcribe('--language', 'English', '--format', 'json', ...files);
		const lines = stdout
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line) as { file: string; text: string });
		expect(lines.map(({ file, text }) => [file, text])).toEqual([
			[files[0], 'a'],
			[files[1], 'a b c'],
		]);
	});

	it('overwrites transcripts only with --force', async () => {
		const out = path.join(scratch.path, 'once');
		const args = ['-o', out, audioPath('tones-abc')];
		expect(await transcribe(...args)).toMatchObject({ code: 0 });
		expect(await transcribe(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining('--force') });
		expect(await transcribe('--force', ...args)).toMatchObject({ code: 0 });
	});
});

describe('earshot serve', () => {
	it('serves the other models if an entry has a mistake, and reports it', async () => {
		const bad = scratch.file(
			'bad.yaml',
			`${modelsYaml('nobody').replace('models:', 'models:\n  nobody: {type: wisper}')}`,
		);
		const { child, url, said } = await listening('--config', bad);
		const health = async (where: string) => {
			const response = await fetch(`${url}${where}`);
			return [response.status, await response.json()];
		};
		const degraded = {
			status: 'degraded',
			reason: expect.stringContaining('`nobody` has a mistake in models.yaml'),
		};
		expect([await health('/health'), await health('/ready')]).toEqual([
			[200, degraded],
			[503, degraded],
		]);
		const ask = async (model: string) => {
			const form = new FormData();
			form.append('file', new Blob([readFileSync(audioPath('tones-abc'))]), 'a.wav');
			form.append('model', model);
			const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form });
			return JSON.stringify(await response.json());
		};
		expect(await ask('PARAFORMER')).toContain('你好 world');
		for (const name of ['nobody', 'whisper-1', 'gpt-4o-transcribe-2025-03-20'])
			expect(await ask(name)).toMatch(/`nobody` cannot be served: line \d+ of bad\.yaml: Expected/);
		expect(said()).toContain('Expected `models.nobody.type`');
		child.kill('SIGTERM');
		await new Promise((resolve) => child.on('close', resolve));
	}, 60_000);

	it('says where it listens, serves, and ends quietly on SIGTERM with its runners', async () => {
		const { child, url } = await listening('--config', config);
		const form = new FormData();
		form.append('file', new Blob([readFileSync(audioPath('tones-abc'))]), 'a.wav');
		const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form });
		expect(await response.json()).toMatchObject({ text: 'a b c' });
		const hosts = hostsOf(child.pid ?? 0);
		expect(hosts.length).toBe(1);
		const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve([code, signal])));
		child.kill('SIGTERM');
		expect(await ended).toEqual([0, null]);
		for (const host of hosts) expect(existsSync(`/proc/${host}`)).toBe(false);
	});

	it('does not start where it is to load what it does not serve', async () => {
		const { code, stderr } = await earshot('serve', '--config', config, '--preload', 'paraformer,nobody');
		expect(code).toBe(1);
		expect(stderr).toMatch(
			/^earshot: Expected `preload` to name models among .*paraformer.*, got `nobody`\n$/,
		);
	});

	it('takes a flag whose setting has another name', async () => {
		const { code, stderr } = await earshot('serve', '--config', config, '--keep-alive', 'soon');
		expect([code, stderr]).toEqual([1, expect.stringContaining('Expected `--keep-alive` to be seconds')]);
	});

	it('refuses a port that is taken, with one line', async () => {
		const { child: first, url } = await listening('--config', config);
		const { port } = new URL(url);
		const { code, stderr } = await earshot('serve', '--port', port, '--config', config);
		first.kill('SIGTERM');
		await new Promise((resolve) => first.on('close', resolve));
		expect([code, stderr.trim().split('\n').length]).toEqual([1, 1]);
		expect(stderr).toContain(`127.0.0.1:${port}`);
	});
});

describe('earshot ps, load and unload', () => {
	it('show and change what the running server has in memory, with its key', async () => {
		const settings = ['--config', config, '--api-keys', 'secret'];
		const { child, url } = await listening(...settings, '--preload', 'none');
		const there = [...settings, '--addr', new URL(url).host];
		const head = /^MODEL +STATE +PID +MEMORY +REQUESTS +IDLE +UNLOADS IN\n/;
		expect(await earshot('ps', ...there)).toMatchObject({ code: 0, stdout: expect.stringMatching(head) });
		expect(hostsOf(child.pid ?? 0)).toEqual([]);

		const loaded = await earshot('load', 'paraformer', ...there);
		expect(loaded).toEqual({
			code: 0,
			stderr: '',
			stdout: expect.stringMatching(/^paraformer loaded, [\d.]+ MB\n$/),
		});
		const [host] = hostsOf(child.pid ?? 0);
		const { stdout } = await earshot('ps', ...there);
		expect(stdout).toMatch(new RegExp(`\nparaformer +loaded +${host} +[\\d.]+ MB +0 +\\d+ s +5 min\n$`));

		expect((await earshot('unload', 'paraformer', ...there)).stdout).toBe('paraformer unloaded\n');
		expect(existsSync(`/proc/${host}`)).toBe(false);
		expect((await earshot('ps', ...there)).stdout).not.toContain('paraformer');

		// The server's own user needs no key; others are asked for one.
		expect(await earshot('ps', '--config', config, '--addr', new URL(url).host)).toMatchObject({ code: 0 });
		const wrong = ['--config', config, '--api-keys', 'guess', '--addr', new URL(url).host];
		expect(await earshot('ps', ...wrong)).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('does not accept this API key'),
		});
		expect(await earshot('load', 'nobody', ...there)).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('`nobody` is not on this machine'),
		});
		child.kill('SIGTERM');
		await new Promise((resolve) => child.on('close', resolve));
	}, 60_000);

	it('say so where no server answers', async () => {
		expect(await earshot('ps', '--config', config, '--addr', '127.0.0.1:1')).toMatchObject({
			code: 1,
			stderr:
				'earshot: No server answers at http://127.0.0.1:1. To start one: earshot serve; if it runs elsewhere: --addr HOST:PORT\n',
		});
	});

	it.each(['<html>', '"hello"', ''])('say so where another server answers: %j', async (body) => {
		const other = createServer((_, answer) => answer.end(body));
		other.listen(0, '127.0.0.1');
		await once(other, 'listening');
		const { port } = other.address() as AddressInfo;
		expect(await earshot('ps', '--config', config, '--addr', String(port))).toMatchObject({
			code: 1,
			stderr: `earshot: The server at http://127.0.0.1:${port} is not an Earshot server; if Earshot runs elsewhere: --addr HOST:PORT\n`,
		});
		other.close();
	});
});

describe('earshot', () => {
	it('prints its version', async () => {
		const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
			version: string;
		};
		expect(await earshot('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
	});

	it('lists its commands', async () => {
		const { code, stdout } = await earshot('--help');
		expect(code).toBe(0);
		for (const command of [
			'serve',
			'transcribe',
			'search',
			'list',
			'show',
			'pull',
			'add',
			'verify',
			'rm',
			'ps',
			'load',
			'unload',
			'doctor',
			'completion',
		])
			expect(stdout).toContain(`  ${command}`);
	});

	it('suggests the command that was meant', async () => {
		expect(await earshot('serv')).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('Did you mean serve?'),
		});
	});

	it('names in a checkout the command that exists there', async () => {
		const outside = spawnSync(
			process.execPath,
			[path.join(root, 'dist', 'cli', 'main.js'), 'show', 'tinny.en'],
			{
				cwd: scratch.path,
				encoding: 'utf8',
				env: { HOME: scratch.path },
			},
		);
		expect(outside.stderr).toContain(
			`Then: npm --prefix ${root.slice(0, -1)} run earshot -- show whisper-tiny.en`,
		);
	});

	it('takes paths as they are where the user is when npm runs it', async () => {
		scratch.file('here.yaml', 'models: {bad: {type: wisper}}\n');
		const { stderr } = spawnSync(process.execPath, ['dist/cli/main.js', 'list', '--config', 'here.yaml'], {
			cwd: root,
			encoding: 'utf8',
			env: { HOME: scratch.path, INIT_CWD: scratch.path, npm_package_json: path.join(root, 'package.json') },
		});
		expect(stderr).toContain(
			`mistake: ${path.join(scratch.path, 'here.yaml')}:1: Expected \`models.bad.type\``,
		);
	});

	it('fails with a clear message if the working directory has been removed', () => {
		const gone = path.join(scratch.path, 'gone');
		const inFolder = (folder: string, env: NodeJS.ProcessEnv) =>
			spawnSync('bash', ['-c', `mkdir "${gone}"; cd "${folder}"; rmdir "${gone}"; "$NODE" "$MAIN" list`], {
				encoding: 'utf8',
				env: { ...env, HOME: scratch.path, NODE: process.execPath, MAIN: commandIn(scratch.path) },
			}).stderr;
		const message = (which: string) =>
			`earshot: The folder in which this was started${which} no longer exists\n`;
		expect(inFolder(gone, {})).toBe(message(''));
		expect(inFolder('/', { INIT_CWD: gone, npm_package_json: path.join(root, 'package.json') })).toBe(
			message(`, ${gone},`),
		);
	});

	it.each([
		[
			['list'],
			{
				default_model: 'zipformer_ctc',
				models: expect.arrayContaining([expect.objectContaining({ id: 'paraformer', state: 'ready' })]),
			},
		],
		[
			['search', 'tiny.en'],
			expect.arrayContaining([
				expect.objectContaining({ id: 'whisper-tiny.en', download_bytes: 77_704_715 }),
			]),
		],
		[['show', 'tiny.en'], expect.objectContaining({ id: 'whisper-tiny.en', installed: false })],
		[
			['show', 'paraformer'],
			expect.objectContaining({ id: 'paraformer', type: 'paraformer', installed: true }),
		],
		[
			['doctor'],
			{ ok: false, findings: expect.arrayContaining([expect.objectContaining({ ok: true, what: 'CPU' })]) },
		],
		[['verify'], []],
	])('%j prints JSON on request', async (args, expected) => {
		const { stdout } = await earshot(...args, '--json', '--config', config);
		expect(JSON.parse(stdout)).toEqual(
			typeof expected === 'object' && 'models' in expected ? expect.objectContaining(expected) : expected,
		);
	});

	it('ends quietly when its reader has read enough', async () => {
		const command = `"${process.execPath}" "${commandIn(scratch.path)}"`;
		const { stdout, stderr } = spawnSync(
			'bash',
			['-c', `${command} search --json | head -1; echo "\${PIPESTATUS[0]}"`],
			{ encoding: 'utf8' },
		);
		expect([stdout, stderr]).toEqual(['[\n0\n', '']);
	});

	it('prints completions of everything it can do', async () => {
		const { code, stdout } = await earshot('completion', 'bash');
		expect(code).toBe(0);
		for (const word of ['serve', 'completion', '--keep-alive', 'onnx-int8', 'markdown'])
			expect(stdout).toContain(word);
		expect(await earshot('completion', 'cmd')).toMatchObject({ code: 2 });
	});

	it('doctor names every part and what is missing', async () => {
		const { code, stdout } = await earshot('doctor', '--config', config);
		expect(code).toBe(1);
		for (const part of ['whisper.cpp', 'sherpa-onnx', 'FFmpeg', 'CPU', 'voice activity'])
			expect(stdout).toContain(`ok       ${part}`);
		expect(stdout).toMatch(/^ok {7}addon .*, for (x86-64-v|armv)\d/m);
		expect(stdout).toMatch(/MISSING {2}model +no_file lacks/);
	});

	it('doctor, transcribe and rm know of the encoder in 8 bits', async () => {
		const models = path.join(scratch.path, 'models');
		const whisper = scratch.file(
			'whisper.yaml',
			`vad_model: ${loudnessDetector}
encoder: onnx-int8
models:
  tones: {type: whisper_cpp, files: {model: ${path.join(generated, 'whisper', 'tones.bin')}}}
`,
		);
		const settings = ['--config', whisper, '--model-dir', models];
		const weights = () => readdirSync(path.join(models, '.earshot', 'int8'));
		expect((await earshot('doctor', ...settings)).stdout).toMatch(/tones \(default\), .* \(onnx-int8\)\n/);
		expect(await earshot('transcribe', ...settings, audioPath('tones-abc'))).toMatchObject({
			code: 0,
			stdout: 'alpha bravo charlie\n',
		});
		expect(weights()).toEqual([expect.stringMatching(/\.safetensors$/)]);
		expect(await earshot('rm', ...settings, 'tones')).toMatchObject({ code: 0 });
		expect(weights()).toEqual([]);
	});

	it('doctor checks the queue and the store of several machines, and prints no password', async () => {
		const blobs = path.join(scratch.path, 'blobs');
		mkdirSync(blobs);
		const { code, stdout } = await earshot(
			'doctor',
			...['--config', config, '--queue', 'redis://:very-secret@127.0.0.1:9', '--blobs', blobs],
		);
		expect(code).toBe(1);
		expect(stdout).toMatch(/^MISSING {2}queue +redis:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/m);
		expect(stdout).toMatch(/^ok {7}blobs +file:.* can be written and read$/m);
		expect(stdout).not.toContain('very-secret');
	});

	it('doctor is content on a machine that lacks nothing', async () => {
		expect(await earshot('doctor')).toMatchObject({ code: 0 });
	});
});

function hostsOf(pid: number): string[] {
	return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}
