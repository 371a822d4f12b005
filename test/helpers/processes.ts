/** Observes runner processes from outside. */

import { existsSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { vi } from 'vitest';
import { root } from './fixtures.js';

/** A timeout for processes to start and end, long enough for a busy machine. */
export const patient = { timeout: 15_000, interval: 10 };

export function isAlive(pid: number | null | undefined): boolean {
	try {
		// No process has the id 2^31; 0 would mean this process's own group.
		process.kill(pid ?? 2 ** 31 - 1, 0);
		return true;
	} catch {
		return false;
	}
}

/** Resolves when the process has ended. */
export async function untilEnded(pid: number | null | undefined): Promise<void> {
	await vi.waitUntil(() => !isAlive(pid), patient);
}

/** The compiled command as npm installs it: a link called `earshot`, in `folder`. */
export function commandIn(folder: string): string {
	const link = path.join(folder, 'earshot');
	if (!existsSync(link)) symlinkSync(path.join(root, 'dist', 'cli', 'main.js'), link);
	return link;
}

/** Until the fake runner hangs in `/spin` for that time, and all that it sent before has been read. */
export async function untilHung(file: string, time: number): Promise<void> {
	await vi.waitUntil(() => existsSync(file) && statSync(file).size === time, patient);
	await new Promise((resolve) => setImmediate(resolve));
}
