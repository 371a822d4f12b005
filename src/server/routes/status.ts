/** GET /health, /ready, / and /openapi.json. */

import type { ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';

/** Liveness: always 200 while the server responds, so that a supervisor does not restart it. */
export function health(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = pool.checkReadiness();
	};
}

/** Readiness: 503 until the default model can serve requests, so that a load balancer waits. */
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
