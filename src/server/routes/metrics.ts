/** GET /metrics. Like every route, it requires an API key where keys are set. */

import type { Metrics } from '../../core/metrics.js';
import type { RequestHandler } from '../request/context.js';

export function showMetrics(metrics: Metrics): RequestHandler {
	return async (ctx) => {
		ctx.type = metrics.contentType;
		ctx.body = await metrics.render();
	};
}
