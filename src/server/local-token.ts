/**
 * The local token: a secret that a running server writes for the commands of its own user, to a file that only that
 * user can read. It is accepted like an API key, generated at each start, and removed at shutdown.
 */

import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { socketPathOf } from '../core/config/addresses.js';
import { stateFolder } from '../core/config/folders.js';
import { makeFolder } from '../core/disk/disk.js';

export function newToken(): string {
	return `local-${randomBytes(32).toString('base64url')}`;
}

/** The token file of the server at that address. `host` matters only for Unix sockets, since commands identify other
 * servers by their port. */
export function tokenFileOf(
	{ host, port }: { readonly host: string; readonly port: number },
	folder: string = stateFolder(),
): string {
	const socketPath = socketPathOf(host);
	const name =
		socketPath === undefined
			? String(port)
			: createHash('sha256').update(socketPath).digest('hex').slice(0, 16);
	return path.join(folder, `server-${name}.token`);
}

/** Next to the token file: the certificate of the server at that address, so that its user's commands trust it, even if
 * it is self-signed. */
export function certificateFileOf(
	address: { readonly host: string; readonly port: number },
	folder: string = stateFolder(),
): string {
	return tokenFileOf(address, folder).replace(/token$/, 'pem');
}

/** Replaces the file of an earlier server. Throws the file system's error. */
export async function writeToken(file: string, token: string): Promise<void> {
	await makeFolder(path.dirname(file), 0o700);
	// A new file, renamed: never written through a link, nor into a file that others can read.
	const fresh = `${file}.${process.pid}`;
	await rm(fresh, { force: true });
	const handle = await open(fresh, 'wx', 0o600);
	try {
		await handle.writeFile(token);
	} finally {
		await handle.close();
	}
	await rename(fresh, file);
}

/** Writes the server's certificate; without TLS, removes the file of an earlier server. Throws the file system's
 * error. */
export async function writeCertificate(file: string, pem: string | undefined): Promise<void> {
	if (pem === undefined) await rm(file, { force: true });
	else await writeToken(file, pem);
}

/** undefined if there is none. */
export async function readCertificate(file: string): Promise<string | undefined> {
	return await readFile(file, 'utf8').catch(() => undefined);
}

/** undefined if there is none, or this user cannot read it. */
export async function readToken(file: string): Promise<string | undefined> {
	const text = await readFile(file, 'utf8').catch(() => '');
	return /^local-[\w-]{43}$/.test(text) ? text : undefined;
}

/** Like `removeToken`. */
export async function removeCertificate(file: string, pem: string): Promise<void> {
	if ((await readCertificate(file)) === pem) await rm(file, { force: true });
}

/** Removes the token file, unless another server at the same address has replaced it since. */
export async function removeToken(file: string, token: string): Promise<void> {
	if ((await readToken(file)) === token) await rm(file, { force: true });
}
