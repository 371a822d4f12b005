/** Request ids, for the response and the log. */

import { randomUUID } from 'node:crypto';

/** The client's own id, if it is safe in a header and a log line; else a new one. */
export function requestId(given = ''): string {
	return /^[\w.:-]{1,128}$/.test(given) ? given : `req_${randomUUID().replaceAll('-', '')}`;
}
