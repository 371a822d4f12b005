/** The koa app: every request gets an id, an abort signal, access control, a route or an error, and one log line. */

import Router from '@koa/router';
import Koa from 'koa';
import type { Clock } from '../core/clock.js';
import { EarshotError } from '../core/errors.js';
import type { Metrics } from '../core/metrics.js';
import type { Installer } from '../models/installer.js';
import type { ModelPool } from '../pool/model-pool.js';
import type { VoiceStore } from '../speakers/voice-store.js';
import type { Webhooks } from '../webhooks/webhooks.js';
import { jobEvents } from './jobs/job-events.js';
import { jobResult } from './jobs/job-result.js';
import { deleteJob, listJobs, retrieveJob, retryJob } from './jobs/job-routes.js';
import type { ServerJobs } from './jobs/server-jobs.js';
import type { SubmitOptions } from './jobs/submit.js';
import {
	type LiveRequestsOptions,
	makeClientSecret,
	makeOldSession,
	needWebSocket,
	refuseCall,
} from './live/requests.js';
import type { Admission } from './request/admission.js';
import type { RequestContext, RequestMiddleware, RequestState } from './request/context.js';
import { type GuardOptions, guard } from './request/guard.js';
import { type MinimumRateOptions, minimumRate } from './request/minimum-rate.js';
import { type ObserveOptions, observe } from './request/observe.js';
import { listCatalog } from './routes/catalog.js';
import { type DoctorOptions, showDoctor } from './routes/doctor.js';
import { listLoadedModels, loadServedModel, unloadServedModel } from './routes/loaded-models.js';
import { showMetrics } from './routes/metrics.js';
import { listModels, retrieveModel } from './routes/models.js';
import { readOpenApi } from './routes/openapi.js';
import { cancelPull, deleteModel, pullStatus, startPull } from './routes/pulls.js';
import { fixed, health, ready } from './routes/status.js';
import { transcriptions } from './routes/transcriptions.js';
import { addVoice, identifyVoices, listVoices, removeVoice } from './routes/voices.js';
import {
	createWebhookEndpoint,
	deleteWebhookEndpoint,
	listWebhookDeliveries,
	listWebhookEndpoints,
	listWebhookEventTypes,
	retrieveWebhookEndpoint,
	rotateWebhookSecret,
	testWebhookEndpoint,
	updateWebhookEndpoint,
} from './routes/webhook-endpoints.js';
import type { UploadLimits } from './upload/limits.js';

