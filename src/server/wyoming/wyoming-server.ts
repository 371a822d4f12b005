/** The server for Home Assistant's Wyoming protocol. It has no authentication: every client that reaches the port is
 * served. */

import { createServer, type Server, type Socket } from 'node:net';
import { requestId } from '../request/request-id.js';
import { WyomingConnection, type WyomingOptions } from './connection.js';

/** Maximum concurrent connections; further ones are closed at once. A connection counts as a live session only while
 * its audio is being transcribed. */
export const maxWyomingConnections = 128;

export class WyomingServer {
	readonly server: Server;
	/** Resolves when all connections are closed; also if it never listened. */
	readonly closed: Promise<void>;
	readonly #connections = new Set<WyomingConnection>();
	readonly #sockets = new Set<Socket>();
	#resolveClosed: () => void = () => {};

	constructor(options: WyomingOptions) {
		// A client that has sent everything may close its side and still receives the response.
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

	/** Accepts no new connections, and closes those without an utterance. */
	drain(): void {
		this.server.close(this.#resolveClosed);
		for (const connection of this.#connections) connection.drain();
	}

	/** Closes the remaining connections once their responses are written. */
	destroy(): void {
		for (const socket of this.#sockets) socket.destroySoon();
	}
}
