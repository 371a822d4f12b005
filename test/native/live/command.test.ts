/** `earshot listen`, with audio on standard input and from a program that records. */

import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { audioPath, root, samplesOf } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch, type Served, serveFixtures } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(async () => {
	await served.close();
	scratch[Symbol.dispose]();
});

function pcmOf(recording: string): Buffer {
	return Buffer.from(Int16Array.from(samplesOf(recording), (sample) => Math.round(sample * 32_767)).buffer);
}

const silence = (seconds: number) => Buffer.alloc(seconds * 32_000);
const audio = Buffer.concat([silence(1), pcmOf('tones-abc'), silence(1.5), pcmOf('tones-edcba')]);

function start(args: readonly string[], PATH = process.env.PATH) {
	const command = [path.join(root, 'dist', 'cli', 'main.js'), 'listen', ...args, '--config', config];
	const child = spawn(process.execPath, command, {
		stdio: ['pipe', 'pipe', 'pipe'],
		env: { PATH, HOME: scratch.path },
	});
	onTestFinished(() => void child.kill('SIGKILL'));
	child.stdin.on('error', () => {});
	const code = new Promise((resolve) => child.on('close', resolve));
	let said = '';
	child.stdout.setEncoding('utf8').on('data', (piece: string) => (said += piece));
	const stderr = text(child.stderr);
	const ended = async () => ({ code: await code, stdout: said, stderr: await stderr });
	return { child, said: () => said, ended };
}

describe.each([
	['in its own process', () => []],
	['through a server', () => ['--url', served.url]],
])('standard input, %s', (_, place) => {
	test('is printed turn by turn, the last one at its end', async () => {
		const { child, ended } = start(['-', ...place()]);
		child.stdin.end(audio);
		expect(await ended()).toEqual({ code: 0, stdout: 'a b c\ne d c b a\n', stderr: '' });
	}, 60_000);

	test('is printed as events with --json', async () => {
		const { child, ended } = start(['-', '--json', ...place()]);
		child.stdin.end(audio);
		const { stdout } = await ended();
		const events = stdout
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line));
		expect(events[0]).toMatchObject({ type: 'started', turn: 0, at: expect.any(Number) });
		expect(events.filter(({ type }) => type === 'completed')).toMatchObject([
			{ turn: 0, text: 'a b c' },
			{ turn: 1, text: 'e d c b a' },
		]);
	}, 60_000);

	test('that goes on is left at Ctrl-C, and what was said last is still printed', async () => {
		const { child, said, ended } = start(['-', ...place()]);
		child.stdin.write(audio);
		await expect.poll(said, { timeout: 30_000 }).toBe('a b c\n');
		child.kill('SIGINT');
		expect(await ended()).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(/^a b c\n(e d c b a\n)?$/),
			stderr: '',
		});
	}, 60_000);

	test('without speech is nothing', async () => {
		const { child, ended } = start(['-', ...place()]);
		child.stdin.end(silence(1));
		expect(await ended()).toEqual({ code: 0, stdout: '', stderr: '' });
	}, 60_000);

	test('with a model that does not exist is refused', async () => {
		const { ended } = start(['-', '--model', 'nothing', ...place()]);
		expect(await ended()).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing') });
	}, 60_000);
});

test('the events are the same in its own process and through a server', async () => {
	const eventsOf = async (...place: string[]) => {
		const { child, ended } = start(['-', '--json', ...place]);
		child.stdin.end(audio);
		const events = (await ended()).stdout.trim().split('\n');
		return [0, 1].map((turn) =>
			events.map((line) => JSON.parse(line)).filter((event) => event.turn === turn && event.type !== 'delta'),
		);
	};
	const own = await eventsOf();
	expect(own.map((turn) => turn.map(({ type }) => type))).toEqual([
		['started', 'stopped', 'completed'],
		['started', 'stopped', 'completed'],
	]);
	expect(await eventsOf('--url', served.url)).toEqual(own);
}, 60_000);

describe('the microphone', () => {
	/** A folder with a program that records. */
	function withRecorder(script: string): string {
		const folder = new Scratch();
		onTestFinished(() => folder[Symbol.dispose]());
		chmodSync(folder.file('arecord', `#!/bin/sh\n${script}\n`), 0o755);
		return `${folder.path}:/usr/bin:/bin`;
	}

	test('is recorded by another program, until Ctrl-C', async () => {
		const file = scratch.file('a.pcm', Buffer.concat([audio, silence(1)]));
		const { child, said, ended } = start([], withRecorder(`cat ${file}; exec sleep 60`));
		await expect.poll(said, { timeout: 30_000 }).toBe('a b c\ne d c b a\n');
		child.kill('SIGINT');
		expect(await ended()).toMatchObject({ code: 0, stderr: '' });
	}, 60_000);

	test('that cannot be opened is reported in the words of that program', async () => {
		const { ended } = start([], withRecorder('echo "arecord: no soundcards found" >&2; exit 1'));
		expect(await ended()).toEqual({
			code: 1,
			stdout: '',
			stderr:
				'earshot: arecord has stopped recording: arecord: no soundcards found; to choose another microphone: --device NAME\n',
		});
	}, 60_000);

	test('without such a program is refused with what to install', async () => {
		const { ended } = start([], '/nowhere');
		expect(await ended()).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('No recording program'),
		});
	}, 60_000);
});

test.each([
	[[audioPath('tones-abc')], `transcribe ${audioPath('tones-abc')}`],
	[['-', '--sample-rate', '7'], 'Expected `--sample-rate` to be a multiple of 25'],
	[['-', '--device', 'x'], '`--device` selects a microphone'],
	[['-', '--url', 'nothing'], 'Expected `--url` to be the URL of a server'],
	[['-', '--url', 'http://127.0.0.1:1'], 'No server answers at http://127.0.0.1:1'],
])(
	'%j is refused',
	async (args, message) => {
		expect(await start(args).ended()).toMatchObject({
			code: 1,
			stdout: '',
			stderr: expect.stringContaining(message),
		});
	},
	60_000,
);

test.each([
	['WAV', Buffer.from('RIFF\x24\0\0\0WAVEfmt ', 'latin1')],
	['FLAC', Buffer.from('fLaC\0\0\0\x22', 'latin1')],
	['Ogg', Buffer.from('OggS\0\x02', 'latin1')],
	['MP4', Buffer.from('\0\0\0\x20ftypM4A ', 'latin1')],
])(
	'standard input that is a %s file is refused, not transcribed as noise',
	async (name, head) => {
		const { child, ended } = start(['-']);
		child.stdin.end(Buffer.concat([head, silence(1)]));
		expect(await ended()).toMatchObject({
			code: 1,
			stdout: '',
			stderr: expect.stringMatching(new RegExp(`PCM.*got a ${name} file.*transcribe -$`, 'm')),
		});
	},
	60_000,
);
