/** GET /v1/ps, POST /v1/models/{id}/load and /unload: lists, loads and unloads models in memory. */

import type { ListedModel, ModelPool } from '../../pool/model-pool.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { requireTrust } from '../request/guard.js';
import { findModel, modelBody } from './models.js';

export interface LoadedModelsOptions {
	readonly pool: ModelPool;
}

/** The models that are loaded, being loaded, or in crash backoff. */
export function listLoadedModels({ pool }: LoadedModelsOptions): (ctx: RequestContext) => void {
	return (ctx) => {
		const loadedModels = pool.models.filter(({ state }) => state !== 'unloaded');
		ctx.body = { object: 'list', data: loadedModels.map(loadedModelBody) };
	};
}

/** Responds when the model is loaded. If the client disconnects, loading continues. */
export function loadServedModel({ pool }: LoadedModelsOptions): RequestHandler {
	return async (ctx) => {
		const id = modelOf(ctx);
		await pool.load(id, ctx.state.signal);
		ctx.body = modelBody(findModel(pool, id));
	};
}

/** Responds when the model's process has ended, after its running recordings. */
export function unloadServedModel({ pool }: LoadedModelsOptions): RequestHandler {
	return async (ctx) => {
		const id = modelOf(ctx);
		await pool.unload(id);
		ctx.body = modelBody(findModel(pool, id));
	};
}

function modelOf(ctx: RequestContext): string {
	requireTrust(ctx, 'Loading and unloading models');
	const id = ctx.params.model ?? '';
	ctx.state.logged.model = id;
	return id;
}

function loadedModelBody({
	id,
	state,
	pid,
	memoryBytes,
	requests,
	idleMs,
	unloadsInMs,
}: ListedModel): object {
	return {
		id,
		object: 'model.loaded',
		state,
		pid,
		memory_bytes: memoryBytes,
		requests,
		idle_seconds: seconds(idleMs),
		unloads_in_seconds: seconds(unloadsInMs),
	};
}

function seconds(ms: number | null): number | null {
	return ms === null ? null : Math.round(ms / 1000);
}
