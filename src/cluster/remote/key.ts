/** The secret by which gateways and workers know each other: whoever may use the queue may read it. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { changeRecord, type Records } from '../records/records.js';

const record = 'cluster-key';

/** Made by the first one. */
export async function clusterKey(records: Records): Promise<string> {
	const made = randomBytes(32).toString('base64url');
	let found = '';
	await changeRecord(records, record, (there) => {
		// An empty one would let anybody in.
		found = there?.value || made;
		return there?.value ? undefined : { commit: { put: { [record]: made } }, value: true };
	});
	return found;
}

/** `authorization`: a header as it came. */
export function isAuthorized(authorization: string | undefined, key: string): boolean {
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${key}`));
}
