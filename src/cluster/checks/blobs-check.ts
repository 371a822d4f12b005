/** Checks that recordings can be written, read and deleted at a URL, and that other machines use the same store. */

import { randomBytes } from 'node:crypto';
import { access, constants, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { EarshotError } from '../../core/errors.js';
import { withoutSecrets } from '../../core/optional-packages.js';
import { type BlobStore, readBlob } from '../../jobs/blobs.js';
import { openBlobs } from '../blobs/open-blobs.js';
import { foreignStore } from '../blobs/same-blobs.js';
import type { Records } from '../records/records.js';
import type { SharedFinding } from './finding.js';

const probeBytes = 1024;

/** `records`: of the queue, if it can be reached. Throws the store's errors. */
export async function checkBlobs(url: string, records: Records | undefined): Promise<SharedFinding> {
	const place = withoutSecrets(url);
	const finding = (ok: boolean, detail: string): SharedFinding => ({ ok, what: 'blobs', detail });
	const unfit = new URL(url).protocol === 'file:' ? await unfitFolder(fileURLToPath(url)) : undefined;
	if (unfit !== undefined) return finding(false, unfit);
	const { blobs, close } = await openBlobs(url);
	try {
		await roundTrip(blobs);
		const wrong = records && (await foreignStore(records, blobs));
		if (wrong !== undefined) return finding(false, `${place} ${wrong}`);
		return finding(true, `${place} can be written and read${records ? ', and is that of the queue' : ''}`);
	} finally {
		await close();
	}
}

/** The shared folder must exist before Earshot starts. Returns what is wrong with it. */
async function unfitFolder(folder: string): Promise<string | undefined> {
	const found = await stat(folder).catch(() => undefined);
	if (!found?.isDirectory()) return `there is no folder ${folder}: mount the one that all machines share`;
	try {
		await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
		return undefined;
	} catch {
		return `the folder ${folder} cannot be written by this user`;
	}
}

async function roundTrip(blobs: BlobStore): Promise<void> {
	const bytes = randomBytes(probeBytes);
	const key = `earshot/doctor-${randomBytes(8).toString('hex')}`;
	try {
		await blobs.put(
			key,
			(async function* () {
				yield bytes;
			})(),
		);
		if (!(await readBlob(blobs, key)).equals(bytes))
			throw new EarshotError('internal', 'the data read differs from the data written');
	} finally {
		await blobs.delete(key).catch(() => {});
	}
}
