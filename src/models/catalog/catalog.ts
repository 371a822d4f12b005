/** The catalog: every model that can be pulled. */

import { languageCandidates } from '../../core/languages.js';
import { diarizationType } from '../../core/speech/model-info.js';
import { isGgmlType, isSherpaType } from '../types/types.js';
import { keysOf, nameKey, similarNames } from './names.js';
import { builtInModels } from './parse.js';
import type { CatalogModel } from './types.js';

export class Catalog {
	readonly #more: readonly CatalogModel[];
	#byId: ReadonlyMap<string, CatalogModel> | undefined;
	#byKey: ReadonlyMap<string, CatalogModel> | undefined;

	/** `more`: models of the user's own file; one with the id of a built-in model replaces it. */
	constructor(more: readonly CatalogModel[] = []) {
		this.#more = more;
	}

	get models(): readonly CatalogModel[] {
		return [...this.#all.values()];
	}

	/** Read on first use, since most commands and the start of a server do not need it. */
	get #all(): ReadonlyMap<string, CatalogModel> {
		this.#byId ??= new Map([...builtInModels(), ...this.#more].map((model) => [model.id, model]));
		return this.#byId;
	}

	find(id: string): CatalogModel | undefined {
		return this.#all.get(id);
	}

	/** Finds a model by its id or any other of its names: `tiny.en`, `openai/whisper-tiny.en`, `iic/SenseVoiceSmall`. */
	resolve(name: string): CatalogModel | undefined {
		return this.find(name) ?? this.#keys.get(nameKey(name));
	}

	/** Ids of at most three models that the user may have meant. */
	similar(name: string): readonly string[] {
		return similarNames(
			name,
			this.models.map(({ id }) => id),
		);
	}

	/** By key; an id takes precedence over other names of other models. */
	get #keys(): ReadonlyMap<string, CatalogModel> {
		this.#byKey ??= new Map([
			...this.models.flatMap((model) => keysOf(model).map((key) => [key, model] as const)).toReversed(),
			...this.models.map((model) => [nameKey(model.id), model] as const),
		]);
		return this.#byKey;
	}

	/** Models that match every word, in the id, title, family, type, engine, use, licence or a feature, or as a language
	 * by code or English name. */
	search(words: readonly string[]): readonly CatalogModel[] {
		const lowered = words.map((word) => word.toLowerCase());
		return this.models.filter((model) => {
			const { id, title, family, type, engine, use, licence } = model;
			const text = [id, title, family, type, engine, use, licence.name, model.languagesNote ?? '']
				.concat(model.features)
				.join(' ')
				.toLowerCase();
			const supports = (word: string) =>
				languageCandidates(word).some((code) => model.languages.includes(code));
			return lowered.every((word) => text.includes(word) || supports(word));
		});
	}
}

/** Whether this version can serve the model. */
export function isServable({ use, type }: Pick<CatalogModel, 'use' | 'type'>): boolean {
	if (use === 'diarization') return type === diarizationType;
	return use === 'transcription' && (isGgmlType(type) || isSherpaType(type));
}

/** Whether the digests of all its downloads are known in advance. */
export function isPinned({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): boolean {
	return archive ? archive.sha256 !== null : files.every(({ sha256 }) => sha256 !== null);
}
