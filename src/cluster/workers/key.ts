/** The secret by which gateways and workers authenticate each other. Any process with access to the queue can read
 * it. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { changeRecord, type Records } from '../records/records.js';

const record = 'cluster-key';

/** The key of the cluster; the first process creates it. */
export async function clusterKey(records: Records): Promise<string> {
	const made = randomBytes(32).toString('base64url');
	let found = '';
	await changeRecord(records, record, (there) => {
		// An empty key would let any client in.
		found = there?.value || made;
		return there?.value ? undefined : { commit: { put: { [record]: made } }, value: true };
	});
	return found;
}

/** `authorization`: the header as received. */
export function isAuthorized(authorization: string | undefined, key: string): boolean {
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${key}`));
}
