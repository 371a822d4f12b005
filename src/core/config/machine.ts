/** Processors and memory that Earshot may use on this machine, within the limits of a container. */

import { availableParallelism, totalmem } from 'node:os';
import { cpuQuota, usableThreads } from './cpu-quota.js';

/** Threads that can run at once. */
export const machineThreads = usableThreads(availableParallelism(), cpuQuota());

/** Memory available to this process and its children. */
export function machineBytes(): number {
	const bound = process.constrainedMemory();
	return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}
