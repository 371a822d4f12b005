/** Resolves the model name of a live session. Pure. */

import { EarshotError } from '../../../core/errors.js';
import { liveModelNames } from '../protocol/events.js';

/** OpenAI's conversation models, which some clients name when they connect. */
const conversationModel = /^(gpt-realtime|gpt-4o(-mini)?-realtime)/;

/** Model lookup for sessions. */
export interface ModelNames {
	/** The default model if it supports streaming, else the first streaming model, else the default model. */
	readonly liveDefault: () => string;
	readonly defaultModel: () => string;
	/** Throws `model_not_found`. */
	readonly idOf: (name: string) => string;
}

/** The id of the model for a session. Throws EarshotError. */
export function sessionModel(name: string | undefined, names: ModelNames): string {
	if (name === undefined || name.trim() === '') return names.defaultModel();
	if (liveModelNames.includes(name)) return names.liveDefault();
	try {
		return names.idOf(name);
	} catch (thrown) {
		if (!conversationModel.test(name) || !(thrown instanceof EarshotError)) throw thrown;
		return names.defaultModel();
	}
}

/** The part of a pool that this needs. `isStreaming`: the model supports streaming. */
export interface NamedModels {
	readonly models: readonly { readonly id: string; readonly isStreaming: boolean }[];
	readonly defaultModel: string;
	idOf(name: string): string;
}

export function modelNamesOf(pool: NamedModels): ModelNames {
	return {
		defaultModel: () => pool.idOf(pool.defaultModel),
		liveDefault: () => {
			const id = pool.idOf(pool.defaultModel);
			const streaming = pool.models.filter(({ isStreaming }) => isStreaming);
			return streaming.find((model) => model.id === id)?.id ?? streaming[0]?.id ?? id;
		},
		idOf: (name) => pool.idOf(name),
	};
}
