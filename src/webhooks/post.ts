/** One try: a POST to an address that was checked, within a time limit. Loads its HTTP client only for this. */

import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { whileWanted } from '../abort.js';
import type { Clock } from '../clock.js';
import { codeOf } from '../disk/disk.js';
import { EarshotError } from '../errors.js';
import { type Destinations, ForbiddenAddress } from './destination.js';
import { retryAfterMsOf, type TryOutcome } from './schedule.js';

/** Of name, connection and answer together. */
export const tryTimeoutMs = 15_000;
/** What is read of an answer, whose status is all that counts. */
const maxAnswerBytes = 64 * 1024;

export interface PostRequest {
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
	/** Ends it early, as a failure. */
	readonly signal: AbortSignal;
}

export interface PostResult extends TryOutcome {
	/** Why there was no answer: a code such as `ECONNREFUSED`, `timeout`, `address_not_public`; null where there was one. */
	readonly error: string | null;
}

export type Post = (request: PostRequest) => Promise<PostResult>;

export interface PosterOptions {
	readonly destinations: Destinations;
	readonly clock: Clock;
	/** Unix ms. */
	readonly now: () => number;
	readonly userAgent: string;
}

/** Never rejects. */
export function poster({ destinations, clock, now, userAgent }: PosterOptions): Post {
	return async ({ url: text, headers, body, signal }) => {
		const limit = new AbortController();
		const stop = clock.after(tryTimeoutMs, () => limit.abort());
		const ended = AbortSignal.any([signal, limit.signal]);
		try {
			// Checked once more: the rules may be others than when it was accepted.
			const url = destinations.check(text, 'url');
			const addresses = await whileWanted(destinations.resolve(url), ended, 'lookup');
			const answer = await send(url, addresses, { ...headers, 'user-agent': userAgent }, body, ended);
			return {
				status: answer.status,
				retryAfterMs: retryAfterMsOf(answer.retryAfter, now()),
				error: null,
			};
		} catch (thrown) {
			const error = limit.signal.aborted ? 'timeout' : signal.aborted ? 'stopped' : reasonCode(thrown);
			return { status: null, retryAfterMs: null, error };
		} finally {
			stop();
		}
	};
}

function reasonCode(thrown: unknown): string {
	if (thrown instanceof ForbiddenAddress) return 'address_not_public';
	if (thrown instanceof EarshotError) return 'url_not_allowed';
	return codeOf(thrown) || 'failed';
}

interface Answer {
	readonly status: number;
	readonly retryAfter: string | undefined;
}

async function send(
	url: URL,
	addresses: readonly LookupAddress[],
	headers: Readonly<Record<string, string>>,
	body: string,
	signal: AbortSignal,
): Promise<Answer> {
	const { Client } = await import('undici');
	// Not a pool: a connection of its own, through no proxy, which neither follows redirects nor is used again.
	const client = new Client(url.origin, {
		connect: { lookup: fixedLookup(addresses), timeout: tryTimeoutMs },
		headersTimeout: tryTimeoutMs,
		bodyTimeout: tryTimeoutMs,
	});
	try {
		const answer = await client.request({
			method: 'POST',
			path: `${url.pathname}${url.search}`,
			headers: { 'content-type': 'application/json', ...headers },
			body,
			signal,
		});
		const retryAfter = answer.headers['retry-after'];
		await drain(answer.body);
		return {
			status: answer.statusCode,
			retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
		};
	} finally {
		await client.destroy();
	}
}

/** Reads what a polite client reads. */
async function drain(body: AsyncIterable<Buffer>): Promise<void> {
	let bytes = 0;
	try {
		for await (const piece of body) {
			bytes += piece.length;
			if (bytes > maxAnswerBytes) return;
		}
	} catch {
		// The status has come, and is all that counts.
	}
}

/** Instead of a lookup: the name was looked up, and these addresses were checked. */
function fixedLookup(addresses: readonly LookupAddress[]): LookupFunction {
	return (_hostname, { all }, callback) => {
		const [first] = addresses;
		if (all === true) callback(null, [...addresses]);
		else if (first !== undefined) callback(null, first.address, first.family);
	};
}
