/** Which model a live session means. Pure. */

import { EarshotError } from '../../../errors.js';

/** Names under which OpenAI sells its live models. */
export const liveModelNames: readonly string[] = ['gpt-live-transcribe', 'gpt-realtime-whisper'];

/** Its models for conversations, which clients name to connect. */
const conversationModel = /^(gpt-realtime|gpt-4o(-mini)?-realtime)/;

/** How a session finds its model. */
export interface ModelNames {
	/** The default, if it transcribes while it hears; else the first that does; else the default. */
	readonly liveDefault: () => string;
	readonly defaultModel: () => string;
	/** Throws `model_not_found`. */
	readonly idOf: (name: string) => string;
}

/** The id of the model that a session means. Throws EarshotError. */
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

/** What is asked of a pool. */
export interface NamedModels {
	readonly models: readonly { readonly id: string; readonly hearsLive: boolean }[];
	readonly defaultModel: string;
	idOf(name: string): string;
}

export function modelNamesOf(pool: NamedModels): ModelNames {
	return {
		defaultModel: () => pool.idOf(pool.defaultModel),
		liveDefault: () => {
			const id = pool.idOf(pool.defaultModel);
			const hears = pool.models.filter(({ hearsLive }) => hearsLive);
			return hears.find((model) => model.id === id)?.id ?? hears[0]?.id ?? id;
		},
		idOf: (name) => pool.idOf(name),
	};
}
