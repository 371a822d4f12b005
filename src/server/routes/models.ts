/** GET /v1/models and /v1/models/{id}. */

import { expected } from '../../core/errors.js';
import { type Capabilities, diarizationType } from '../../core/speech/model-info.js';
import { missing } from '../../models/registry/registry.js';
import type { ListedModel, ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';

/** With `?aliases=true` each alias is listed as a separate model, for clients that let users choose only among ids. */
export function listModels(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		const { aliases } = ctx.query;
		const withAliases = booleanOf(aliases);
		const data = pool.models.flatMap((model) => [
			modelBody(model),
			...(withAliases
				? model.aliases.map((alias) => ({ ...modelBody(model), id: alias, alias_of: model.id }))
				: []),
		]);
		ctx.body = { object: 'list', data };
	};
}

function booleanOf(value: unknown): boolean {
	if (value === undefined) return false;
	if (value === 'true' || value === '' || value === '1') return true;
	if (value === 'false' || value === '0') return false;
	throw expected('aliases', 'true or false', value);
}

export function retrieveModel(pool: ModelPool): (ctx: RequestContext) => void {
	return (ctx) => {
		ctx.body = modelBody(findModel(pool, ctx.params.model ?? ''));
	};
}

/** Finds a model by any of its names. Throws `model_not_found`. */
export function findModel(pool: ModelPool, name: string): ListedModel {
	const id = pool.idOf(name);
	const model = pool.models.find((each) => each.id === id);
	if (model) return model;
	throw missing(id);
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
		capabilities: capabilities && capabilitiesBody(capabilities, type),
		...(memoryBytes > 0 && { memory_bytes: memoryBytes }),
		...(demo && { demo }),
	};
}

function capabilitiesBody(can: Capabilities, type: string): object {
	return {
		transcribes: type !== diarizationType,
		prompt: can.prompt,
		keywords: can.keywords,
		temperature: can.temperature,
		decoding: can.decoding,
		words: can.words,
		logprobs: can.logprobs,
		no_speech_prob: can.noSpeechProb,
		translates: can.translates,
		detects_language: can.detectsLanguage,
		chooses_language: can.choosesLanguage,
		chooses_among_languages: can.choosesAmongLanguages,
	};
}
