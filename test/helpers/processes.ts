/** Processes of hosts, seen from outside. */

import { vi } from 'vitest';

/** Processes start and end in their own time, on a busy machine too. */
export const patient = { timeout: 15_000, interval: 10 };

export function isAlive(pid: number | null | undefined): boolean {
	try {
		// Nobody has the id 2^31; 0 would mean this process' own group.
		process.kill(pid ?? 2 ** 31 - 1, 0);
		return true;
	} catch {
		return false;
	}
}

/** Resolves when the process is no more. */
export async function gone(pid: number | null | undefined): Promise<void> {
	await vi.waitUntil(() => !isAlive(pid), patient);
}
