/** Job storage of a single server in one folder: store, queue and blobs. */

import type { Clock } from '../../core/clock.js';
import { makeFolder } from '../../core/disk/disk.js';
import type { JobStorage } from '../storage.js';
import { FolderBlobs } from './folder-blobs.js';
import { lockFolder } from './folder-lock.js';
import { FolderQueue } from './folder-queue.js';
import { FolderStore } from './folder-store.js';

/** Creates the folder if it is missing. Throws `conflict` if another server uses it, and the system's errors. */
export async function openFolderJobs(folder: string, clock: Clock): Promise<JobStorage> {
	await makeFolder(folder, 0o700);
	const lock = await lockFolder(folder);
	try {
		const store = await FolderStore.open(folder);
		const queue = new FolderQueue(folder, clock);
		return {
			store,
			queue,
			blobs: new FolderBlobs(folder),
			lost: lock.lost,
			close: async () => {
				await queue.close();
				await store.close();
				await lock.release();
			},
		};
	} catch (thrown) {
		await lock.release();
		throw thrown;
	}
}
