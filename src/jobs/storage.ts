/** All that keeps jobs, opened together. */

import type { BlobStore } from './blobs.js';
import type { JobQueue } from './queue.js';
import type { JobStore } from './store.js';

export interface JobStorage {
	readonly store: JobStore;
	readonly queue: JobQueue;
	readonly blobs: BlobStore;
	/** Aborts when it may be used no longer, as when another server took it over; its reason is an EarshotError. */
	readonly lost: AbortSignal;
	close(): Promise<void>;
}
