/** Exclusive lock that keeps a second server out of a job folder. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Lock, takeLock } from '../../core/disk/lock.js';
import { isAlive, processScope } from '../../core/disk/process-alive.js';
import { EarshotError } from '../../core/errors.js';

interface Owner {
	readonly pid: number;
	readonly scope: string;
}

/** Folders locked by this process, which may run several servers. */
const held = new Set<string>();

/** Longest wait for the lock: longer than the lock of a crashed machine takes to expire. */
const timeoutMs = 15_000;

/** Throws `conflict` if another server holds the lock. */
export async function lockFolder(folder: string): Promise<Lock> {
	const ownerFile = path.join(folder, 'owner.json');
	const owner = await ownerOf(ownerFile);
	// A killed process cannot release its lock, which would expire only after several seconds.
	const isHeldHere = held.has(folder);
	if (owner && !isHeldHere && hasEnded(owner))
		await rm(path.join(folder, 'folder.lock'), { recursive: true, force: true });
	const isOther = isHeldHere || (owner?.scope === processScope && !hasEnded(owner));
	const timeout = AbortSignal.timeout(isOther ? 0 : timeoutMs);
	try {
		const lock = await takeLock(path.join(folder, 'folder'), timeout);
		await writeFile(ownerFile, JSON.stringify({ pid: process.pid, scope: processScope }), { mode: 0o600 });
		held.add(folder);
		const release = async (): Promise<void> => {
			held.delete(folder);
			// After the lock is lost, the file may belong to another server.
			if (!lock.lost.aborted) await rm(ownerFile, { force: true });
			await lock.release();
		};
		return { lost: lock.lost, release };
	} catch (thrown) {
		if (!(thrown instanceof EarshotError) || thrown.code !== 'cancelled') throw thrown;
		throw new EarshotError(
			'conflict',
			`Another server uses the folder of jobs at ${folder}: give this one its own with --jobs-dir`,
			{ cause: thrown, param: 'jobs_dir' },
		);
	}
}

async function ownerOf(file: string): Promise<Owner | undefined> {
	try {
		return JSON.parse(await readFile(file, 'utf8')) as Owner;
	} catch {
		// No file or a truncated one: the lock itself decides.
		return undefined;
	}
}

/** Whether the owner has ended. An owner with this process's id is an earlier process, as in a restarted container. */
function hasEnded({ pid, scope }: Owner): boolean {
	return scope === processScope && (pid === process.pid || !isAlive(pid));
}
