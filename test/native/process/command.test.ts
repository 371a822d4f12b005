import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { audioPath, generated, loudnessDetector, root } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

interface Outcome {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

function start(args: readonly string[]): ChildProcess {
	return spawn(process.execPath, [path.join(root, 'dist', 'cli', 'main.js'), ...args], {
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
async function listening(...args: string[]): Promise<{ child: ChildProcess; url: string }> {
	const child = start(['serve', '--addr', '127.0.0.1:0', '--log-level', 'error', ...args]);
	const url = await new Promise<string>((resolve) => {
		let said = '';
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			said += text;
			const found = /listens on (http:\S+)\/v1/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
	});
	return { child, url };
}

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

	it('uses the model that is asked for', async () => {
		expect((await transcribe('--model', 'paraformer', audioPath('tones-abc'))).stdout).toBe('你好 world\n');
	});

	it('reports a recording that fails, goes on with the others, and exits with 1', async () => {
		const broken = scratch.file('broken.wav', 'no audio');
		const { code, stdout, stderr } = await transcribe(broken, audioPath('tones-abc'));
		expect([code, stdout]).toEqual([1, 'a b c\n']);
		expect(stderr).toMatch(/^earshot: .*broken\.wav: /);
	});

	it.each([
		['no file', [], 2, 'missing required argument'],
		['an unknown format', ['--format', 'docx', 'a.wav'], 2, 'Allowed choices are'],
		['an unknown flag', ['--colour', 'a.wav'], 2, "unknown option '--colour'"],
		['an unknown model', ['--model', 'nobody', 'a.wav'], 1, 'The model `nobody` is not on this machine'],
		['a bad number', ['--num-threads', 'many', 'a.wav'], 1, 'Expected `--num-threads` to be a whole number'],
		[
			'a bad temperature',
			['--temperature', 'hot', audioPath('tones-a')],
			1,
			'Expected `--temperature` to be a number from 0 to 1',
		],
		['two outputs in one place', ['-o', scratch.path, 'a/x.wav', 'b/x.mp3'], 1, 'would be written to'],
	])('refuses %s', async (_, args, code, message) => {
		const outcome = await transcribe(...args);
		expect(outcome.stderr).toContain(message);
		expect([outcome.code, outcome.stdout]).toEqual([code, '']);
	});

	it.each(['SIGINT', 'SIGTERM'] as const)('ends on %s before the next recording', async (signal) => {
		const recordings = Array.from({ length: 500 }, () => audioPath('tones-abc'));
		const child = start(['transcribe', '--config', config, ...recordings]);
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

describe('earshot serve', () => {
	it('says where it listens, serves, and ends quietly on SIGTERM with its hosts', async () => {
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
			stderr: expect.stringContaining('Incorrect API key provided'),
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
		])
			expect(stdout).toContain(`  ${command}`);
	});

	it('suggests the command that was meant', async () => {
		expect(await earshot('serv')).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('Did you mean serve?'),
		});
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

	it('doctor is content on a machine that lacks nothing', async () => {
		expect(await earshot('doctor')).toMatchObject({ code: 0 });
	});
});

function hostsOf(pid: number): string[] {
	return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}
