/** What exists: every model that Earshot knows how to fetch. */

import { languageCandidates } from '../../languages.js';
import { isGgmlType, isSherpaType } from '../types/types.js';
import { builtInModels } from './parse.js';
import type { CatalogModel } from './types.js';

export class Catalog {
	readonly #more: readonly CatalogModel[];
	#byId: ReadonlyMap<string, CatalogModel> | undefined;

	/** `more`: models of the user's own file; one with a known id takes that one's place. */
	constructor(more: readonly CatalogModel[] = []) {
		this.#more = more;
	}

	get models(): readonly CatalogModel[] {
		return [...this.#all.values()];
	}

	/** Read when it is first asked for: most commands and a server's start do without. */
	get #all(): ReadonlyMap<string, CatalogModel> {
		this.#byId ??= new Map([...builtInModels(), ...this.#more].map((model) => [model.id, model]));
		return this.#byId;
	}

	find(id: string): CatalogModel | undefined {
		return this.#all.get(id);
	}

	/** Every word has to occur in the id, title, family, type, use, licence, a feature or a language: by code or English name. */
	search(words: readonly string[]): readonly CatalogModel[] {
		const wanted = words.map((word) => word.toLowerCase());
		return this.models.filter((model) => {
			const { id, title, family, type, engine, use, licence } = model;
			const text = [id, title, family, type, engine, use, licence.name, model.languagesNote ?? '']
				.concat(model.features)
				.join(' ')
				.toLowerCase();
			const hears = (word: string) => languageCandidates(word).some((code) => model.languages.includes(code));
			return wanted.every((word) => text.includes(word) || hears(word));
		});
	}
}

/** Whether the engines of this version can serve it. */
export function isServable({ use, type }: Pick<CatalogModel, 'use' | 'type'>): boolean {
	return use === 'transcription' && (isGgmlType(type) || isSherpaType(type));
}

/** Whether every byte of it is known beforehand. */
export function isPinned({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): boolean {
	return archive ? archive.sha256 !== null : files.every(({ sha256 }) => sha256 !== null);
}
