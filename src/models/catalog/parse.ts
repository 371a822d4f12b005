/** Reads catalogs in YAML (or JSON, which is YAML too): the built-in one and users' own. */

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

/** Unpacked size over archive size: archives are compressed to about two thirds. */
const unpackedRatio = 1.4;

/** Many models of the built-in catalog share Whisper's languages by a YAML alias; more aliases than this are an attack. */
const maxAliasCount = 1000;

let builtIn: readonly CatalogModel[] | undefined;

/** The models of catalog.yaml, read once. */
export function builtInModels(): readonly CatalogModel[] {
	builtIn ??= parseCatalog(readFileSync(builtInFile, 'utf8'), builtInFile);
	return builtIn;
}

/** `text` has a list `models`, whose fields may be absent where `complete` has a default. Throws `config_invalid`. */
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

/** Fills in the defaults of absent fields. Values that are not maps are returned as they are, for `checkCatalog` to refuse. */
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

/** null where the size of a file is unknown. */
function memoryBytesOf(model: CatalogModel): number | null {
	const bytes = downloadBytes(model);
	if (bytes === null) return null;
	return memoryOf(model.type, model.archive === null ? bytes : unpackedRatio * bytes);
}
