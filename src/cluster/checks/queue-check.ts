/** Whether the queue that a URL names can be reached and keeps what it is given. */

import type { CheckedQueue } from './finding.js';
import { checkPostgres } from './postgres-check.js';
import { checkRedis } from './redis-check.js';

/** Throws what the server or its client throws. */
export async function checkQueue(url: string): Promise<CheckedQueue> {
	const isPostgres = /^postgres(ql)?:$/.test(new URL(url).protocol);
	return await (isPostgres ? checkPostgres(url) : checkRedis(url));
}
