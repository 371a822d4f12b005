/** GET /v1/models and /v1/models/{id}. */

import { EarshotError } from '../../errors.js';
import type { ListedModel, ModelPool } from '../../pool/model-pool.js';
import type { Capabilities } from '../../speech/model-info.js';
import type { RequestContext } from '../request/context.js';

export function listModels(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = { object: 'list', data: pool.models.map(modelBody) };
	};
}

export function retrieveModel(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = modelBody(findModel(pool, ctx.params.model ?? ''));
	};
}

/** By id, else by alias. Throws `model_not_found`. */
export function findModel({ models }: ModelPool, name: string): ListedModel {
	const model = models.find(({ id }) => id === name) ?? models.find(({ aliases }) => aliases.includes(name));
	if (model) return model;
	throw new EarshotError('model_not_found', `The model \`${name}\` does not exist here`, { param: 'model' });
}

/** OpenAI's four fields, then Earshot's. */
export function modelBody(model: ListedModel): object {
	const { id, created, ownedBy, aliases, type, state, memoryBytes, demo, capabilities } = model;
	return {
		id,
		object: 'model',
		created,
		owned_by: ownedBy,
		aliases,
		type,
		state,
		languages: capabilities?.languages ?? null,
		capabilities: capabilities && capabilitiesBody(capabilities),
		...(memoryBytes > 0 && { memory_bytes: memoryBytes }),
		...(demo && { demo }),
	};
}

function capabilitiesBody(can: Capabilities): object {
	return {
		prompt: can.prompt,
		keywords: can.keywords,
		temperature: can.temperature,
		words: can.words,
		logprobs: can.logprobs,
		no_speech_prob: can.noSpeechProb,
		translates: can.translates,
		detects_language: can.detectsLanguage,
		chooses_language: can.choosesLanguage,
		chooses_among_languages: can.choosesAmongLanguages,
	};
}
