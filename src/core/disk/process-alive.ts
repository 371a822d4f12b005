/** Which processes run, and which of them this one can see. */

import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** True also for processes of other users. */
export function isAlive(pid: number): boolean {
	try {
		// Signal 0 only checks.
		process.kill(pid, 0);
		return true;
	} catch (thrown) {
		return (thrown as NodeJS.ErrnoException).code === 'EPERM';
	}
}

/** Processes with the same one can see each other: those of one container, or of one machine outside of any. */
export const processScope = createHash('sha256')
	.update(`${hostname()} ${pidNamespace()}`)
	.digest('hex')
	.slice(0, 8);

function pidNamespace(): string {
	try {
		return readlinkSync('/proc/self/ns/pid');
	} catch {
		// Not Linux.
		return '';
	}
}

/**
 * Whether the process of this scope has ended that changed something at `changedMs`. In a container the next process often
 * has the same id; what it has made itself is younger than it is.
 */
export function hasEnded(pid: number, changedMs: number): boolean {
	return pid === process.pid ? changedMs < Date.now() - process.uptime() * 1000 : !isAlive(pid);
}
