// Clients that send everything before they listen: a refusal must reach them all the same.
import { Buffer } from 'node:buffer';
import { exchange, file, form, request } from '../lib/http.mjs';
import { startServer } from '../lib/server.mjs';

const times = 10;

/** The statuses that so many clients got. */
async function statusesOf(port, { version, connection, key, bytes }) {
	const body = form([file(Buffer.alloc(bytes))]);
	const head = [
		'Host: localhost',
		...(connection ? [`Connection: ${connection}`] : []),
		'Content-Type: multipart/form-data; boundary=BB',
		...(key ? [`Authorization: Bearer ${key}`] : []),
		`Content-Length: ${body.length}`,
	];
	const bytesOf = request(`POST /v1/audio/transcriptions HTTP/${version}`, head, body);
	const statuses = [];
	for (let time = 0; time < times; time++) {
		const answer = await exchange(port, bytesOf, { timeoutMs: 10_000, until: (text) => text.includes('}}') });
		statuses.push(answer.status || answer.end);
	}
	return statuses;
}

export async function attack({ check }) {
	const keyed = await startServer({ flags: ['--api-keys', 'sk-one', '--max-upload-mb', '1'] });
	try {
		for (const [status, key, bytes] of [
			[413, 'sk-one', 20_000_000],
			[413, 'sk-one', 3_000_000],
			[401, '', 20_000_000],
			[401, '', 800_000],
		]) {
			for (const [what, version, connection] of [
				['keeps the connection', '1.1', ''],
				['closes it', '1.1', 'close'],
				['speaks HTTP/1.0', '1.0', ''],
			]) {
				const statuses = await statusesOf(keyed.port, { version, connection, key, bytes });
				const got = statuses.filter((each) => each === status).length;
				const held = got === times;
				const says = `a client that sends ${bytes / 1e6} MB and ${what} gets its ${status}`;
				check(says, held, statuses.join());
			}
		}
	} finally {
		await keyed.stop();
	}
}
