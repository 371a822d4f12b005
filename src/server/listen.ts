/** Opens the address that a server listens on: a port, or a Unix socket. */

import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import { type AddressInfo, connect, type Server } from 'node:net';
import { addressText, socketPathOf } from '../core/config/addresses.js';
import { EarshotError } from '../core/errors.js';

export interface ServerAddress {
	/** An IP address, or `unix:` and the path of the socket. */
	readonly host: string;
	/** 0 for a socket. */
	readonly port: number;
	/** Without a trailing slash; for a socket `unix:` and its path. */
	readonly url: string;
}

/** Throws `config_invalid`. */
export async function listen(
	server: Server,
	host: string,
	port: number,
	protocol: 'http' | 'https' | 'tcp',
): Promise<ServerAddress> {
	const socketPath = socketPathOf(host);
	const where = addressText(host, port);
	if (socketPath !== undefined) await removeLeftSocket(socketPath, where);
	try {
		if (socketPath === undefined) server.listen(port, host);
		else server.listen(socketPath);
		await once(server, 'listening');
	} catch (cause) {
		const { code, message } = cause as NodeJS.ErrnoException;
		const reasons: Record<string, string> = {
			EADDRINUSE: `another program already listens on ${where}`,
			// For a socket, Node also reports a missing folder as EACCES.
			EACCES: `this user may not listen on ${where}${socketPath === undefined ? '' : ', or its folder does not exist'}`,
			EADDRNOTAVAIL: `${where} is not an address of this machine`,
			ENOTFOUND: `${host} is not a host name that this machine can resolve`,
		};
		throw new EarshotError('config_invalid', reasons[code ?? ''] ?? `cannot listen on ${where}: ${message}`, {
			cause,
		});
	}
	if (socketPath !== undefined) return { host, port: 0, url: where };
	const found = server.address() as AddressInfo;
	return {
		host: found.address,
		port: found.port,
		url: `${protocol}://${addressText(found.address, found.port)}`,
	};
}

/** Removes the socket of a killed server, but not one that accepts connections. Throws `config_invalid` for a file that
 * is not a socket, which the system would report as in use. */
async function removeLeftSocket(socketPath: string, where: string): Promise<void> {
	const found = await lstat(socketPath).catch(() => undefined);
	if (found === undefined) return;
	if (!found.isSocket()) {
		const kind = found.isDirectory() ? 'a folder' : 'a file';
		throw new EarshotError('config_invalid', `cannot listen on ${where}: it is ${kind}, not a socket`);
	}
	const isServed = await new Promise<boolean>((resolve) => {
		const probe = connect(socketPath);
		probe.once('connect', () => resolve(true));
		probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
		probe.once('connect', () => probe.destroy());
	});
	// If it cannot be removed, listening fails with the reason.
	if (!isServed) await unlink(socketPath).catch(() => {});
}
