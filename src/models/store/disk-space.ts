/** Checks for enough disk space before a download starts. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Disk } from '../../core/disk/disk.js';
import { EarshotError } from '../../core/errors.js';
import { filesBelow, type Store } from './store.js';

/** Disk space left free for other programs. */
const reservedBytes = 64 * 2 ** 20;

/** `bytes`: the total, including what is already below `incoming`. Throws `disk_full`. */
export async function checkSpace(
	id: string,
	bytes: number,
	store: Store,
	disk: Pick<Disk, 'freeBytes'>,
	incoming: string,
): Promise<void> {
	const free = await disk.freeBytes(store.modelDir);
	if (free === null) return;
	const sizes = await Promise.all(
		(await filesBelow(incoming)).map(async (file) => (await stat(path.join(incoming, file))).blocks * 512),
	);
	const needed = bytes - sizes.reduce((sum, size) => sum + size, 0) + reservedBytes;
	if (needed <= free) return;
	const [need, have] = [needed, free].map((size) => `${(size / 1e9).toFixed(2)} GB`);
	throw new EarshotError(
		'disk_full',
		`${id} needs ${need} on the disk of ${store.modelDir}, but only ${have} are free; free some space, or choose another disk with --model-dir`,
	);
}
