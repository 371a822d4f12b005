// Live sessions of clients that do not read, say nonsense, send too much or come and go: nobody else may notice.
import { WebSocket } from 'ws';
import { isTranscribed, post, seen } from '../lib/http.mjs';
import { until } from '../lib/server.mjs';

function open(port, options = {}) {
	const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime`, options);
	const events = [];
	let code;
	socket.on('error', () => {});
	socket.on('message', (data) => events.push(JSON.parse(data.toString())));
	socket.on('close', (closed) => (code = closed));
	const is = (type) => events.some((event) => event.type === type);
	return {
		socket,
		events,
		opened: () => until(() => is('session.created')),
		until: (type, ms) => until(() => is(type), ms),
		send: (event) => socket.send(typeof event === 'string' ? event : JSON.stringify(event)),
		closed: async (ms) => ((await until(() => code !== undefined, ms)) ? code : undefined),
	};
}

const second = { type: 'input_audio_buffer.append', audio: Buffer.alloc(48_000).toString('base64') };

async function sessionsOf(server) {
	const text = await (await fetch(`${server.url}/metrics`)).text();
	return [...text.matchAll(/^earshot_live_sessions\{.*\} (\d+)$/gm)].reduce(
		(sum, [, count]) => sum + Number(count),
		0,
	);
}

export async function attack({ server, check }) {
	const deaf = open(server.port);
	await deaf.opened();
	deaf.socket.pause();
	for (let count = 0; count < 50_000; count++)
		deaf.send('{"type":"nonsense that is answered with an error"}');
	const beside = await post(server.port);
	check('a client that reads nothing keeps no other client waiting', isTranscribed(beside), seen(beside));

	const nonsense = open(server.port);
	await nonsense.opened();
	for (const message of [
		'',
		'{',
		'null',
		'[]',
		'"x"',
		`${'['.repeat(100_000)}`,
		'{"type":{"type":{}}}',
		'\u0000',
	])
		nonsense.send(message);
	for (let count = 0; count < 10_000; count++) nonsense.send({ type: 'input_audio_buffer.commit' });
	nonsense.send({ type: 'input_audio_buffer.clear' });
	check(
		'ten thousand empty commits are answered',
		await nonsense.until('input_audio_buffer.cleared', 20_000),
	);
	nonsense.socket.terminate();

	const large = open(server.port);
	await large.opened();
	large.socket.send('x'.repeat(22 << 20));
	check('a message of 22 MiB closes its socket', (await large.closed()) === 1009, await large.closed(0));

	const flood = open(server.port);
	await flood.opened();
	for (let count = 0; count < 600; count++) flood.send(second);
	const amongFlood = await post(server.port);
	check(
		'ten minutes of audio at once keep no other client waiting',
		isTranscribed(amongFlood),
		seen(amongFlood),
	);
	flood.socket.terminate();

	for (let round = 0; round < 25; round++) {
		const sockets = Array.from({ length: 8 }, () => open(server.port));
		for (const { socket, send } of sockets)
			socket.once('open', () => {
				send(second);
				socket.terminate();
			});
		await Promise.all(sockets.map(({ closed }) => closed()));
	}
	const left = () => sessionsOf(server);
	check(
		'two hundred sockets that are dropped leave nothing',
		await until(async () => (await left()) <= 1),
		await left(),
	);

	check('who reads nothing is given up', await until(async () => (await left()) === 0, 45_000), await left());
	deaf.socket.terminate();
}
