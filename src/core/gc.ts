/** Garbage collector settings of a server process and of runners. */

import { setFlagsFromString } from 'node:v8';

/** V8's own maximum: collect once the heap has grown this many per cent over what was alive. */
export const heapGrowth = '--heap-growing-percent=300';

/**
 * Call once in a process. Uploads and samples are held outside the JavaScript heap, in two copies for a while, and V8
 * counts them as heap growth. On a busy machine V8 then runs a full collection every few dozen requests, which takes a
 * third of the process's CPU time; the flag restores the rate of an idle machine. V8 reads the flag at each collection.
 */
export function tuneGc(): void {
	setFlagsFromString(heapGrowth);
}
