/** A client of live sessions, as programs write it. */

import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look into events of many shapes
export type Event = any;

export interface LiveClient {
	readonly socket: WebSocket;
	/** All events so far. */
	readonly events: Event[];
	/** Each event once, in order. Fails where the socket closes instead. */
	next(): Promise<Event>;
	/** The next event of a type; what comes before it is skipped. */
	nextOf(type: string): Promise<Event>;
	send(event: object | string): void;
	append(audio: Uint8Array): void;
	/** How the server closed it. */
	readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export function liveClient(
	url: string,
	options: ClientOptions & { readonly protocols?: readonly string[] } = {},
): LiveClient {
	const { protocols = [], ...rest } = options;
	const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols], rest);
	const events: Event[] = [];
	let taken = 0;
	let wake: () => void = () => {};
	let isClosed = false;
	const closed = new Promise<{ code: number; reason: string }>((resolve) => {
		socket.on('close', (code, reason) => {
			isClosed = true;
			wake();
			resolve({ code, reason: reason.toString() });
		});
	});
	socket.on('error', () => {});
	socket.on('message', (data) => {
		events.push(JSON.parse(data.toString()));
		wake();
	});
	onTestFinished(() => socket.terminate());
	const send = (event: object | string) =>
		socket.send(typeof event === 'string' ? event : JSON.stringify(event));
	const next = async (): Promise<Event> => {
		while (events.length <= taken) {
			if (isClosed) throw new Error('the socket was closed before the next event');
			await new Promise<void>((resolve) => (wake = resolve));
		}
		return events[taken++];
	};
	return {
		socket,
		events,
		next,
		async nextOf(type) {
			for (;;) {
				const event = await next();
				if (event.type === type) return event;
			}
		},
		send,
		append: (audio) =>
			send({ type: 'input_audio_buffer.append', audio: Buffer.from(audio).toString('base64') }),
		closed,
	};
}

/** A transcription session of 16 kHz PCM that has accepted `input`. `url`: of the server. */
export async function openTranscription(url: string, model: string, input: object = {}): Promise<LiveClient> {
	const client = liveClient(`${url}/v1/realtime?model=${model}`);
	await client.nextOf('session.created');
	const format = { type: 'audio/pcm', rate: 16_000 };
	client.send({
		type: 'session.update',
		session: { type: 'transcription', audio: { input: { format, ...input } } },
	});
	await client.nextOf('session.updated');
	return client;
}

/** The answer to an upgrade that is refused. */
export async function refusal(
	url: string,
	options: ClientOptions & { readonly protocols?: readonly string[] } = {},
): Promise<{ readonly status: number; readonly headers: Record<string, unknown>; readonly json: Event }> {
	const { protocols = [], ...rest } = options;
	const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols], rest);
	socket.on('error', () => {});
	const [, response] = await once(socket, 'unexpected-response');
	const pieces: Buffer[] = [];
	for await (const piece of response) pieces.push(piece);
	const text = Buffer.concat(pieces).toString();
	return {
		status: response.statusCode,
		headers: response.headers,
		json: text === '' ? null : JSON.parse(text),
	};
}
