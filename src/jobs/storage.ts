/** The stores of jobs, opened together. */

import type { BlobStore } from './blobs.js';
import type { JobQueue } from './queue.js';
import type { JobStore } from './store.js';

export interface JobStorage {
	readonly store: JobStore;
	readonly queue: JobQueue;
	readonly blobs: BlobStore;
	/** Aborts when the storage must no longer be used, such as when another server has taken it over. Its reason is an
	 * EarshotError. */
	readonly lost: AbortSignal;
	close(): Promise<void>;
}
