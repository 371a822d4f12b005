/** The koa app: every request gets an id, an abort signal, access control, a route or an error, and one log line. */

import { randomUUID } from 'node:crypto';
import Router from '@koa/router';
import Koa from 'koa';
import type { Clock } from '../clock.js';
import { EarshotError, errorCodes } from '../errors.js';
import type { Log } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { Installer } from '../models/installer.js';
import type { ModelPool } from '../pool/model-pool.js';
import type { Admission } from './request/admission.js';
import type {
	InFlight,
	LoggedFields,
	RequestContext,
	RequestMiddleware,
	RequestState,
} from './request/context.js';
import { errorBody, logFailure, retryHeaders, toHttpError } from './request/failure.js';
import { type GuardOptions, guard } from './request/guard.js';
import { listLoadedModels, loadServedModel, unloadServedModel } from './routes/loaded-models.js';
import { showMetrics } from './routes/metrics.js';
import { listModels, retrieveModel } from './routes/models.js';
import { readOpenApi } from './routes/openapi.js';
import { cancelPull, deleteModel, pullStatus, startPull } from './routes/pulls.js';
import { fixed, health, ready } from './routes/status.js';
import { transcriptions } from './routes/transcriptions.js';
import type { UploadLimits } from './upload/limits.js';

export interface AppOptions extends GuardOptions {
	readonly pool: ModelPool;
	/** undefined: models cannot be pulled or removed. */
	readonly installer?: Installer | undefined;
	readonly limits: UploadLimits;
	readonly admission: Admission;
	/** Time limit of a transcription request; 0 = none. */
	readonly maxRequestMs: number;
	readonly metrics: Metrics;
	readonly log: Log;
	readonly clock: Clock;
	readonly inFlight: InFlight;
	/** Whether the server is shutting down. */
	readonly isDraining: () => boolean;
	readonly version: string;
}

export interface Route {
	readonly method: 'GET' | 'POST' | 'DELETE';
	/** As in OpenAPI. Paths under `/v1` also work without that prefix, for clients whose base URL lacks it. */
	readonly path: `/${string}`;
	readonly handle: (ctx: RequestContext) => void | Promise<void>;
}

export function routes(
	options: Pick<
		AppOptions,
		'pool' | 'limits' | 'admission' | 'maxRequestMs' | 'metrics' | 'clock' | 'version'
	> &
		Partial<Pick<AppOptions, 'installer' | 'apiKeys'>>,
): readonly Route[] {
	const { pool, metrics, version } = options;
	const openapi = readOpenApi();
	const table: Route[] = [
		{ method: 'POST', path: '/v1/audio/transcriptions', handle: transcriptions('transcribe', options) },
		{ method: 'POST', path: '/v1/audio/translations', handle: transcriptions('translate', options) },
		{ method: 'GET', path: '/v1/models', handle: listModels(pool) },
		// Before the route of one model, whose id may have slashes.
		{ method: 'POST', path: '/v1/models/{model}/pull', handle: startPull(options) },
		{ method: 'GET', path: '/v1/models/{model}/pull', handle: pullStatus(options) },
		{ method: 'DELETE', path: '/v1/models/{model}/pull', handle: cancelPull(options) },
		{ method: 'POST', path: '/v1/models/{model}/load', handle: loadServedModel(options) },
		{ method: 'POST', path: '/v1/models/{model}/unload', handle: unloadServedModel(options) },
		{ method: 'GET', path: '/v1/models/{model}', handle: retrieveModel(pool) },
		{ method: 'DELETE', path: '/v1/models/{model}', handle: deleteModel(options) },
		{ method: 'GET', path: '/v1/ps', handle: listLoadedModels(options) },
		{ method: 'GET', path: '/health', handle: health(pool) },
		{ method: 'GET', path: '/ready', handle: ready(pool) },
		{ method: 'GET', path: '/metrics', handle: showMetrics(metrics) },
		{
			method: 'GET',
			path: '/openapi.json',
			handle: fixed({ ...openapi, info: { ...openapi.info, version } }),
		},
	];
	const named = [...table.map(({ method, path }) => `${method} ${path}`), 'GET /'];
	return [...table, { method: 'GET', path: '/', handle: fixed({ name: 'earshot', version, routes: named }) }];
}

export function createApp(options: AppOptions): Koa<RequestState> {
	const app = new Koa<RequestState>();
	// `observe` has answered and logged every error before it could reach koa's own handler.
	app.silent = true;
	const router = new Router<RequestState>();
	for (const { method, path, handle } of routes(options)) {
		// A model's id may have slashes.
		const pattern = path.replace(/\{(\w+)\}/, '*$1');
		const patterns = [pattern, ...(pattern.startsWith('/v1/') ? [pattern.slice('/v1'.length)] : [])];
		router.register(patterns, [method], [handle]);
	}
	app.use(observe(options));
	app.use(guard(options));
	app.use(router.routes());
	app.use(refuseUnknown(router));
	return app;
}

function observe({ log, clock, inFlight, isDraining }: AppOptions): RequestMiddleware {
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
		ctx.state = { id, signal, logged, end, elapsedMs, stamp };
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
			await next();
			if (ctx.respond !== false) stamp();
		} catch (thrown) {
			refuse(ctx, thrown);
		} finally {
			// Koa writes the response after this function returns, and `close` follows that.
			void answered.then(() => inFlight.end(controller));
			writeLine(log, ctx, elapsedMs());
		}
	};
}

function refuse(ctx: Koa.ParameterizedContext<RequestState>, thrown: unknown): void {
	const { logged, signal, stamp } = ctx.state;
	const failure = toHttpError(thrown, signal);
	logFailure(logged, failure);
	if (failure.code === 'cancelled') {
		ctx.respond = false;
		return;
	}
	ctx.set(retryHeaders(failure));
	ctx.status = errorCodes[failure.code].status;
	ctx.body = errorBody(failure);
	stamp();
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

/** The client's own id, if it is safe in a header and a log line; else a new one. */
function requestId(given: string): string {
	return /^[\w.:-]{1,128}$/.test(given) ? given : `req_${randomUUID().replaceAll('-', '')}`;
}

function refuseUnknown(router: Router<RequestState>): RequestMiddleware {
	return (ctx) => {
		const methods = new Set(router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods));
		if (methods.size === 0) throw new EarshotError('not_found', `Invalid URL (${ctx.method} ${ctx.path})`);
		ctx.set('allow', [...methods].join(', '));
		throw new EarshotError('method_not_allowed', `Not allowed: ${ctx.method} ${ctx.path}`);
	};
}
