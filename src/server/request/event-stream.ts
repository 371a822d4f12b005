/** Server-sent event streams: headers, keep-alive comments, and errors after the start. */

import type { Clock } from '../../core/clock.js';
import { frame } from '../../formats/stream-events.js';
import type { RequestContext } from './context.js';
import { errorBody, logFailure, toHttpError } from './failure.js';

/** Rare enough to cost little; often enough for proxies that close a silent response after 30 to 60 s. */
const keepAliveMs = 15_000;

/** Sends the headers, and a comment at intervals until the returned function is called. */
export function openEventStream(ctx: RequestContext, clock: Clock): () => void {
	ctx.state.stamp();
	ctx.respond = false;
	ctx.res.writeHead(200, {
		'content-type': 'text/event-stream; charset=utf-8',
		'cache-control': 'no-cache',
		// Keeps nginx from buffering the events.
		'x-accel-buffering': 'no',
	});
	ctx.res.flushHeaders();
	return clock.every(keepAliveMs, () => ctx.res.write(': keep-alive\n\n'));
}

/** Logs an error thrown after the stream has begun, and sends it as an event. */
export function sendFailure({ res, state }: RequestContext, thrown: unknown): void {
	const failure = toHttpError(thrown, state.signal);
	logFailure(state.logged, failure);
	if (!res.destroyed) res.write(frame(errorBody(failure, state)));
}
