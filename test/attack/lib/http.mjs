// HTTP byte by byte, since clients do not send what attackers do.
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { recording } from './server.mjs';

/**
 * Sends the bytes and reads until the server closes, `until` holds, or `timeoutMs` have passed. `half`: says that nothing
 * follows. Never rejects.
 */
export function exchange(port, bytes, { timeoutMs = 5_000, half = false, until } = {}) {
	return new Promise((resolve) => {
		const socket = connect({ port, host: '127.0.0.1' });
		const chunks = [];
		const finish = (end) => {
			clearTimeout(timer);
			socket.destroy();
			resolve(answerOf(Buffer.concat(chunks).toString('latin1'), end));
		};
		const timer = setTimeout(() => finish('time-out'), timeoutMs);
		socket.on('data', (chunk) => {
			chunks.push(chunk);
			if (until?.(Buffer.concat(chunks).toString('latin1'))) finish('enough');
		});
		socket.on('end', () => finish('closed'));
		socket.on('error', ({ code }) => finish(code));
		socket.write(bytes);
		if (half) socket.end();
	});
}

function answerOf(text, end) {
	const statuses = [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status));
	const at = text.indexOf('\r\n\r\n');
	const body = at < 0 ? '' : text.slice(at + 4);
	return { text, end, statuses, status: statuses.at(-1) ?? 0, head: at < 0 ? text : text.slice(0, at), body };
}

/** The parsed body, or undefined. */
export function json({ body }) {
	try {
		return JSON.parse(body);
	} catch {
		return undefined;
	}
}

/** What to show of an answer that was not as it should be. */
export const seen = ({ end, statuses, body }) =>
	`${statuses.join(',') || 'no status'} (${end}) ${body.slice(0, 150)}`;

export const request = (line, headers = [], body = '') =>
	Buffer.concat([
		Buffer.from(`${line}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`, 'latin1'),
		Buffer.from(body),
	]);

const local = ['Host: 127.0.0.1', 'Connection: close'];

export const get = (port, path, headers = [], options = {}) =>
	exchange(port, request(`GET ${path} HTTP/1.1`, [...local, ...headers]), options);

/** Parts of a form: [headers, content]. */
export function form(parts, { boundary = 'BB', end = true } = {}) {
	const pieces = parts.flatMap(([head, content]) => [
		Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
		Buffer.from(content),
		Buffer.from('\r\n'),
	]);
	return Buffer.concat([...pieces, Buffer.from(end ? `--${boundary}--\r\n` : '')]);
}

export const field = (name, value) => [`Content-Disposition: form-data; name="${name}"`, value];
export const file = (content, name = 'file', fileName = 'a.wav') => [
	`Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: audio/wav`,
	content,
];

export const abc = recording('tones-abc');
export const usualForm = form([file(abc)]);

/** A transcription. `length`: null = none; a number = that, whatever the body has. */
export function post(port, body = usualForm, options = {}) {
	const {
		headers = [],
		length = body.length,
		type = 'multipart/form-data; boundary=BB',
		version = '1.1',
	} = options;
	const head = [
		'Host: 127.0.0.1',
		...(options.keep ? [] : ['Connection: close']),
		...(type === null ? [] : [`Content-Type: ${type}`]),
		...(length === null ? [] : [`Content-Length: ${length}`]),
		...headers,
	];
	return exchange(port, request(`POST /v1/audio/transcriptions HTTP/${version}`, head, body), options);
}

/** Whether an answer says no in the API's own form. */
export function isRefusal(answer, ...statuses) {
	const { error } = json(answer) ?? {};
	return statuses.includes(answer.status) && typeof error?.message === 'string' && 'code' in error;
}

export const isTranscribed = (answer, text = 'a b c') => answer.status === 200 && json(answer)?.text === text;
