/** A temporary file for a blob that is being uploaded: its size and digest are known once it is complete. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { codeOf, EarshotError } from '../../core/errors.js';
import type { BlobRef } from '../../jobs/blobs.js';

/** Writes all bytes and flushes them to the disk. */
export async function writeBlobFile(
	file: string,
	source: AsyncIterable<Uint8Array>,
): Promise<Pick<BlobRef, 'size' | 'sha256'>> {
	const hash = createHash('sha256');
	let size = 0;
	const handle = await open(file, 'wx', 0o600);
	try {
		await pipeline(source, async (pieces) => {
			for await (const piece of pieces) {
				hash.update(piece);
				await handle.appendFile(piece);
				size += piece.length;
			}
		});
		await handle.sync();
	} finally {
		await handle.close();
	}
	return { size, sha256: hash.digest('hex') };
}

export function asDiskFull(thrown: unknown): unknown {
	if (!['ENOSPC', 'EDQUOT'].includes(codeOf(thrown))) return thrown;
	return new EarshotError('disk_full', 'The disk for uploads is full: free some space', { cause: thrown });
}
