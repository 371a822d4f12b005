/** Commands that speak to a running server: over a port, through a Unix socket, and with the token of its user. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newToken, readToken, tokenFileOf, writeToken } from '../../../src/server/local-token.js';
import type { DoctorReport } from '../../../src/server/routes/doctor.js';
import { root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { localhost, speech } from '../../helpers/tls/tls.js';

const isRoot = process.getuid?.() === 0;

function run(home: string, args: readonly string[], user: { uid?: number; gid?: number } = {}): ChildProcess {
	return spawn(process.execPath, [path.join(root, 'dist', 'cli', 'main.js'), ...args], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { PATH: process.env.PATH, HOME: home },
		...user,
	});
}

async function earshot(home: string, args: readonly string[], user = {}) {
	const child = run(home, args, user);
	const ended = new Promise((resolve) => child.on('close', resolve));
	const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
	return { code: await ended, stdout, stderr };
}

/** A home, and in it a server that has said where it listens. */
async function serving(...args: string[]) {
	const scratch = new Scratch();
	const home = scratch.path;
	const listens = ['serve', '--preload', 'none', ...args];
	const child = run(home, listens);
	const ended = new Promise((resolve) => child.on('close', resolve));
	onTestFinished(async () => {
		child.kill('SIGKILL');
		await ended;
		scratch[Symbol.dispose]();
	});
	let said = '';
	const address = await new Promise<string>((resolve, reject) => {
		child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
			said += piece;
			const [, found] = /listens on (?:https?:\/\/)?(\S+?)(?:\/v1)? \(/.exec(said) ?? [];
			if (found !== undefined) resolve(found);
		});
		child.on('close', () => reject(new Error(said)));
	});
	return { home, address, child, ended, log: () => said };
}

const tokens = (home: string) => path.join(home, '.local', 'state', 'earshot');

describe('the token of a server', () => {
	test('lets only its own user load and unload models without a key', async () => {
		const { home, address, child, ended } = await serving('--addr', '127.0.0.1:0');
		const [name = ''] = readdirSync(tokens(home));
		expect(name).toBe(`server-${address.split(':')[1]}.token`);
		expect(statSync(path.join(tokens(home), name)).mode & 0o777).toBe(0o600);
		const there = ['--addr', address];
		expect(await earshot(home, ['load', 'demo-digits', ...there])).toMatchObject({ code: 0, stderr: '' });
		expect(await earshot(home, ['unload', 'demo-digits', ...there])).toMatchObject({ code: 0 });
		const stranger = new Scratch();
		onTestFinished(() => stranger[Symbol.dispose]());
		const refused = { code: 1, stderr: expect.stringContaining('needs an API key') };
		expect(await earshot(stranger.path, ['load', 'demo-digits', ...there])).toMatchObject(refused);
		// Somebody else may read all but the token.
		chmodSync(home, 0o755);
		if (isRoot)
			expect(
				await earshot(home, ['load', 'demo-digits', ...there], { uid: 54_321, gid: 54_321 }),
			).toMatchObject(refused);
		child.kill('SIGTERM');
		await ended;
		expect(readdirSync(tokens(home))).toEqual([]);
	}, 60_000);

	test('is a new one at each start, and replaces what a killed server left', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const socket = path.join(scratch.path, 's');
		const first = await serving('--host', `unix:${socket}`);
		const [name = ''] = readdirSync(tokens(first.home));
		const token = readFileSync(path.join(tokens(first.home), name), 'utf8');
		first.child.kill('SIGKILL');
		await first.ended;
		expect(existsSync(path.join(tokens(first.home), name))).toBe(true);
		const again = run(first.home, ['serve', '--preload', 'none', '--host', `unix:${socket}`]);
		onTestFinished(() => void again.kill('SIGKILL'));
		await expect.poll(() => existsSync(socket), { timeout: 10_000 }).toBe(true);
		await expect
			.poll(() => readFileSync(path.join(tokens(first.home), name), 'utf8'), { timeout: 10_000 })
			.not.toBe(token);
	}, 60_000);

	test('is sent to this machine alone, not to a name that may be any', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const asked: string[] = [];
		const spy = createServer((socket) => {
			socket.on('data', (bytes) => {
				asked.push(String(bytes));
				socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
			});
		});
		await new Promise<void>((resolve) => spy.listen(0, '0.0.0.0', resolve));
		onTestFinished(() => void spy.close());
		const { port } = spy.address() as { port: number };
		const token = newToken();
		await writeToken(tokenFileOf({ host: '', port }, tokens(scratch.path)), token);
		await earshot(scratch.path, ['load', 'x', '--addr', `127.0.0.1:${port}`]);
		await earshot(scratch.path, ['load', 'x', '--addr', `${hostname()}:${port}`]);
		expect(asked.map((each) => each.includes(token))).toEqual([true, false]);
	}, 60_000);
});

