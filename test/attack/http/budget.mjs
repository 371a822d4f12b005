// Connections that claim much and send nothing, or send it a byte at a time: nobody else may have to wait for them.
import { connect } from 'node:net';
import { isTranscribed, post, request, seen, usualForm } from '../lib/http.mjs';

const gib = 2 ** 30;

function claim(port, bytes) {
	const socket = connect({ port, host: '127.0.0.1' });
	socket.on('error', () => {});
	const head = [
		'Host: localhost',
		'Content-Type: multipart/form-data; boundary=BB',
		`Content-Length: ${bytes}`,
	];
	socket.write(request('POST /v1/audio/transcriptions HTTP/1.1', head));
	return socket;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function attack({ server, check }) {
	const idle = [claim(server.port, gib), claim(server.port, gib - 1000)];
	await pause(300);
	const beside = await post(server.port);
	check('two idle claims of 1 GiB keep no other client out', isTranscribed(beside), seen(beside));
	for (const socket of idle) socket.destroy();
	await pause(300);
	const after = await post(server.port);
	check('what was claimed is free when the clients have gone', isTranscribed(after), seen(after));

	const slow = Array.from({ length: 50 }, () => claim(server.port, usualForm.length));
	const feeder = setInterval(() => {
		for (const socket of slow) socket.write('-');
	}, 50);
	const amongSlow = await post(server.port);
	check(
		'fifty clients that send a byte at a time keep no other client out',
		isTranscribed(amongSlow),
		seen(amongSlow),
	);
	clearInterval(feeder);
	for (const socket of slow) socket.destroy();

	const silent = Array.from({ length: 200 }, () => {
		const socket = connect({ port: server.port, host: '127.0.0.1' });
		socket.on('error', () => {});
		return socket;
	});
	await pause(200);
	const amongSilent = await post(server.port);
	check(
		'200 connections that say nothing keep no other client out',
		isTranscribed(amongSilent),
		seen(amongSilent),
	);
	for (const socket of silent) socket.destroy();
}
