/** A client of the Wyoming protocol, as programs write it. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface WyomingMessage {
	readonly type: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into events of many shapes
	readonly data: any;
}

export class WyomingClient {
	readonly socket: Socket;
	/** All events so far. */
	readonly events: WyomingMessage[] = [];
	/** Resolves when the server has closed its side. */
	readonly ended: Promise<unknown>;
	#taken = 0;
	#left = Buffer.alloc(0);
	#hasEnded = false;
	#wake: () => void = () => {};

	private constructor(socket: Socket) {
		this.socket = socket;
		this.ended = once(socket, 'end').catch(() => {});
		socket.on('data', (chunk: Buffer) => this.#read(chunk));
		socket.on('error', () => {});
		for (const sign of ['end', 'close'])
			socket.on(sign, () => {
				this.#hasEnded = true;
				this.#wake();
			});
		onTestFinished(() => void socket.destroy());
	}

	static async open(port: number): Promise<WyomingClient> {
		const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
		await once(socket, 'connect');
		return new WyomingClient(socket);
	}

	/** Each event once, in order. Fails where the server closes the connection instead. */
	async next(): Promise<WyomingMessage> {
		while (this.events.length <= this.#taken) {
			if (this.#hasEnded) throw new Error('the connection was closed before the next event');
			await new Promise<void>((resolve) => (this.#wake = resolve));
		}
		return this.events[this.#taken++]!;
	}

	send(type: string, data?: object, payload?: Uint8Array): void {
		const body = data ? Buffer.from(JSON.stringify(data)) : Buffer.alloc(0);
		const header = {
			type,
			version: '1.10.2',
			...(data && { data_length: body.length }),
			...(payload && { payload_length: payload.length }),
		};
		this.write(Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body, payload ?? Buffer.alloc(0)]));
	}

	write(bytes: string | Uint8Array): void {
		this.socket.write(bytes);
	}

	start(rate = 16_000): void {
		this.send('audio-start', { rate, width: 2, channels: 1, timestamp: 0 });
	}

	chunk(audio: Uint8Array, rate = 16_000): void {
		this.send('audio-chunk', { rate, width: 2, channels: 1, timestamp: null }, audio);
	}

	#read(chunk: Buffer): void {
		this.#left = Buffer.concat([this.#left, chunk]);
		for (;;) {
			const end = this.#left.indexOf('\n');
			if (end === -1) break;
			const header = JSON.parse(this.#left.subarray(0, end).toString());
			const next = end + 1 + (header.data_length ?? 0);
			if (this.#left.length < next) break;
			this.events.push({
				type: header.type,
				data: JSON.parse(this.#left.subarray(end + 1, next).toString()),
			});
			this.#left = this.#left.subarray(next);
		}
		this.#wake();
	}
}
