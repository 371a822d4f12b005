/** Describes the models in Wyoming's `info` event, and selects the model for a client's request. Pure. */

import { languageCandidates, languageCodes } from '../../core/languages.js';
import { diarizationType } from '../../core/speech/model-info.js';
import type { ListedModel, ModelPool } from '../../pool/model-pool.js';
import { type ModelNames, sessionModel } from '../live/session/model-names.js';
import type { TranscribeRequest } from './requests.js';

const home = { name: 'Earshot', url: 'https://github.com/earshot/earshot' };

/** The program's name, by which a client chooses among several programs. */
export const programName = 'earshot';

type Models = Pick<ModelPool, 'models' | 'defaultModel' | 'idOf'>;

/** The data of `info`. */
export function infoOf(pool: Models, version: string): Record<string, unknown> {
	const models = transcribing(pool).map(({ id, type, ownedBy, capabilities }) => ({
		name: id,
		// A model without a list accepts any code.
		languages: capabilities?.languages ?? languageCodes,
		attribution: { name: ownedBy, url: '' },
		installed: true,
		description: `${id} (${type})`,
		version: null,
	}));
	const program = {
		name: programName,
		attribution: home,
		installed: true,
		description: 'Earshot: speech to text on this machine',
		version,
		models,
		supports_transcript_streaming: true,
		// The audio ends with `audio-stop`.
		requires_external_vad: true,
	};
	return { asr: [program] };
}

/**
 * The id of the model for a request: the named one, else the default model; if that does not support the language, the
 * first that does. Home Assistant gives only a language. Throws `model_not_found`.
 */
export function modelFor({ name, language }: TranscribeRequest, pool: Models, names: ModelNames): string {
	const candidates = languageCandidates(language);
	if (name !== '' || candidates.length === 0) return sessionModel(name, names);
	const knows = ({ capabilities }: ListedModel) =>
		!capabilities?.languages || candidates.some((code) => capabilities.languages?.includes(code));
	const [first, ...others] = transcribing(pool);
	if (first === undefined || knows(first)) return names.defaultModel();
	return others.find((model) => !model.demo && knows(model))?.id ?? names.defaultModel();
}

/** The transcription models, the default model first. */
function transcribing(pool: Models): readonly ListedModel[] {
	const models = pool.models.filter(({ type }) => type !== diarizationType);
	const first = models.find(({ id, aliases }) => [id, ...aliases].includes(pool.defaultModel));
	return first === undefined ? models : [first, ...models.filter((model) => model !== first)];
}