export interface AppOptions
	extends Omit<GuardOptions, 'methodsOf'>,
		ObserveOptions,
		MinimumRateOptions,
		DoctorOptions {
	readonly pool: ModelPool;
	/** undefined: models cannot be pulled or removed. */
	readonly installer?: Installer | undefined;
	readonly limits: UploadLimits;
	readonly admission: Admission;
	/** Time limit of a transcription request; 0 = none. */
	readonly maxRequestMs: number;
	readonly live: LiveRequestsOptions;
	readonly jobs: ServerJobs;
	/** Throws for a webhook that is not allowed; absent = jobs have no webhooks. */
	readonly checkWebhook?: SubmitOptions['checkWebhook'];
	readonly maxKnownSpeakers: number;
	readonly voices: VoiceStore;
	readonly webhooks: Webhooks;
	readonly metrics: Metrics;
	readonly clock: Clock;
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
		| 'pool'
		| 'limits'
		| 'admission'
		| 'maxRequestMs'
		| 'maxKnownSpeakers'
		| 'live'
		| 'jobs'
		| 'checkWebhook'
		| 'voices'
		| 'webhooks'
		| 'metrics'
		| 'clock'
		| 'version'
	> &
		Partial<Pick<AppOptions, 'installer' | 'log' | 'examine'>>,
): readonly Route[] {
	const { pool, metrics, version, live } = options;
	const openapi = readOpenApi();
	const table: Route[] = [
		{ method: 'POST', path: '/v1/audio/transcriptions', handle: transcriptions('transcribe', options) },
		{ method: 'POST', path: '/v1/audio/translations', handle: transcriptions('translate', options) },
		...(['transcriptions', 'translations'] as const).map((name) => ({
			// Azure's paths: the deployment is the model.
			method: 'POST' as const,
			path: `/openai/deployments/{model}/audio/${name}` as const,
			handle: transcriptions(name === 'translations' ? 'translate' : 'transcribe', options),
		})),
		{ method: 'POST', path: '/v1/transcription_jobs', handle: transcriptions('job', options) },
		{ method: 'GET', path: '/v1/transcription_jobs', handle: listJobs(options) },
		{ method: 'GET', path: '/v1/transcription_jobs/{id}/result', handle: jobResult(options) },
		{ method: 'GET', path: '/v1/transcription_jobs/{id}/events', handle: jobEvents(options) },
		{ method: 'POST', path: '/v1/transcription_jobs/{id}/retry', handle: retryJob(options) },
		{ method: 'GET', path: '/v1/transcription_jobs/{id}', handle: retrieveJob(options) },
		{ method: 'DELETE', path: '/v1/transcription_jobs/{id}', handle: deleteJob(options) },
		{ method: 'GET', path: '/v1/realtime', handle: needWebSocket },
		{ method: 'POST', path: '/v1/realtime/client_secrets', handle: makeClientSecret(live) },
		{ method: 'POST', path: '/v1/realtime/transcription_sessions', handle: makeOldSession(live) },
		{ method: 'POST', path: '/v1/realtime/sessions', handle: makeOldSession(live) },
		{ method: 'POST', path: '/v1/realtime/calls', handle: refuseCall },
		{ method: 'GET', path: '/v1/voices', handle: listVoices(options) },
		{ method: 'POST', path: '/v1/voices', handle: addVoice(options) },
		{ method: 'POST', path: '/v1/voices/identify', handle: identifyVoices(options) },
		{ method: 'DELETE', path: '/v1/voices/{name}', handle: removeVoice(options) },
		...webhookRoutes(options),
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
		{ method: 'GET', path: '/v1/catalog', handle: listCatalog(options) },
		{ method: 'GET', path: '/v1/doctor', handle: showDoctor(options) },
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

function webhookRoutes(options: Pick<AppOptions, 'webhooks'>): Route[] {
	const one = '/v1/webhook_endpoints/{id}';
	return [
		{ method: 'GET', path: '/v1/webhook_endpoints', handle: listWebhookEndpoints(options) },
		{ method: 'POST', path: '/v1/webhook_endpoints', handle: createWebhookEndpoint(options) },
		// Before the route of one endpoint, since a parameter in braces may contain slashes.
		{ method: 'POST', path: `${one}/rotate_secret`, handle: rotateWebhookSecret(options) },
		{ method: 'POST', path: `${one}/test`, handle: testWebhookEndpoint(options) },
		{ method: 'GET', path: one, handle: retrieveWebhookEndpoint(options) },
		{ method: 'POST', path: one, handle: updateWebhookEndpoint(options) },
		{ method: 'DELETE', path: one, handle: deleteWebhookEndpoint(options) },
		{ method: 'GET', path: '/v1/webhook_event_types', handle: listWebhookEventTypes },
		{ method: 'GET', path: '/v1/webhook_deliveries', handle: listWebhookDeliveries(options) },
	];
}

export function createApp(options: AppOptions): Koa<RequestState> {
	const app = new Koa<RequestState>();
	// The middleware `observe` handles and logs every error, so koa's own handler must not.
	app.silent = true;
	const router = new Router<RequestState>();
	const exact: string[] = [];
	for (const { method, path, handle } of routes(options)) {
		// A model's id may have slashes.
		const pattern = path.replace(/\{(\w+)\}/, '*$1');
		const patterns = [pattern, ...(pattern.startsWith('/v1/') ? [pattern.slice('/v1'.length)] : [])];
		router.register(patterns, [method], [handle]);
		if (pattern === path) exact.push(...patterns);
	}
	const methods = methodsOf(router, exact);
	app.use(joinSlashes);
	app.use(observe(options));
	app.use(guard({ ...options, methodsOf: methods }));
	app.use(minimumRate(options));
	app.use(checkMethod(methods));
	app.use(router.routes());
	return app;
}

/** The methods of a path, including `OPTIONS`; empty for an unknown path. If several patterns match, the first one
 * counts: a model's id may contain slashes, and `…/load` is not a model. `exact`: the paths of routes without
 * parameters. */
function methodsOf(
	router: Router<RequestState>,
	exact: readonly string[],
): (path: string) => readonly string[] {
	const find = (path: string): readonly string[] => {
		const layers = router.match(path, 'OPTIONS').path;
		const methods = layers
			.filter((layer) => layer.path === layers[0]?.path)
			.flatMap((layer) => layer.methods);
		return methods.length === 0 ? [] : [...new Set([...methods, 'OPTIONS'])];
	};
	// The router tries the pattern of every route, and tries them all again to find the route itself.
	const known = new Map(exact.map((path) => [path, find(path)]));
	return (path) => known.get(path) ?? find(path);
}

function checkMethod(methods: (path: string) => readonly string[]): RequestMiddleware {
	return async (ctx, next) => {
		const allowed = methods(ctx.path);
		if (allowed.length === 0) throw new EarshotError('not_found', `Invalid URL (${ctx.method} ${ctx.path})`);
		if (ctx.method !== 'OPTIONS' && allowed.includes(ctx.method)) return await next();
		ctx.set('allow', allowed.join(', '));
		if (ctx.method !== 'OPTIONS')
			throw new EarshotError('method_not_allowed', `Not allowed: ${ctx.method} ${ctx.path}`);
		ctx.status = 204;
	};
}

/** A base URL with a trailing slash leads to paths such as `//v1/…` or `/v1//…`. */
const joinSlashes: RequestMiddleware = (ctx, next) => {
	if (ctx.path.includes('//')) ctx.path = ctx.path.replace(/\/{2,}/g, '/');
	return next();
};
