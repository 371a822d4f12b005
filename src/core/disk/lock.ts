/** Locks between processes, also on different machines that share the folder. The lock of a process that died becomes
 * stale. */

import { setTimeout as after } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { codeOf, EarshotError } from '../errors.js';

/** An owner that has not updated its lock for this long counts as dead. */
const staleMs = 10_000;
const updateMs = 2_000;
const pollMs = 250;

export interface Lock {
	/** Aborts when another process has taken over the lock as stale, for example after a laptop's sleep. */
	readonly lost: AbortSignal;
	release(): Promise<void>;
}

/** Waits until the lock is free; `onWait` is called once if it is taken. Throws `cancelled`. */
export async function takeLock(path: string, signal: AbortSignal, onWait?: () => void): Promise<Lock> {
	const lost = new AbortController();
	let waited = false;
	for (;;) {
		if (signal.aborted) throw new EarshotError('cancelled', 'the download was cancelled');
		try {
			const release = await lock(path, {
				realpath: false,
				stale: staleMs,
				update: updateMs,
				onCompromised: () =>
					lost.abort(
						new EarshotError('conflict', 'another process took over; try again when it has finished'),
					),
			});
			// Releasing a lock that was lost fails, and that is no error here.
			return { lost: lost.signal, release: () => release().catch(() => {}) };
		} catch (thrown) {
			if (codeOf(thrown) !== 'ELOCKED') throw thrown;
		}
		if (!waited) onWait?.();
		waited = true;
		// Polls, since other processes cannot signal a release.
		await after(pollMs, undefined, { signal }).catch(() => {});
	}
}
