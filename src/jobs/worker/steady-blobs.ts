/** Blobs for who works on jobs: a store that is away for a while is no fault of a job. */

import { existsSync } from 'node:fs';
import { codeOf } from '../../disk/disk.js';
import { EarshotError, reasonOf } from '../../errors.js';
import type { BlobStore } from '../blobs.js';

/** Reads and writes that fail throw `closed`, after which a unit is tried again, but for a full disk and a source that was
 * ended. Something that is missing is not yet there, or its folder is not mounted: a job's recording is deleted only with
 * the job. */
export function steadyBlobs(blobs: BlobStore): BlobStore {
	const away = (thrown: unknown): unknown => {
		const isKnown = thrown instanceof EarshotError && thrown.code !== 'not_found';
		if (isKnown || isEnded(thrown) || isFull(thrown)) return thrown;
		return new EarshotError('closed', `Recordings cannot be read or written: ${reasonOf(thrown)}`, {
			cause: thrown,
		});
	};
	const steadily = async <T>(act: () => Promise<T>): Promise<T> => {
		try {
			return await act();
		} catch (thrown) {
			throw away(thrown);
		}
	};
	return {
		put: (key, source) => steadily(() => blobs.put(key, source)),
		putFile: (key, file) => steadily(() => blobs.putFile(key, file)),
		async *get(key, range) {
			try {
				yield* blobs.get(key, range);
			} catch (thrown) {
				throw away(thrown);
			}
		},
		fileOf: (key) => {
			const file = blobs.fileOf(key);
			return file !== undefined && existsSync(file) ? file : undefined;
		},
		delete: (key) => steadily(() => blobs.delete(key)),
		list: (prefix) => blobs.list(prefix),
	};
}

const isFull = (thrown: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));

const isEnded = (thrown: unknown): boolean =>
	thrown instanceof Error && (thrown.name === 'AbortError' || codeOf(thrown) === 'ABORT_ERR');
