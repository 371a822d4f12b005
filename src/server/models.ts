/** GET /v1/models and /v1/models/{id}. */

import { EarshotError } from '../errors.js';
import type { ListedModel, ModelPool } from '../pool/model-pool.js';
import type { RequestContext } from './context.js';

export function listModels(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = { object: 'list', data: pool.models.map(modelBody) };
	};
}

export function retrieveModel(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		const asked = ctx.params.model ?? '';
		const model =
			pool.models.find(({ id }) => id === asked) ??
			pool.models.find(({ aliases }) => aliases.includes(asked));
		if (model === undefined) {
			throw new EarshotError('model_not_found', `The model \`${asked}\` does not exist here`, {
				param: 'model',
			});
		}
		ctx.body = modelBody(model);
	};
}

/** OpenAI's four fields, then ours. */
function modelBody({ id, created, ownedBy, aliases, type, state, demo }: ListedModel): object {
	return { id, object: 'model', created, owned_by: ownedBy, aliases, type, state, ...(demo && { demo }) };
}
