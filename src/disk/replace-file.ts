/** Writing files that are whole after a power cut. */

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { renameOver } from './disk.js';

/** A name that no reader takes for a file. */
export const unfinishedName = /^\.tmp-/;

/** Calls `write` with a new file, which takes the place of `file` when all of it has reached the disk. Whatever fails
 * leaves `file` as it was. Only this user can read it. Throws the system's error. */
export async function replaceFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
	const folder = path.dirname(file);
	const unfinished = path.join(folder, `.tmp-${randomBytes(8).toString('hex')}`);
	const handle = await open(unfinished, 'wx', 0o600);
	try {
		try {
			await write(handle);
			await handle.sync();
		} finally {
			await handle.close();
		}
		await renameOver(unfinished, file);
	} catch (thrown) {
		await unlink(unfinished).catch(() => {});
		throw thrown;
	}
	await syncFolder(folder);
}

/** The names in a folder have reached the disk. */
export async function syncFolder(folder: string): Promise<void> {
	// Windows opens no folders, and keeps names by itself.
	if (process.platform === 'win32') return;
	const handle = await open(folder, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
