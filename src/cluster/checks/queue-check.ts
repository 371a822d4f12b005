/** Checks that the queue at a URL can be reached and keeps jobs safely. */

import type { CheckedQueue } from './finding.js';
import { checkPostgres } from './postgres-check.js';
import { checkRedis } from './redis-check.js';

/** Throws errors of the server and its client. */
export async function checkQueue(url: string): Promise<CheckedQueue> {
	const isPostgres = /^postgres(ql)?:$/.test(new URL(url).protocol);
	return await (isPostgres ? checkPostgres(url) : checkRedis(url));
}
