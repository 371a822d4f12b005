/**
 * A secret that a running server leaves for the commands of its own user, in a file that only that user can read. It is
 * as good as an API key, made anew at each start, and removed at the end.
 */

import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { socketPathOf } from '../config/addresses.js';
import { stateFolder } from '../config/folders.js';
import { makeFolder } from '../disk/disk.js';

export function newToken(): string {
	return `local-${randomBytes(32).toString('base64url')}`;
}

/** The file of the server at that address. `host` matters for sockets alone: a port has one server that commands mean. */
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

/** Beside it: the certificate that the server at that address shows, so that its user's commands trust it, whoever made it. */
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

/** Of a server without TLS: that of an earlier one is removed. Throws the file system's error. */
export async function writeCertificate(file: string, pem: string | undefined): Promise<void> {
	if (pem === undefined) await rm(file, { force: true });
	else await writeToken(file, pem);
}

/** undefined where there is none. */
export async function readCertificate(file: string): Promise<string | undefined> {
	return await readFile(file, 'utf8').catch(() => undefined);
}

/** undefined where there is none, or where this user cannot read it. */
export async function readToken(file: string): Promise<string | undefined> {
	const text = await readFile(file, 'utf8').catch(() => '');
	return /^local-[\w-]{43}$/.test(text) ? text : undefined;
}

/** Like `removeToken`. */
export async function removeCertificate(file: string, pem: string): Promise<void> {
	if ((await readCertificate(file)) === pem) await rm(file, { force: true });
}

/** Leaves the file of a server that has started since at the same address. */
export async function removeToken(file: string, token: string): Promise<void> {
	if ((await readToken(file)) === token) await rm(file, { force: true });
}
