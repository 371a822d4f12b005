/** GET /health, /ready, / and /openapi.json. */

import type { ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';

/** Always 200 while the server answers, for those who would restart it otherwise. */
export function health(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = pool.checkReadiness();
	};
}

/** 503 until the default model can answer, for those who send requests only then. */
export function ready(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		const readiness = pool.checkReadiness();
		ctx.status = readiness.status === 'ok' ? 200 : 503;
		ctx.body = readiness;
	};
}

export function fixed(body: object): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = body;
	};
}
