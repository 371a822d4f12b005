/** Redis and PostgreSQL for tests: from the system's packages, on a free port of 127.0.0.1, in a folder of their own. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

export interface TestServer {
	readonly url: string;
	readonly pid: number;
	/** Ends it as a power cut would. */
	kill(): Promise<void>;
	/** Starts it again, on the same port and data. */
	restart(): Promise<void>;
	close(): Promise<void>;
}

export async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise<void>((resolve) => server.close(() => resolve()));
	return port;
}

async function answers(port: number): Promise<boolean> {
	return await new Promise((resolve) => {
		const socket = connect(port, '127.0.0.1');
		socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
		socket.once('connect', () => socket.destroy());
	});
}

function program(name: string): string | undefined {
	const folders = (process.env.PATH ?? '').split(':');
	return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

export const redisProgram = program('redis-server') ?? program('valkey-server');

/** The newest that is installed. */
export const postgresFolder = existsSync('/usr/lib/postgresql')
	? readdirSync('/usr/lib/postgresql')
			.sort((a, b) => Number(b) - Number(a))
			.map((version) => path.join('/usr/lib/postgresql', version, 'bin'))
			.find((folder) => existsSync(path.join(folder, 'postgres')))
	: undefined;

/** Continuous integration must install them, since a suite that is skipped there is never run. */
export function skipReason(
	what: 'redis-server' | 'postgresql',
	found: string | undefined,
): string | undefined {
	if (found !== undefined) return undefined;
	if (process.env.EARSHOT_TEST_SERVERS === 'required') throw new Error(`${what} is not installed`);
	process.stderr.write(`skipped: ${what} is not installed, so nothing is tested on it\n`);
	return `${what} is not installed`;
}

export async function startRedis(): Promise<TestServer> {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-redis-'));
	const port = await freePort();
	const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
	const options = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'];
	return await controlled({
		url: `redis://127.0.0.1:${port}`,
		folder,
		isReady: () => answers(port),
		start: () => spawn(redisProgram!, [...args, ...options], { stdio: 'ignore' }),
	});
}

export async function startPostgres(): Promise<TestServer> {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-postgres-'));
	const port = await freePort();
	// It refuses to run as root.
	const user = process.getuid?.() === 0 ? postgresUser() : undefined;
	if (user) chownSync(folder, user.uid, user.gid);
	const data = path.join(folder, 'data');
	execFileSync(
		path.join(postgresFolder!, 'initdb'),
		['-D', data, '-U', 'earshot', '--auth=trust', '-E', 'UTF8', '--no-sync'],
		{ stdio: 'ignore', cwd: folder, ...user },
	);
	const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder];
	const asked = ['-h', '127.0.0.1', '-p', String(port), '-q'];
	return await controlled({
		url: `postgres://earshot@127.0.0.1:${port}/postgres`,
		folder,
		// It takes connections before it answers them.
		isReady: async () => spawnSync(path.join(postgresFolder!, 'pg_isready'), asked).status === 0,
		start: () =>
			spawn(path.join(postgresFolder!, 'postgres'), args, { stdio: 'ignore', cwd: folder, ...user }),
	});
}

function postgresUser(): { uid: number; gid: number } {
	const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
	return { uid: id('-u'), gid: id('-g') };
}

/** On Linux; elsewhere none. */
function childrenOf(pid: number): number[] {
	try {
		const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
		return listed === '' ? [] : listed.split(' ').map(Number);
	} catch {
		return [];
	}
}

/** The number of a process that has ended may be another's by now. */
function isPostgres(pid: number): boolean {
	try {
		return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres');
	} catch {
		return false;
	}
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(pid, signal);
	} catch {
		// It has gone by itself.
	}
}

interface Controls {
	readonly url: string;
	readonly folder: string;
	readonly isReady: () => Promise<boolean>;
	readonly start: () => ChildProcess;
}

async function controlled({ url, folder, isReady, start }: Controls): Promise<TestServer> {
	let child: ChildProcess;
	const run = async () => {
		child = start();
		for (let tries = 0; tries < 300; tries++) {
			if (await isReady()) return;
			if (child.exitCode !== null) break;
			await after(50);
		}
		throw new Error(`${url} does not start`);
	};
	const end = async (signal: NodeJS.Signals) => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = new Promise((resolve) => child.once('exit', resolve));
		// PostgreSQL answers by processes of its own, which outlive it for a moment.
		const own = childrenOf(child.pid ?? 0);
		child.kill(signal);
		await ended;
		for (const pid of own) if (isPostgres(pid)) killIfThere(pid, signal);
	};
	await run();
	return {
		url,
		get pid() {
			return child.pid!;
		},
		kill: () => end('SIGKILL'),
		restart: run,
		close: async () => {
			await end('SIGKILL');
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