describe('a Unix socket', () => {
	test('is served, reached by the commands and by any client, and removed afterwards', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const socketPath = path.join(scratch.path, 'earshot.sock');
		const { home, address, child, ended } = await serving('--host', `unix:${socketPath}`);
		expect(address).toBe(`unix:${socketPath}`);
		expect((await earshot(home, ['load', 'demo-digits', '--addr', address])).stdout).toMatch(
			/^demo-digits loaded/,
		);
		expect((await earshot(home, ['ps', '--host', address])).stdout).toMatch(/\ndemo-digits +loaded/);
		const health = await new Promise<string>((resolve, reject) => {
			request({ socketPath, path: '/health' }, (answer) => void text(answer).then(resolve))
				.on('error', reject)
				.end();
		});
		expect(JSON.parse(health)).toMatchObject({ status: 'ok' });
		const second = await earshot(home, ['serve', '--host', address]);
		expect(second).toMatchObject({
			code: 1,
			stderr: expect.stringContaining(`another program already listens on ${address}`),
		});
		child.kill('SIGTERM');
		await ended;
		expect(existsSync(socketPath)).toBe(false);
	}, 60_000);

	test.each([
		['a path that is too long', `unix:/${'x'.repeat(120)}`, 'Expected `--host` to be an address'],
		['no path', 'unix:', 'Expected `--host` to be an address'],
		[
			'a folder that does not exist',
			'unix:/nonexistent/s',
			'unix:/nonexistent/s, or its folder does not exist',
		],
	])('with %s is refused in one line', async (_, host, message) => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const { code, stderr } = await earshot(scratch.path, ['serve', '--host', host]);
		expect([code, stderr.trim().split('\n').length]).toEqual([1, 1]);
		expect(stderr).toContain(message);
	});

	test('never replaces a file that is not a socket', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const file = scratch.file('precious', 'text');
		chmodSync(file, 0o600);
		expect((await earshot(scratch.path, ['serve', '--host', `unix:${file}`])).code).toBe(1);
		expect(readFileSync(file, 'utf8')).toBe('text');
	});
});

test('GET /v1/doctor returns to the server’s own user what earshot doctor finds', async () => {
	const { home, address } = await serving('--addr', '127.0.0.1:0', '--vad-model', '/nonexistent/vad.onnx');
	const token = await readToken(tokenFileOf({ host: '', port: Number(address.split(':')[1]) }, tokens(home)));
	const answer = await fetch(`http://${address}/v1/doctor`, {
		headers: { authorization: `Bearer ${token}` },
	});
	const { object, ok, findings } = (await answer.json()) as DoctorReport & { object: string };
	expect([answer.status, object, ok]).toEqual([200, 'doctor', false]);
	expect(findings).toContainEqual(expect.objectContaining({ ok: true, what: 'whisper.cpp' }));
	// The settings of the server are those that are examined.
	expect(findings).toContainEqual(
		expect.objectContaining({ ok: false, detail: expect.stringContaining('/nonexistent/vad.onnx') }),
	);
}, 60_000);

test('--addr takes a port alone', async () => {
	const { home } = await serving('--addr', '0');
	const port = /server-(\d+)\.token/.exec(readdirSync(tokens(home)).join())?.[1] ?? '';
	expect(await earshot(home, ['ps', '--addr', port])).toMatchObject({ code: 0 });
}, 60_000);

test('a server that is open to the network without a key says so at its start', async () => {
	const open = await serving('--addr', '0.0.0.0:0');
	expect(open.log()).toMatch(/no API key is set, so everyone who reaches this server can use it/);
	const keyed = await serving('--addr', '0.0.0.0:0', '--api-keys', 'secret');
	expect(keyed.log()).not.toContain('no API key');
}, 60_000);

