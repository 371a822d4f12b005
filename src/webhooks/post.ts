/** Makes one attempt: a POST to a checked address, with a time limit. Loads its HTTP client on first use. */

import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { abortable } from '../core/abort.js';
import type { Clock } from '../core/clock.js';
import { codeOf, EarshotError } from '../core/errors.js';
import { type Destinations, ForbiddenAddress } from './destination.js';
import { retryAfterMsOf, type TryOutcome } from './schedule.js';

/** Time limit for DNS lookup, connection and response together. */
export const tryTimeoutMs = 15_000;
/** At most this much of a response is read; only its status matters. */
const maxAnswerBytes = 64 * 1024;

export interface PostRequest {
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
	/** Aborts the attempt, which then counts as failed. */
	readonly signal: AbortSignal;
}

export interface PostResult extends TryOutcome {
	/** Why there was no response: a code such as `ECONNREFUSED`, `timeout` or `address_not_public`; null if there
	 * was one. */
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

/** Returns the function that makes an attempt; it never rejects. */
export function poster({ destinations, clock, now, userAgent }: PosterOptions): Post {
	return async ({ url: text, headers, body, signal }) => {
		const limit = new AbortController();
		const stop = clock.after(tryTimeoutMs, () => limit.abort());
		const ended = AbortSignal.any([signal, limit.signal]);
		try {
			// Checked again: the rules may have changed since the URL was accepted.
			const url = destinations.check(text, 'url');
			const addresses = await abortable(destinations.resolve(url), ended, 'lookup');
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
	// A client instead of a pool: its own connection, without proxy, redirects or reuse.
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

/** Reads the response, up to the limit. */
async function drain(body: AsyncIterable<Buffer>): Promise<void> {
	let bytes = 0;
	try {
		for await (const piece of body) {
			bytes += piece.length;
			if (bytes > maxAnswerBytes) return;
		}
	} catch {
		// The status has been received, and only it matters.
	}
}

/** Replaces the DNS lookup by the addresses that were resolved and checked. */
function fixedLookup(addresses: readonly LookupAddress[]): LookupFunction {
	return (_hostname, { all }, callback) => {
		const [first] = addresses;
		if (all === true) callback(null, [...addresses]);
		else if (first !== undefined) callback(null, first.address, first.family);
	};
}
