/** Middleware for every request: an id, an abort signal, an error response for any exception, and one log line. */

import type Koa from 'koa';
import type { Clock } from '../../core/clock.js';
import { EarshotError, errorCodes } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { localOwner } from './access.js';
import type { InFlight, LoggedFields, RequestMiddleware, RequestState } from './context.js';
import { answerEarly, isBodyUnread } from './early-answer.js';
import { errorBody, logFailure, retryHeaders, toHttpError } from './failure.js';
import { requestId } from './request-id.js';

export interface ObserveOptions {
	readonly log: Log;
	readonly clock: Clock;
	readonly inFlight: InFlight;
	/** Whether the server is shutting down. */
	readonly isDraining: () => boolean;
}

export function observe({ log, clock, inFlight, isDraining }: ObserveOptions): RequestMiddleware {
	return async (ctx, next) => {
		const startedMs = clock.now();
		const controller = inFlight.begin();
		const { signal } = controller;
		const logged: LoggedFields = {};
		const id = requestId(ctx.get('x-request-id'));
		const end = (reason: EarshotError): void => controller.abort(reason);
		const elapsedMs = (): number => clock.now() - startedMs;
		const stamp = (): void => {
			ctx.set('openai-processing-ms', String(Math.round(elapsedMs())));
			if (isDraining()) ctx.set('connection', 'close');
		};
		ctx.state = { id, signal, logged, end, elapsedMs, stamp, isTrusted: false, owner: localOwner };
		const answered = new Promise<void>((resolve) => {
			ctx.res.once('close', () => {
				if (!ctx.res.writableFinished) controller.abort();
				resolve();
			});
		});
		ctx.set('x-request-id', id);
		ctx.set('x-content-type-options', 'nosniff');
		try {
			if (isDraining()) throw new EarshotError('closed', 'the server is shutting down');
			refuseExpectation(ctx.get('expect'));
			await next();
			if (ctx.respond !== false) stamp();
		} catch (thrown) {
			refuse(ctx, thrown);
		} finally {
			// Koa writes the response after this function returns, and `close` follows that.
			void answered.then(() => inFlight.end(controller));
			writeLine(log, ctx, elapsedMs());
		}
		if (ctx.respond !== false && isBodyUnread(ctx.req)) await answerEarly(ctx, clock);
	};
}

function refuse(ctx: Koa.ParameterizedContext<RequestState>, thrown: unknown): void {
	const { logged, signal, stamp, isTrusted } = ctx.state;
	const failure = toHttpError(thrown, signal);
	logFailure(logged, failure);
	if (failure.code === 'cancelled') {
		ctx.respond = false;
		return;
	}
	ctx.set(retryHeaders(failure));
	ctx.status = errorCodes[failure.code].status;
	ctx.body = errorBody(failure, { isTrusted });
	stamp();
}

/** Refuses other expectations than `100-continue`, to which Node has responded by itself. */
function refuseExpectation(header: string): void {
	if (header === '' || /(?:^|\W)100-continue(?:$|\W)/i.test(header)) return;
	throw new EarshotError(
		'expectation_failed',
		`Expected the header \`Expect\` to be \`100-continue\`, got \`${header.slice(0, 80)}\``,
	);
}

/** Polled every few seconds by monitoring, so logged at debug level. */
const polledPaths = new Set(['/health', '/ready', '/metrics']);

function writeLine(log: Log, ctx: Koa.ParameterizedContext<RequestState>, ms: number): void {
	const { id, logged } = ctx.state;
	const disconnected = logged.code === 'cancelled';
	const answered = ctx.respond === false ? ctx.res.statusCode : ctx.status;
	const status = disconnected ? errorCodes.cancelled.status : answered;
	const fields = { id, method: ctx.method, path: ctx.path, status, ms: Math.round(ms), ...logged };
	if (logged.err !== undefined) log.error(fields, 'request failed');
	else if (polledPaths.has(ctx.path)) log.debug(fields, 'request');
	else log.info(fields, 'request');
}