describe('a server with Wyoming', () => {
	test('says where, and that everyone can use it where that is not this machine', async () => {
		const open = await serving('--port', '0', '--wyoming', '0.0.0.0:0');
		expect(open.log()).toMatch(/^Wyoming, for Home Assistant: tcp:\/\/0\.0\.0\.0:\d+$/m);
		expect(open.log()).toMatch(
			/Wyoming has neither keys nor encryption, so everyone who can reach its port can use it/,
		);
		const own = await serving('--port', '0', '--wyoming', '0');
		expect(own.log()).toMatch(/^Wyoming, for Home Assistant: tcp:\/\/127\.0\.0\.1:\d+$/m);
		expect(own.log()).not.toContain('neither keys');
	}, 60_000);

	test('does not start where its port is taken', async () => {
		const other = createServer().listen(0, '127.0.0.1');
		await once(other, 'listening');
		onTestFinished(() => void other.close());
		const { port } = other.address() as AddressInfo;
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const flags = ['--port', '0', '--wyoming', String(port), '--preload', 'none'];
		const { code, stderr } = await earshot(scratch.path, ['serve', ...flags]);
		expect(code).toBe(1);
		expect(stderr).toContain(`another program already listens on 127.0.0.1:${port}`);
	}, 60_000);
});

test.each([
	['--api-keys', ''],
	['--api-keys', ' , '],
])('%s %j does not start a server', async (...flags) => {
	const scratch = new Scratch();
	onTestFinished(() => scratch[Symbol.dispose]());
	const { code, stderr } = await earshot(scratch.path, ['serve', ...flags]);
	expect([code, stderr.trim().split('\n').length]).toEqual([1, 1]);
	expect(stderr).toContain('Expected `--api-keys` to be one or more keys');
});

describe('a server with a certificate', () => {
	const files = ['--tls-cert', localhost.certFile, '--tls-key', localhost.keyFile];

	test('is reached by the commands of its user, under any name and without its authority', async () => {
		const { home, address } = await serving(
			'--addr',
			'127.0.0.1:0',
			'--tls-cert',
			speech.certFile,
			'--tls-key',
			speech.keyFile,
		);
		expect(await earshot(home, ['load', 'demo-digits', '--addr', address])).toMatchObject({
			code: 0,
			stderr: '',
		});
		const listed = await earshot(home, ['ps', '--json', '--addr', address]);
		expect(JSON.parse(listed.stdout)).toMatchObject([{ id: 'demo-digits' }]);
	}, 60_000);

	test('is reached through a Unix socket', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const { home, address } = await serving('--host', `unix:${path.join(scratch.path, 's')}`, ...files);
		expect(await earshot(home, ['ps', '--addr', address])).toMatchObject({ code: 0, stderr: '' });
		expect(await earshot(home, ['listen', '-', '--url', address])).toEqual({
			code: 0,
			stdout: '',
			stderr: '',
		});
	}, 60_000);

	test('is reached by other users with the certificate, and not without it', async () => {
		const { address } = await serving('--addr', '127.0.0.1:0', ...files);
		const stranger = new Scratch();
		onTestFinished(() => stranger[Symbol.dispose]());
		const ask = (...args: string[]) => earshot(stranger.path, ['ps', '--addr', address, ...args]);
		expect(await ask('--tls-cert', localhost.certFile)).toMatchObject({ code: 0, stderr: '' });
		expect(await ask('--tls-cert', speech.certFile)).toMatchObject({
			code: 1,
			stderr: expect.stringMatching(/The certificate of the server at \S+ is not trusted .*--tls-cert FILE/),
		});
		expect(await ask()).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('if it speaks TLS: --tls-cert FILE'),
		});
		expect(await earshot(stranger.path, ['listen', '-', '--url', `http://${address}`])).toMatchObject({
			code: 1,
			stderr: expect.stringContaining(`if it speaks TLS: https://${address}`),
		});
	}, 60_000);

	test('shows the new one after SIGHUP, and the old one while the new one has a mistake', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const certFile = scratch.file('c.pem', localhost.cert);
		const keyFile = scratch.file('k.pem', localhost.key);
		const server = await serving('--addr', '127.0.0.1:0', '--tls-cert', certFile, '--tls-key', keyFile);
		const ask = () => earshot(server.home, ['ps', '--addr', server.address]);
		scratch.file('c.pem', speech.cert);
		server.child.kill('SIGHUP');
		await expect.poll(server.log, { timeout: 10_000 }).toContain('the previous certificate stays in use');
		expect(await ask()).toMatchObject({ code: 0 });
		scratch.file('k.pem', speech.key);
		server.child.kill('SIGHUP');
		await expect.poll(server.log, { timeout: 10_000 }).toContain('the certificate was read again');
		expect(await ask()).toMatchObject({ code: 0 });
		const [left = ''] = readdirSync(tokens(server.home)).filter((name) => name.endsWith('.pem'));
		expect(readFileSync(path.join(tokens(server.home), left), 'utf8')).toBe(speech.cert);
		server.child.kill('SIGTERM');
		await server.ended;
		expect(readdirSync(tokens(server.home))).toEqual([]);
	}, 60_000);
});

