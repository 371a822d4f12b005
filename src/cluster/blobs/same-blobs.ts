/** Checks that a blob store is the one that the other machines use: a folder that is not mounted looks empty. */

import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { EarshotError } from '../../core/errors.js';
import { type BlobStore, jsonBytes, readBlob } from '../../jobs/blobs.js';
import { changeRecord, type Records } from '../records/records.js';

const record = 'blob-store';
const markKey = 'earshot/store.json';
/** Times that a machine looks for the mark, which the one that came first may be about to write. */
const markTries = 6;
const markPauseMs = 500;
const jobsIndex = 'jobs';

/**
 * Returns what is wrong; undefined if the store is that of the queue's other machines. The first machine writes a mark into
 * the store, and no other one does: a folder that is not mounted looks the same before the first job. Throws the store's
 * errors.
 */
export async function foreignStore(
	records: Records,
	blobs: BlobStore,
	pause: (ms: number) => Promise<unknown> = (ms) => after(ms, undefined, { ref: false }),
): Promise<string | undefined> {
	let mark = await markOf(blobs);
	// A queue that has lost its data adopts the mark of the store.
	const own = mark ?? randomUUID();
	let known: unknown = own;
	const isFirst = await changeRecord(records, record, (found) => {
		known = found?.value ?? own;
		return found ? undefined : { commit: { put: { [record]: own } }, value: true };
	});
	if (mark === undefined && isFirst) {
		await blobs.put(markKey, jsonBytes({ id: own }));
		return undefined;
	}
	const [jobs = 0] = await records.sizes([jobsIndex]);
	// Once there are jobs, all have been there long enough.
	const maxTries = jobs > 0 ? 0 : markTries;
	for (let tries = 0; mark === undefined && tries < maxTries; tries++) {
		await pause(markPauseMs);
		mark = await markOf(blobs);
	}
	if (mark === known) return undefined;
	return `is not the place that the other machines of this queue use: mount the same folder, or name the same bucket, everywhere. If it was moved or emptied on purpose, its file ${markKey} must be ${JSON.stringify({ id: known })}`;
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
