/** Converts failures of the server behind the records into EarshotErrors: it is unreachable, or it is full. */

import { EarshotError, isError } from '../../core/errors.js';
import type { Records } from './records.js';

const retryAfterSeconds = 5;

/** Messages of the Redis and PostgreSQL clients for errors without a code. */
const unreachableMessages =
	/connection is closed|connection terminated|not queryable|timeout expired|max retries per request|command timed out|isn't writeable|timeout exceeded when trying|query read timeout|cannot use a pool|^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS) /i;
/** Codes of sockets; of PostgreSQL: connection errors, too many connections, shutdown, and a server that became a
 * standby. */
const unreachableCodes = /^(E(CONN|PIPE|TIMEDOUT|HOST|NOTFOUND|AI_AGAIN)|08|53300|57P|25006)/;
/** Redis: out of memory, or its disk is full. */
const fullMessages = /^(OOM|MISCONF) /;
const fullCodes = /^(53100|53200|58030)/;

/** An EarshotError for an outage of the server; other errors unchanged. Pure. */
export function asOutage(thrown: unknown): unknown {
	if (!isError(thrown) || thrown instanceof EarshotError) return thrown;
	const { code } = thrown as { readonly code?: unknown };
	const codeText = typeof code === 'string' ? code : '';
	if (fullCodes.test(codeText) || fullMessages.test(thrown.message))
		return new EarshotError(
			'disk_full',
			'The queue of this server is full: its memory or its disk; free some, or give it more',
			{
				cause: thrown,
			},
		);
	if (!unreachableCodes.test(codeText) && !unreachableMessages.test(thrown.message)) return thrown;
	return new EarshotError('closed', 'The queue of this server cannot be reached now: try again later', {
		cause: thrown,
		retryAfterSeconds,
	});
}

/** The same records, whose methods throw `closed` while the server is unreachable, and `disk_full` while it is
 * full. */
export function withOutages(records: Records): Records {
	const withOutage = async <T>(answer: Promise<T>): Promise<T> => {
		try {
			return await answer;
		} catch (thrown) {
			throw asOutage(thrown);
		}
	};
	return {
		get: (keys) => withOutage(records.get(keys)),
		commit: (changes) => withOutage(records.commit(changes)),
		page: (index, page) => withOutage(records.page(index, page)),
		between: (index, min, max, limit) => withOutage(records.between(index, min, max, limit)),
		sizes: (indexes) => withOutage(records.sizes(indexes)),
		counts: (names) => withOutage(records.counts(names)),
		list: (name, from) => withOutage(records.list(name, from)),
		now: () => withOutage(records.now()),
		subscribe: (topic, onMessage) => withOutage(records.subscribe(topic, onMessage)),
		close: () => records.close(),
	};
}