test('a server with API keys is answered in terms of the command', async () => {
	const { address } = await serving('--addr', '127.0.0.1:0', '--api-keys', 'k1');
	const stranger = new Scratch();
	onTestFinished(() => stranger[Symbol.dispose]());
	const commands = [
		['ps', '--addr', address],
		['listen', '-', '--url', `http://${address}`],
	];
	for (const command of commands) {
		const ask = (...args: string[]) => earshot(stranger.path, [...command, ...args]);
		expect((await ask()).stderr).toBe(
			`earshot: The server at http://${address} requires an API key: --api-keys KEY\n`,
		);
		expect((await ask('--api-keys', 'k2')).stderr).toBe(
			`earshot: The server at http://${address} does not accept this API key\n`,
		);
		expect(await ask('--api-keys', 'k1')).toMatchObject({ code: 0, stderr: '' });
	}
}, 60_000);

test('a job is made, followed, shown and deleted by commands', async () => {
	const { home, address } = await serving('--addr', '127.0.0.1:0');
	const there = ['--addr', address];
	const digits = path.join(root, 'fixtures', 'demo-digits', 'digits-count.wav');
	const made = await earshot(home, ['transcribe', '--background', digits, '-f', 'text', ...there]);
	expect(made).toMatchObject({ code: 0, stderr: '' });
	const [id = '', file] = made.stdout.trim().split(' ');
	expect(file).toBe(digits);
	const text = await earshot(home, ['jobs', 'wait', id, ...there]);
	expect(text).toMatchObject({ code: 0, stderr: '' });
	expect(text.stdout).toContain('one two three');
	expect((await earshot(home, ['jobs', 'wait', id, '-f', 'srt', ...there])).stdout).toMatch(/^1\n00:00:/);
	expect((await earshot(home, ['jobs', 'list', ...there])).stdout).toMatch(
		new RegExp(`${id}\\s+completed\\s+100 %`),
	);
	const shown = await earshot(home, ['jobs', 'show', id, ...there]);
	expect(JSON.parse(shown.stdout)).toMatchObject({ id, status: 'completed', metadata: { file: digits } });
	expect((await earshot(home, ['jobs', 'cancel', id, ...there])).stdout).toBe(`${id} deleted\n`);
	const gone = await earshot(home, ['jobs', 'show', id, ...there]);
	expect(gone.code).toBe(1);
	expect(gone.stderr).toContain('There is no job');
	const none = await earshot(home, ['jobs', 'show', ...there]);
	expect(none.stderr).toContain('Expected `job` to be the id of a job');
	const folder = await earshot(home, ['transcribe', '--background', home, ...there]);
	expect(folder.stderr).toContain('a server gets no folder');
	for (const [flag, ...value] of [['--output-dir', home], ['--force'], ['--num-threads', '2']]) {
		const idle = await earshot(home, ['transcribe', '--background', digits, flag!, ...value, ...there]);
		expect(idle).toMatchObject({ code: 1, stdout: '' });
		expect(idle.stderr).toContain(`\`${flag}\` has no effect with \`--background\``);
	}
	const alone = await earshot(home, ['transcribe', digits, ...there]);
	expect(alone.stderr).toContain('`--addr` needs `--background`');
}, 60_000);
