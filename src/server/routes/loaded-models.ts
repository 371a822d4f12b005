/** GET /v1/ps, POST /v1/models/{id}/load and /unload: what is in memory, and what is to be. */

import type { ListedModel, ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';
import { refuseStrangers } from '../request/guard.js';
import { findModel, modelBody } from './models.js';

export interface ResidentsOptions {
	readonly pool: ModelPool;
	readonly apiKeys?: readonly string[];
}

/** The models that are in memory, on their way there, or on hold. */
export function listResidents({ pool }: ResidentsOptions): (ctx: RequestContext) => void {
	return (ctx) => {
		const residents = pool.models.filter(({ state }) => state !== 'unloaded');
		ctx.body = { object: 'list', data: residents.map(residentBody) };
	};
}

/** Answers when the model is in memory. Whoever leaves before does not end the loading. */
export function loadServedModel({ pool, apiKeys }: ResidentsOptions): (ctx: RequestContext) => Promise<void> {
	return async (ctx) => {
		const id = modelOf(ctx, apiKeys);
		await pool.load(id, ctx.state.signal);
		ctx.body = modelBody(findModel(pool, id));
	};
}

/** Answers when the model's process is gone, which may be after the last recording in it. */
export function unloadServedModel({
	pool,
	apiKeys,
}: ResidentsOptions): (ctx: RequestContext) => Promise<void> {
	return async (ctx) => {
		const id = modelOf(ctx, apiKeys);
		await pool.unload(id);
		ctx.body = modelBody(findModel(pool, id));
	};
}

function modelOf(ctx: RequestContext, apiKeys: readonly string[] = []): string {
	refuseStrangers(ctx, apiKeys, 'Loading and unloading models');
	const id = ctx.params.model ?? '';
	ctx.state.logged.model = id;
	return id;
}

function residentBody({ id, state, pid, memoryBytes, requests, idleMs, unloadsInMs }: ListedModel): object {
	return {
		id,
		object: 'model.resident',
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
