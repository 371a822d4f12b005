/** Keeps a second server out of a folder of jobs. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Lock, takeLock } from '../../disk/lock.js';
import { isAlive, processScope } from '../../disk/process-alive.js';
import { EarshotError } from '../../errors.js';

interface Owner {
	readonly pid: number;
	readonly scope: string;
}

/** Folders of this process, whose servers may be several. */
const held = new Set<string>();

/** Longer than the lock of a machine that vanished takes to go stale. */
const patienceMs = 15_000;

/** Throws `conflict` where another server holds it. */
export async function lockFolder(folder: string): Promise<Lock> {
	const ownerFile = path.join(folder, 'owner.json');
	const owner = await ownerOf(ownerFile);
	// Whoever was killed cannot give its lock back, and it would go stale only after seconds.
	const isOurs = held.has(folder);
	if (owner && !isOurs && isGone(owner))
		await rm(path.join(folder, 'folder.lock'), { recursive: true, force: true });
	const isOther = isOurs || (owner?.scope === processScope && !isGone(owner));
	const patience = AbortSignal.timeout(isOther ? 0 : patienceMs);
	try {
		const lock = await takeLock(path.join(folder, 'folder'), patience);
		await writeFile(ownerFile, JSON.stringify({ pid: process.pid, scope: processScope }), { mode: 0o600 });
		held.add(folder);
		const release = async (): Promise<void> => {
			held.delete(folder);
			// Another has written its own by now.
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
		// Nobody yet, or a torn file; the lock itself decides.
		return undefined;
	}
}

/** Another process of the same id, as in a container that was started again, is an earlier one. */
function isGone({ pid, scope }: Owner): boolean {
	return scope === processScope && (pid === process.pid || !isAlive(pid));
}
