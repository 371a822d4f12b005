/**
 * Answers to requests whose body has not been read to its end, such as refusals. Node closes a connection that is not
 * kept alive as soon as it has answered, and closing one with unread bytes resets it: a client that is still sending
 * never sees the answer. So the answer is sent first, and what the client still sends is discarded for a while.
 */

import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import type { Clock } from '../../clock.js';
import type { RequestState } from './context.js';
import { hasBody } from './least-rate.js';

/** Of a client that sends its whole body before it reads: then the connection is closed. */
const maxDiscardedBytes = 256 << 20;
const maxDiscardMs = 120_000;
/** A client that has read the answer stops sending. */
const maxSilenceMs = 5_000;

export function isBodyUnread(req: IncomingMessage): boolean {
	return hasBody(req) && !req.complete && !req.destroyed;
}

/** Sends koa's status, headers and body, discards the rest of the request's body, and ends the answer. */
export async function answerEarly(ctx: Koa.ParameterizedContext<RequestState>, clock: Clock): Promise<void> {
	const { req, res, state } = ctx;
	const bytes = bytesOf(ctx.body);
	ctx.respond = false;
	// An answer of this status has no length.
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

/** Resolves to whether the body has ended. */
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
		// A request that its server ended has aborted already; only the client's leaving is of interest then.
		if (!signal.aborted) signal.addEventListener('abort', settle, { once: true });
		for (const event of ['end', 'close', 'error']) req.once(event, settle);
		req.on('data', take);
		req.resume();
	});
}
