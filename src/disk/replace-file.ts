/** Files that are whole at any moment, and last through a power cut. */

import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { renameOver } from './disk.js';

/** Writes the file anew, or replaces it. Nobody reads half of it. Resolves when it has reached the disk. `mode`: who may
 * read it; default its user alone. Throws the system's error, and leaves nothing then. */
export async function replaceFile(file: string, text: string, mode = 0o600): Promise<void> {
	// A name of its own: never written through a link, nor into a file that others can read.
	const draft = `${file}.${randomUUID()}.part`;
	try {
		const handle = await open(draft, 'wx', mode);
		try {
			await handle.writeFile(text);
			await handle.datasync();
		} finally {
			await handle.close();
		}
		await renameOver(draft, file);
	} catch (thrown) {
		await rm(draft, { force: true });
		throw thrown;
	}
	await flushFolder(path.dirname(file));
}

/** Where the system can: a file's name is in its folder. */
async function flushFolder(folder: string): Promise<void> {
	const handle = await open(folder, 'r').catch(() => undefined);
	if (handle === undefined) return;
	try {
		await handle.sync();
	} catch {
		// Windows and some network file systems have no such thing.
	} finally {
		await handle.close();
	}
}
