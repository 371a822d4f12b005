/** Reads catalogs in YAML (or JSON, which is YAML too): the built-in one and users' own. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { EarshotError } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { memoryOf } from '../types/memory.js';
import { isGgmlType } from '../types/types.js';
import { checkCatalog } from './schema.js';
import { downloadBytes } from './size.js';
import type { CatalogModel } from './types.js';

const builtInFile = path.join(packageRoot, 'src', 'models', 'catalog', 'catalog.yaml');

/** Unpacked size over archive size: archives are compressed to about two thirds. */
const unpackedRatio = 1.4;

/** A mebibyte of YAML takes a second to read; JSON is read a hundred times faster. */
export const maxYamlBytes = 2 ** 20;
export const maxCatalogBytes = 64 * 2 ** 20;

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
	const data = parseJson(text) ?? parseYaml(text, file);
	const models = typeof data === 'object' && data !== null && 'models' in data ? data.models : undefined;
	const completed = Array.isArray(models) ? models.map(complete) : [];
	const mistakes = Array.isArray(models) ? checkCatalog(completed) : ['Expected `models` to be a list'];
	if (mistakes.length > 0)
		throw new EarshotError('config_invalid', `${file}: ${mistakes[0]}`, { param: 'catalog' });
	return (completed as CatalogModel[]).map((model) =>
		model.memoryBytes === undefined ? { ...model, memoryBytes: memoryBytesOf(model) } : model,
	);
}

/** undefined if it is not JSON. */
function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function parseYaml(text: string, file: string): unknown {
	if (text.length > maxYamlBytes)
		throw new EarshotError(
			'config_invalid',
			`Expected \`catalog\` to be JSON, or YAML of at most ${maxYamlBytes / 2 ** 20} MiB, got \`${file}\``,
			{ param: 'catalog' },
		);
	try {
		return parse(text, { maxAliasCount });
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError('config_invalid', `${file}: ${why}`, { cause, param: 'catalog' });
	}
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
