/** Catalogs in YAML (or JSON, which is YAML too): Earshot's own, and those of users. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { EarshotError } from '../../errors.js';
import { packageRoot } from '../../paths.js';
import { memoryOf } from '../types/memory.js';
import { isGgmlType } from '../types/types.js';
import { checkCatalog } from './schema.js';
import { downloadBytes } from './size.js';
import type { CatalogModel } from './types.js';

const builtInFile = path.join(packageRoot, 'src', 'models', 'catalog', 'catalog.yaml');

/** Archives are compressed to about two thirds. */
const unpackedRatio = 1.4;

/** Whisper's languages stand in many models of the built-in catalog; more than that is an attack. */
const maxAliasCount = 1000;

let builtIn: readonly CatalogModel[] | undefined;

/** The models of catalog.yaml, read once. */
export function builtInModels(): readonly CatalogModel[] {
	builtIn ??= parseCatalog(readFileSync(builtInFile, 'utf8'), builtInFile);
	return builtIn;
}

/** `models`: a list of models, whose fields may be left out where `complete` knows them. Throws `config_invalid`. */
export function parseCatalog(text: string, file: string): readonly CatalogModel[] {
	let data: unknown;
	try {
		data = parse(text, { maxAliasCount });
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError('config_invalid', `${file}: ${why}`, { cause, param: 'catalog' });
	}
	const models = typeof data === 'object' && data !== null && 'models' in data ? data.models : undefined;
	const completed = Array.isArray(models) ? models.map(complete) : [];
	const mistakes = Array.isArray(models) ? checkCatalog(completed) : ['Expected `models` to be a list'];
	if (mistakes.length > 0)
		throw new EarshotError('config_invalid', `${file}: ${mistakes[0]}`, { param: 'catalog' });
	return (completed as CatalogModel[]).map((model) =>
		model.memoryBytes === undefined ? { ...model, memoryBytes: memoryBytesOf(model) } : model,
	);
}

/** What a model says by leaving it out. What is no map is refused by the check. */
function complete(model: unknown): unknown {
	if (typeof model !== 'object' || model === null || Array.isArray(model)) return model;
	const type = 'type' in model ? String(model.type) : '';
	return {
		engine: isGgmlType(type) ? 'whisper.cpp' : 'sherpa-onnx',
		use: 'transcription',
		roles: null,
		files: [],
		archive: null,
		options: {},
		...model,
	};
}

/** null where the size is not known. */
function memoryBytesOf(model: CatalogModel): number | null {
	const bytes = downloadBytes(model);
	if (bytes === null) return null;
	return memoryOf(model.type, model.archive === null ? bytes : unpackedRatio * bytes);
}
