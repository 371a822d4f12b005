/** Webhook storage in a folder of one machine. Several servers may share the folder. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/disk/disk.js';
import { takeLock } from '../../core/disk/lock.js';
import type { WebhookStorage } from '../storage.js';
import { FolderDeliveries } from './folder-deliveries.js';
import { FolderEndpoints } from './folder-endpoints.js';

/** The folder is created on first use. */
export function folderWebhooks(folder: string): WebhookStorage {
	return {
		endpoints: new FolderEndpoints(path.join(folder, 'endpoints')),
		deliveries: new FolderDeliveries(path.join(folder, 'deliveries')),
		place: folder,
		isUsed: async () => (await stat(folder).catch(() => undefined))?.isDirectory() === true,
		lead: async (signal) => {
			await makeFolder(folder, 0o700);
			return await takeLock(path.join(folder, 'delivering'), signal);
		},
		// No notifications: deliveries of other servers are found by the periodic scan.
		listen: async () => () => {},
	};
}
