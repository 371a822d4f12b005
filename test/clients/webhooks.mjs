// Webhooks against those who receive them: OpenAI's clients for Node and Python and the libraries of Standard Webhooks, in
// their newest versions, manage an endpoint of a started server, and verify what it sends.
//
//   npm run clients:webhooks
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process, { stderr, stdout } from 'node:process';
import { root } from '../bench/lib/peers.mjs';
import { inFolder, node22, python, run, scripts } from './packages.mjs';

const key = 'key-of-the-clients';

const receivers = {
	'openai 6 on this Node': inFolder(
		'webhooks-openai-6',
		['openai@6', 'standardwebhooks@latest'],
		'webhooks_node.mjs',
		() => process.execPath,
	),
	'openai, newest, on Node 22': inFolder(
		'webhooks-openai-7',
		['openai@latest', 'standardwebhooks@latest'],
		'webhooks_node.mjs',
		node22,
	),
	'openai for Python': () => [
		python('webhooks-python', 'openai', 'standardwebhooks'),
		[path.join(scripts, 'webhooks_python.py')],
	],
};

async function freePort() {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	return port;
}

async function startServer(home) {
	const args = [
		'dist/cli/main.js',
		'serve',
		'--port',
		'0',
		'--preload',
		'none',
		'--webhook-allow',
		'127.0.0.1',
	];
	const env = { PATH: process.env.PATH, HOME: home, EARSHOT_API_KEYS: key };
	const server = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'pipe'] });
	let said = '';
	server.stderr.setEncoding('utf8');
	for await (const text of server.stderr.iterator({ destroyOnReturn: false })) {
		said += text;
		const url = /listens on (\S+)/.exec(said)?.[1];
		if (url !== undefined) return { url, server };
	}
	throw new Error(`the server did not start\n${said}`);
}

const home = mkdtempSync(path.join(tmpdir(), 'earshot-webhooks-'));
const { url, server } = await startServer(home);
server.stderr.resume();
let failures = 0;
for (const [name, program] of Object.entries(receivers)) {
	try {
		const [command, args] = program();
		const types = JSON.parse(run(command, [...args, url, key, `127.0.0.1:${await freePort()}`]).trim());
		if (types.length !== 3) throw new Error(`verified ${types}`);
		stdout.write(`ok     ${name}\n`);
	} catch (thrown) {
		failures++;
		stdout.write(`FAILED ${name}: ${thrown instanceof Error ? thrown.message : thrown}\n`);
	}
}
server.kill();
await once(server, 'exit');
rmSync(home, { recursive: true, force: true });
if (failures > 0) stderr.write(`${failures} receivers failed\n`);
process.exitCode = failures > 0 ? 1 : 0;
