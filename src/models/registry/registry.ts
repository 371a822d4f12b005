/** Loads the registry: settings and models of models.yaml, and the demo model. */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { environmentSource, flagSource, resolveConfig } from '../../config/resolve.js';
import type { Config, SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { Catalog, isServable } from '../catalog/catalog.js';
import { parseCatalog } from '../catalog/parse.js';
import { demoEntry } from './demo.js';
import { findIn, type ModelEntry } from './entry.js';
import { type Alias, emptyRegistry, type ParsedRegistry, parseRegistry } from './parse.js';

export interface ModelRegistry {
	readonly config: Config;
	readonly entries: readonly ModelEntry[];
	readonly defaultModel: string;
	readonly catalog: Catalog;
	readonly warnings: readonly string[];
}

/** Names that OpenAI's clients send; each means the default model here. */
const wellKnownNames = [
	'whisper-1',
	'gpt-transcribe',
	'gpt-4o-transcribe',
	'gpt-4o-mini-transcribe',
	'gpt-4o-mini-transcribe-2025-12-15',
] as const;

/** Settings come from flags, then the environment, models.yaml and defaults. Throws `config_invalid`. */
export function loadRegistry(
	flags: Partial<Record<SettingName, string>>,
	packageRoot: string,
): ModelRegistry {
	const outer = [flagSource(flags), environmentSource()];
	const { config: file, modelDir } = resolveConfig(outer);
	const isExplicit = flags.config !== undefined || outer.some(({ values }) => values.config !== undefined);
	// The file is parsed again if it sets `model_dir`, which the entries' folders are relative to.
	const first = readRegistry(file, modelDir, isExplicit);
	const config = resolveConfig([...outer, first.source]);
	const parsed = config.modelDir === modelDir ? first : readRegistry(file, config.modelDir, isExplicit);
	const entries = withAliases([...parsed.entries, demoEntry(packageRoot)], parsed.aliases);
	const defaultModel = pickDefault(entries, config.defaultModel);
	return {
		config,
		entries: withWellKnownNames(entries, defaultModel),
		defaultModel,
		catalog: new Catalog(config.catalog === '' ? [] : readCatalog(config.catalog)),
		warnings: parsed.warnings,
	};
}

function readRegistry(file: string, modelDir: string, isExplicit: boolean): ParsedRegistry {
	let text: string;
	try {
		text = readFileSync(file, 'utf8');
	} catch (cause) {
		// The default file may be absent; an explicitly named one must exist.
		if (!isExplicit && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
			return emptyRegistry;
		throw unreadable('config', file, cause);
	}
	return parseRegistry(text, file, modelDir);
}

function readCatalog(file: string) {
	let text: string;
	try {
		text = readFileSync(file, 'utf8');
	} catch (cause) {
		throw unreadable('catalog', file, cause);
	}
	return parseCatalog(text, file);
}

function unreadable(setting: string, file: string, cause: unknown): EarshotError {
	return new EarshotError(
		'config_invalid',
		`Expected \`${setting}\` to be a readable file, got \`${file}\``,
		{ cause, param: setting },
	);
}

/** The configured default model, else the first that is installed; the demo model always is. */
function pickDefault(entries: readonly ModelEntry[], configured: string): string {
	if (configured === '') return (entries.find(isInstalled) ?? entries[0])?.id ?? '';
	const found = findIn(entries, configured);
	if (found) return found.id;
	const ids = entries.map(({ id }) => id).join(', ');
	throw new EarshotError(
		'config_invalid',
		`Expected \`default_model\` to be one of ${ids}, got \`${configured}\``,
		{
			param: 'default_model',
		},
	);
}

function withAliases(entries: readonly ModelEntry[], aliases: readonly Alias[]): readonly ModelEntry[] {
	return aliases.reduce((sum, { name, model, refuse }) => {
		const target = findIn(sum, model);
		if (target === undefined) throw refuse(`one of ${entries.map(({ id }) => id).join(', ')}`);
		if (sum.some(({ id }) => id === name)) throw refuse('absent, since a model has that id');
		return sum.map((entry) => {
			const others = entry.aliases.filter((alias) => alias !== name);
			return { ...entry, aliases: entry.id === target.id ? [...others, name] : others };
		});
	}, entries);
}

/** Adds OpenAI's model names as aliases of the default model, except those the user has taken. */
function withWellKnownNames(entries: readonly ModelEntry[], defaultModel: string): ModelEntry[] {
	const taken = new Set(entries.flatMap(({ id, aliases }) => [id, ...aliases]));
	const free = wellKnownNames.filter((name) => !taken.has(name));
	return entries.map((entry) =>
		entry.id === defaultModel ? { ...entry, aliases: [...entry.aliases, ...free] } : entry,
	);
}

/** Whether all of its files are on this machine. */
export function isInstalled(entry: Pick<ModelEntry, 'files'>): boolean {
	return Object.values(entry.files).every((file) => existsSync(file));
}

/** Whether `earshot pull` knows where to download it. */
export function canBePulled(entry: Pick<ModelEntry, 'id' | 'download'>, catalog: Catalog): boolean {
	return entry.download !== undefined || catalog.find(entry.id) !== undefined;
}

/** The entry with that id, else with that alias. Throws `model_not_found`, whose message says what to do. */
export function findEntry(
	{ entries, catalog }: Pick<ModelRegistry, 'entries' | 'catalog'>,
	idOrAlias: string,
): ModelEntry {
	const entry = findIn(entries, idOrAlias);
	if (entry) return entry;
	throw new EarshotError('model_not_found', notServed(idOrAlias, entries, catalog), { param: 'model' });
}

/** As `findEntry`, for callers that do not download. Throws `model_not_found` with the command to run, if files that
 * can be pulled are missing. */
export function findInstalled(
	registry: Pick<ModelRegistry, 'entries' | 'catalog'>,
	idOrAlias: string,
): ModelEntry {
	const entry = findEntry(registry, idOrAlias);
	if (isInstalled(entry) || !canBePulled(entry, registry.catalog)) return entry;
	throw missing(entry.id);
}

/** The error for a model that is in models.yaml but not installed. */
export function missing(id: string): EarshotError {
	return new EarshotError(
		'model_not_found',
		`The model \`${id}\` is in models.yaml, but its files are not on this machine. To download them: earshot pull ${id}`,
		{ param: 'model' },
	);
}

function notServed(id: string, entries: readonly ModelEntry[], catalog: Catalog): string {
	const model = catalog.find(id);
	const known = entries.map((entry) => entry.id).join(', ');
	if (model === undefined)
		return `The model \`${id}\` is not on this machine. Available: ${known}. To find models to download: earshot search`;
	if (isServable(model))
		return `The model \`${id}\` is not on this machine. To download it: earshot pull ${id}`;
	if (model.use === 'transcription')
		return `The model \`${id}\` has the type ${model.type}, which this version of Earshot cannot serve yet`;
	return `The model \`${id}\` is for ${uses[model.use]} and cannot transcribe. Available: ${known}`;
}

const uses = {
	streaming: 'streaming',
	vad: 'voice activity detection',
	segmentation: 'speaker diarization',
	embedding: 'speaker diarization',
} as const;

/** Modification time of the model's newest file, Unix seconds; 0 if there is none. */
export function createdAt(entry: ModelEntry): number {
	const times = Object.values(entry.files).map(
		(file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
	);
	return Math.floor(Math.max(0, ...times) / 1000);
}
