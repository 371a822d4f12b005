/** GET /metrics. Guarded as every route: with API keys set, whoever scrapes needs one. */

import type { Metrics } from '../../metrics.js';
import type { RequestContext } from '../request/context.js';

export function showMetrics(metrics: Metrics): (ctx: RequestContext) => Promise<void> {
	return async (ctx) => {
		ctx.type = metrics.contentType;
		ctx.body = await metrics.render();
	};
}
