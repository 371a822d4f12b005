/** What exists: every model that Earshot knows how to fetch. Pure; the data is in catalog-data.ts. */

import { EarshotError } from '../../errors.js';
import { languageCandidates } from '../../languages.js';
import { isGgmlType, isSherpaType } from '../types/types.js';
import { builtIn } from './catalog-data.js';
import { checkCatalog } from './schema.js';
import type { CatalogModel } from './types.js';

export class Catalog {
	readonly models: readonly CatalogModel[];
	readonly #byId: ReadonlyMap<string, CatalogModel>;

	/** `more`: models of the user's own file; one with a known id takes that one's place. */
	constructor(more: readonly CatalogModel[] = []) {
		this.#byId = new Map([...builtIn, ...more].map((model) => [model.id, model]));
		this.models = [...this.#byId.values()];
	}

	find(id: string): CatalogModel | undefined {
		return this.#byId.get(id);
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

/** What comes over the line; null where any part of it is not known. */
export function downloadBytes({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): number | null {
	const parts = archive ? [archive] : files;
	return sum(parts.map(({ bytes, aboutBytes }) => bytes ?? aboutBytes ?? null));
}

function sum(numbers: readonly (number | null)[]): number | null {
	return numbers.reduce((total, each) => (total === null || each === null ? null : total + each), 0);
}

/** Whether every byte of it is known beforehand. */
export function isPinned({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): boolean {
	return archive ? archive.sha256 !== null : files.every(({ sha256 }) => sha256 !== null);
}

/** A catalog of the user's own: `{"models": [...]}` in JSON. Throws `config_invalid`. */
export function parseCatalog(text: string, file: string): readonly CatalogModel[] {
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError('config_invalid', `${file}: ${why}`, { cause, param: 'catalog' });
	}
	const models = typeof data === 'object' && data !== null && 'models' in data ? data.models : undefined;
	const mistakes = Array.isArray(models) ? checkCatalog(models) : ['Expected `models` to be a list'];
	if (mistakes.length > 0)
		throw new EarshotError('config_invalid', `${file}: ${mistakes[0]}`, { param: 'catalog' });
	return models as CatalogModel[];
}
