/**
 * Responses to requests whose body was not read completely, such as refusals. Without keep-alive, Node closes the
 * connection right after the response, and closing it with unread bytes resets it, so that a client that is still
 * sending never sees the response. Therefore the response is sent first, then the rest of the body is discarded up to a
 * limit.
 */

import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import type { Clock } from '../../core/clock.js';
import type { RequestState } from './context.js';
import { hasBody } from './minimum-rate.js';

/** Limits for clients that send the whole body before they read; beyond them, the connection is closed. */
const maxDiscardedBytes = 256 << 20;
const maxDiscardMs = 120_000;
/** The connection is also closed if the client sends nothing for this time. */
const maxSilenceMs = 5_000;

export function isBodyUnread(req: IncomingMessage): boolean {
	return hasBody(req) && !req.complete && !req.destroyed;
}

/** Sends koa's status, headers and body, discards the rest of the request's body, and ends the response. */
export async function answerEarly(ctx: Koa.ParameterizedContext<RequestState>, clock: Clock): Promise<void> {
	const { req, res, state } = ctx;
	const bytes = bytesOf(ctx.body);
	ctx.respond = false;
	// A response with status 204 has no length.
	if (ctx.status !== 204) ctx.length = bytes.length;
	res.flushHeaders();
	if (ctx.method !== 'HEAD' && bytes.length > 0) res.write(bytes);
	const isWhole = await discardBody(req, clock, state.signal);
	res.end();
	if (!isWhole) req.destroy();
}

function bytesOf(body: unknown): Buffer {
	if (body === undefined || body === null) return Buffer.alloc(0);
	if (Buffer.isBuffer(body)) return body;
	return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Resolves to whether the complete body was received. */
function discardBody(req: IncomingMessage, clock: Clock, signal: AbortSignal): Promise<boolean> {
	return new Promise((resolve) => {
		let left = maxDiscardedBytes;
		let before = req.socket.bytesRead;
		const settle = () => {
			stopAll();
			resolve(req.complete);
		};
		const take = (bytes: Buffer) => {
			left -= bytes.length;
			if (left < 0) settle();
		};
		const stops = [
			clock.after(maxDiscardMs, settle),
			clock.every(maxSilenceMs, () => {
				const came = req.socket.bytesRead - before;
				before += came;
				if (came === 0) settle();
			}),
		];
		const stopAll = () => {
			for (const stop of stops) stop();
			req.removeListener('data', take);
			for (const event of ['end', 'close', 'error']) req.removeListener(event, settle);
			signal.removeEventListener('abort', settle);
		};
		// The signal of a request that the server ended is already aborted, and must not end the wait.
		if (!signal.aborted) signal.addEventListener('abort', settle, { once: true });
		for (const event of ['end', 'close', 'error']) req.once(event, settle);
		req.on('data', take);
		req.resume();
	});
}
