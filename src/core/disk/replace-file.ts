/** Writes files atomically: after a power cut the old or the new content is complete. */

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { renameOver } from './disk.js';
import { hasEnded, processScope } from './process-alive.js';

/** Names of unfinished files, which readers ignore. */
export const unfinishedName = /^\.tmp-/;
/** `.tmp-<scope>-<process id>-<random>`: whose it is. */
const ownedName = /^\.tmp-([0-9a-f]{8})-(\d+)-/;
/** No write takes so long. */
const unfinishedMs = 3_600_000;

/** Calls `write` with a new file, which replaces `file` once all of it has reached the disk. If anything fails, `file`
 * stays as it was. Only this user can read the new file. Throws the system's error. */
export async function replaceFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
	const folder = path.dirname(file);
	const random = randomBytes(8).toString('hex');
	const unfinished = path.join(folder, `.tmp-${processScope}-${process.pid}-${random}`);
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

/**
 * Removes what writers that were killed have left in a folder; of those that cannot be seen, in other containers, what is
 * older than an hour. Throws the system's error.
 */
export async function removeUnfinished(folder: string, nowMs: number = Date.now()): Promise<void> {
	for (const name of await readdir(folder).catch(() => [])) {
		if (!unfinishedName.test(name)) continue;
		const file = path.join(folder, name);
		const changedMs = (await stat(file).catch(() => undefined))?.mtimeMs;
		if (changedMs === undefined) continue;
		const [, scope, pid] = ownedName.exec(name) ?? [];
		const isLeft =
			scope === processScope ? hasEnded(Number(pid), changedMs) : changedMs < nowMs - unfinishedMs;
		if (isLeft) await rm(file, { force: true });
	}
}

/** Resolves when the names in a folder have reached the disk. */
export async function syncFolder(folder: string): Promise<void> {
	// Windows cannot open folders, and makes names durable without it.
	if (process.platform === 'win32') return;
	const handle = await open(folder, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
