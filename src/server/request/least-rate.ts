/** Enforces a minimum rate of request bodies. Otherwise a client that stops sending would occupy its connection, and
 * the space reserved for its upload, indefinitely. */

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../clock.js';
import { EarshotError } from '../../errors.js';
import type { RequestMiddleware } from './context.js';

export interface LeastRateOptions {
	/** Minimum mean rate over `leastRateWindowMs`; 0 = none. */
	readonly minUploadBytesPerSecond: number;
	readonly clock: Clock;
}

/** Long enough for a network that stalls for some seconds. */
export const leastRateWindowMs = 30_000;

/** Ends a request with `request_timeout` if its body arrives more slowly. */
export function leastRate(options: LeastRateOptions): RequestMiddleware {
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
	{ minUploadBytesPerSecond, clock }: LeastRateOptions,
	onTooSlow: (error: EarshotError) => void,
): () => void {
	const leastBytes = (minUploadBytesPerSecond * leastRateWindowMs) / 1000;
	if (leastBytes === 0) return () => {};
	let before = req.socket.bytesRead;
	const stop = clock.every(leastRateWindowMs, () => {
		const came = req.socket.bytesRead - before;
		before += came;
		if (req.complete) stop();
		// Bytes that have not been read yet wait for this server's disk. `isPaused` is always true for an iterated body.
		else if (came < leastBytes && req.readableLength === 0) onTooSlow(tooSlow(minUploadBytesPerSecond));
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
		`The body of the request came more slowly than ${minBytesPerSecond} bytes per second for ${leastRateWindowMs / 1000} s`,
	);
}
