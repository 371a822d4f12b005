/** How a process that serves deals with its garbage. */

import { setFlagsFromString } from 'node:v8';

/** V8's own, at most: garbage is collected once there is this much more than what is alive, in per cent. */
export const heapGrowth = '--heap-growing-percent=300';

/**
 * For the process of a server, once. An upload lies outside of JavaScript's heap, twice until it is with a host, and to
 * V8 that is a heap that grows. On a busy machine it then collects all of it every few dozen requests, which takes a
 * third of the server's processor time; this keeps it to what it does on a quiet one. V8 reads it at each collection.
 */
export function tuneGc(): void {
	setFlagsFromString(heapGrowth);
}
