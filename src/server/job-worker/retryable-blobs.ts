/** A blob store for workers: failures of an unavailable store are retryable, so they do not fail a job. */

import { existsSync } from 'node:fs';
import { codeOf, EarshotError, reasonOf } from '../../core/errors.js';
import type { BlobStore } from '../../jobs/blobs.js';

/** Failed reads and writes throw the retryable error `closed`, except for a full disk, an aborted source, and other
 * known errors. `not_found` becomes `closed` too: a missing blob is not visible yet, or its folder is not mounted,
 * since a job's recording is deleted only when the job ends. */
export function retryableBlobs(blobs: BlobStore): BlobStore {
	const asRetryable = (thrown: unknown): unknown => {
		const isKnown = thrown instanceof EarshotError && thrown.code !== 'not_found';
		if (isKnown || isEnded(thrown) || isFull(thrown)) return thrown;
		return new EarshotError('closed', `Recordings cannot be read or written: ${reasonOf(thrown)}`, {
			cause: thrown,
		});
	};
	const retryable = async <T>(act: () => Promise<T>): Promise<T> => {
		try {
			return await act();
		} catch (thrown) {
			throw asRetryable(thrown);
		}
	};
	return {
		put: (key, source) => retryable(() => blobs.put(key, source)),
		putFile: (key, file) => retryable(() => blobs.putFile(key, file)),
		async *get(key, range) {
			try {
				yield* blobs.get(key, range);
			} catch (thrown) {
				throw asRetryable(thrown);
			}
		},
		fileOf: (key) => {
			const file = blobs.fileOf(key);
			return file !== undefined && existsSync(file) ? file : undefined;
		},
		delete: (key) => retryable(() => blobs.delete(key)),
		list: (prefix) => blobs.list(prefix),
	};
}

const isFull = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));

const isEnded = (thrown: unknown): boolean =>
	thrown instanceof Error && (thrown.name === 'AbortError' || codeOf(thrown) === 'ABORT_ERR');
