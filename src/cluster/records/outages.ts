/** Failures of the server behind records, in words and codes for those who ask: it is away, or it is full. */

import { EarshotError, isError } from '../../errors.js';
import type { Records } from './records.js';

const retryAfterSeconds = 5;

/** Of the clients of Redis and PostgreSQL, where they have no code for it. */
const awayMessages =
	/connection is closed|connection terminated|max retries per request|command timed out|isn't writeable|timeout exceeded when trying|query read timeout|cannot use a pool|^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS) /i;
/** Of sockets; and of PostgreSQL: connections, too many of them, shutting down, a server that has become a standby. */
const awayCodes = /^(E(CONN|PIPE|TIMEDOUT|HOST|NOTFOUND|AI_AGAIN)|08|53300|57P|25006)/;
/** Redis: over its memory, or its disk is full; PostgreSQL: its disk, its memory. */
const fullMessages = /^(OOM|MISCONF) /;
const fullCodes = /^(53100|53200|58030)/;

/** An EarshotError for what is no mistake of Earshot; others as they are. Pure. */
export function asOutage(thrown: unknown): unknown {
	if (!isError(thrown) || thrown instanceof EarshotError) return thrown;
	const { code } = thrown as { readonly code?: unknown };
	const said = typeof code === 'string' ? code : '';
	if (fullCodes.test(said) || fullMessages.test(thrown.message))
		return new EarshotError('disk_full', 'The queue of this server is full: its memory or its disk', {
			cause: thrown,
		});
	if (!awayCodes.test(said) && !awayMessages.test(thrown.message)) return thrown;
	return new EarshotError('closed', 'The queue of this server cannot be reached now: try again later', {
		cause: thrown,
		retryAfterSeconds,
	});
}

/** The same records, which throw `closed` while their server is away, and `disk_full` where it takes no more. */
export function withOutages(records: Records): Records {
	const told = async <T>(answer: Promise<T>): Promise<T> => {
		try {
			return await answer;
		} catch (thrown) {
			throw asOutage(thrown);
		}
	};
	return {
		get: (keys) => told(records.get(keys)),
		commit: (changes) => told(records.commit(changes)),
		page: (index, page) => told(records.page(index, page)),
		between: (index, min, max, limit) => told(records.between(index, min, max, limit)),
		sizes: (indexes) => told(records.sizes(indexes)),
		counts: (names) => told(records.counts(names)),
		list: (name, from) => told(records.list(name, from)),
		now: () => told(records.now()),
		subscribe: (topic, onMessage) => told(records.subscribe(topic, onMessage)),
		close: () => records.close(),
	};
}
