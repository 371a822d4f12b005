/** GET /health, GET / and GET /openapi.json. */

import type { ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';

/** `loading` while a model is being loaded and none is loaded yet; `ok` otherwise, also where models are loaded only on
 * their first request. */
export function health(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		const states = pool.models.map(({ state }) => state);
		const loading = states.includes('loading') && !states.includes('loaded');
		ctx.body = { status: loading ? 'loading' : 'ok' };
	};
}

export function fixed(body: object): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = body;
	};
}
