// kill −9, of the engine's process and of the server: no request is lost, and nothing is left behind.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import process from 'node:process';
import { field, file, form, isRefusal, isTranscribed, post, request, seen } from '../lib/http.mjs';
import { recording, root, startServer, until } from '../lib/server.mjs';

const slowForm = form([field('model', 'slow'), file(recording('tones-abc'))]);

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

async function engineDies({ server, check }) {
	await post(server.port, slowForm, { timeoutMs: 30_000 });
	const answers = Promise.all(
		Array.from({ length: 6 }, () => post(server.port, slowForm, { timeoutMs: 60_000 })),
	);
	await until(async () => (await server.loaded()).slow?.requests === 6);
	process.kill((await server.loaded()).slow.pid, 'SIGKILL');
	const wrong = (await answers).filter((answer) => !isTranscribed(answer));
	check('six requests survive kill −9 of their engine', wrong.length === 0, wrong[0] && seen(wrong[0]));

	const crash = form([field('model', 'crash_on_e'), file(recording('tones-abcde'))]);
	const good = form([field('model', 'crash_on_e'), file(recording('tones-abc'))]);
	const [bad, ...others] = await Promise.all(
		[crash, good, good].map((body) => post(server.port, body, { timeoutMs: 60_000 })),
	);
	check(
		'a recording that kills the engine fails alone',
		isRefusal(bad, 500) && others.every((each) => isTranscribed(each)),
		seen(bad),
	);
}

async function serverDies(check) {
	const server = await startServer();
	await post(server.port);
	const { pid } = (await server.loaded()).zipformer_ctc;
	const claimed = connect({ port: server.port, host: '127.0.0.1' });
	claimed.on('error', () => {});
	const head = [
		'Host: localhost',
		'Content-Type: multipart/form-data; boundary=BB',
		'Content-Length: 100000000',
	];
	const start = form([file(Buffer.alloc(20_000_000))], { end: false });
	claimed.write(request('POST /v1/audio/transcriptions HTTP/1.1', head, start));
	await until(() => readdirSync(server.temp, { recursive: true }).length > 1);
	server.child.kill('SIGKILL');
	await server.ended;
	check('an engine ends with a server that was killed', await until(() => !isAlive(pid)), `${pid} lives`);
	const left = readdirSync(server.temp, { recursive: true });
	const next = await startServer({ env: { TMPDIR: server.temp } });
	const swept = await until(
		() => readdirSync(server.temp, { recursive: true }).every((name) => !left.includes(name)),
		2_000,
	);
	await next.stop();
	check('the uploads of a killed server are swept by the next one', swept, left);
	await server.stop();
}

function commandDies(check) {
	// A reader that has gone, as after `| head`.
	const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" dist/cli/main.js list | true`], {
		cwd: root,
		encoding: 'utf8',
	});
	check(
		'a command whose reader has gone ends without a stack trace',
		status === 0 && !/\bat .*:\d+:\d+/.test(stderr),
		stderr,
	);
}

export async function attack({ server, check }) {
	await engineDies({ server, check });
	await serverDies(check);
	commandDies(check);
}
