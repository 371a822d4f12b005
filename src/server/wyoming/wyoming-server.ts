/** The port of Home Assistant's Wyoming protocol. It has no keys: who reaches the port is served. */

import { createServer, type Server, type Socket } from 'node:net';
import { requestId } from '../request/request-id.js';
import { WyomingConnection, type WyomingOptions } from './connection.js';

/** Connections at a time; more are closed at once. One takes a place among live sessions only while it is heard. */
export const maxWyomingConnections = 128;

export class WyomingServer {
	readonly server: Server;
	/** Resolves when it serves nobody any more; it need not have listened. */
	readonly closed: Promise<void>;
	readonly #connections = new Set<WyomingConnection>();
	readonly #sockets = new Set<Socket>();
	#resolveClosed: () => void = () => {};

	constructor(options: WyomingOptions) {
		// A client that has said all may close its side, and still be answered.
		this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
			this.#sockets.add(socket);
			socket.once('close', () => this.#sockets.delete(socket));
			const connection: WyomingConnection = new WyomingConnection(socket, requestId(), options, () =>
				this.#connections.delete(connection),
			);
			this.#connections.add(connection);
		});
		this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
		this.server.maxConnections = maxWyomingConnections;
		this.server.on('drop', (dropped) =>
			options.log.warn({ address: dropped?.remoteAddress }, 'too many wyoming connections'),
		);
	}

	/** Takes no new connections; those on which nobody speaks are closed. */
	drain(): void {
		this.server.close(this.#resolveClosed);
		for (const connection of this.#connections) connection.drain();
	}

	/** Closes what is left, once what was answered is written. */
	destroy(): void {
		for (const socket of this.#sockets) socket.destroySoon();
	}
}
