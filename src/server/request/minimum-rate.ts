/** Enforces a minimum rate of request bodies. Otherwise a client that stops sending would occupy its connection, and
 * the space reserved for its upload, indefinitely. */

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';
import type { RequestMiddleware } from './context.js';

export interface MinimumRateOptions {
	/** Minimum mean rate over `minimumRateWindowMs`; 0 = none. */
	readonly minUploadBytesPerSecond: number;
	readonly clock: Clock;
}

/** Long enough for a network that stalls for some seconds. */
export const minimumRateWindowMs = 30_000;

/** Ends a request with `request_timeout` if its body arrives more slowly. */
export function minimumRate(options: MinimumRateOptions): RequestMiddleware {
	return async (ctx, next) => {
		const { req, state } = ctx;
		if (!hasBody(req)) return await next();
		const stop = watchRate(req, options, (error) => state.end(error));
		try {
			await next();
		} finally {
			stop();
		}
	};
}

/** Calls `onTooSlow` with `request_timeout` if the body of `req` arrives more slowly. Call the result when the request
 * has ended. */
export function watchRate(
	req: IncomingMessage,
	{ minUploadBytesPerSecond, clock }: MinimumRateOptions,
	onTooSlow: (error: EarshotError) => void,
): () => void {
	const minBytes = (minUploadBytesPerSecond * minimumRateWindowMs) / 1000;
	if (minBytes === 0) return () => {};
	let before = req.socket.bytesRead;
	const stop = clock.every(minimumRateWindowMs, () => {
		const came = req.socket.bytesRead - before;
		before += came;
		if (req.complete) stop();
		// Bytes that have not been read yet wait for this server's disk. `isPaused` is always true for an iterated body.
		else if (came < minBytes && req.readableLength === 0) onTooSlow(tooSlow(minUploadBytesPerSecond));
	});
	return stop;
}

/** Whether the headers announce a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
	return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function tooSlow(minBytesPerSecond: number): EarshotError {
	return new EarshotError(
		'request_timeout',
		`The body of the request came more slowly than ${minBytesPerSecond} bytes per second for ${minimumRateWindowMs / 1000} s`,
	);
}
