/** Checks that a blob store is the one that the other machines use: a folder that is not mounted looks empty. */

import { randomUUID } from 'node:crypto';
import { EarshotError } from '../../errors.js';
import { type BlobStore, jsonBytes, readBlob } from '../../jobs/blobs.js';
import { changeRecord, type Records } from '../records/records.js';

const record = 'blob-store';
const markKey = 'earshot/store.json';
const jobsIndex = 'jobs';

/** The first machine writes a marker into the store. False: the marker differs from the queue's, or is missing
 * although there are jobs. Throws the store's errors. */
export async function isSharedStore(records: Records, blobs: BlobStore): Promise<boolean> {
	const mark = await markOf(blobs);
	let known = mark ?? randomUUID();
	// A queue that has lost its data adopts the marker of the store.
	await changeRecord(records, record, (found) => {
		known = found?.value ?? known;
		return found ? undefined : { commit: { put: { [record]: known } }, value: true };
	});
	if (mark !== undefined) return mark === known;
	const [jobs = 0] = await records.sizes([jobsIndex]);
	if (jobs > 0) return false;
	await blobs.put(markKey, jsonBytes({ id: known }));
	return true;
}

async function markOf(blobs: BlobStore): Promise<string | undefined> {
	try {
		const { id } = JSON.parse((await readBlob(blobs, markKey)).toString('utf8')) as { readonly id: string };
		return id;
	} catch (thrown) {
		if (thrown instanceof EarshotError && thrown.code === 'not_found') return undefined;
		throw thrown;
	}
}
