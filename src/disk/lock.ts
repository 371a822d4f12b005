/** One process at a time, also across machines that share the folder. A lock that its owner left by dying goes
 * stale by itself. */

import { setTimeout as after } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { EarshotError } from '../errors.js';
import { codeOf } from './disk.js';

/** Without a sign of life for so long, the owner is taken for dead. */
const staleMs = 10_000;
const updateMs = 2_000;
const lookAgainMs = 250;

export interface Lock {
	/** Fires when somebody else took it for stale, as after a laptop's sleep. */
	readonly lost: AbortSignal;
	release(): Promise<void>;
}

/** Waits for its turn; `onWait` is called once where there is one to wait for. */
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
			// Releasing what was lost is no error of ours.
			return { lost: lost.signal, release: () => release().catch(() => {}) };
		} catch (thrown) {
			if (codeOf(thrown) !== 'ELOCKED') throw thrown;
		}
		if (!waited) onWait?.();
		waited = true;
		// Other processes cannot wake us.
		await after(lookAgainMs, undefined, { signal }).catch(() => {});
	}
}
