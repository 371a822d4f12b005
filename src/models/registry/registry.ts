/** What this machine serves: models.yaml, or the demo model where there is none. */

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

/** Flags over environment over models.yaml over defaults. Throws `config_invalid`. */
export function loadRegistry(
	flags: Partial<Record<SettingName, string>>,
	packageRoot: string,
): ModelRegistry {
	const outer = [flagSource(flags), environmentSource()];
	const { config: file, modelDir } = resolveConfig(outer);
	const asked = flags.config !== undefined || outer.some(({ values }) => values.config !== undefined);
	// `model_dir` may stand in the file itself, and the entries' folders are relative to it.
	const first = readRegistry(file, modelDir, asked);
	const config = resolveConfig([...outer, first.source]);
	const parsed = config.modelDir === modelDir ? first : readRegistry(file, config.modelDir, asked);
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

function readRegistry(file: string, modelDir: string, asked: boolean): ParsedRegistry {
	let text: string;
	try {
		text = readFileSync(file, 'utf8');
	} catch (cause) {
		// The default place may be empty; a file that was named must be there.
		if (!asked && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return emptyRegistry;
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
		`Expected \`${setting}\` to be a file that can be read, got \`${file}\``,
		{ cause, param: setting },
	);
}

/** What was asked for, else the first whose files are here: the demo model's always are. */
function pickDefault(entries: readonly ModelEntry[], wanted: string): string {
	if (wanted === '') return (entries.find(isInstalled) ?? entries[0])?.id ?? '';
	const found = findIn(entries, wanted);
	if (found) return found.id;
	const ids = entries.map(({ id }) => id).join(', ');
	throw new EarshotError(
		'config_invalid',
		`Expected \`default_model\` to be one of ${ids}, got \`${wanted}\``,
		{
			param: 'default_model',
		},
	);
}

function withAliases(entries: readonly ModelEntry[], aliases: readonly Alias[]): readonly ModelEntry[] {
	return aliases.reduce((sum, { name, model, refuse }) => {
		const target = findIn(sum, model);
		if (target === undefined) throw refuse(`one of ${entries.map(({ id }) => id).join(', ')}`);
		if (sum.some(({ id }) => id === name)) throw refuse('left out, since a model has that name');
		return sum.map((entry) => {
			const others = entry.aliases.filter((alias) => alias !== name);
			return { ...entry, aliases: entry.id === target.id ? [...others, name] : others };
		});
	}, entries);
}

/** A name that the user gave to a model keeps meaning that model. */
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

/** Whether `earshot pull` knows where to get it. */
export function canBePulled(entry: Pick<ModelEntry, 'id' | 'download'>, catalog: Catalog): boolean {
	return entry.download !== undefined || catalog.find(entry.id) !== undefined;
}

/** The entry of that id, else of that alias. Throws `model_not_found` saying what to do. */
export function findEntry(
	{ entries, catalog }: Pick<ModelRegistry, 'entries' | 'catalog'>,
	wanted: string,
): ModelEntry {
	const entry = findIn(entries, wanted);
	if (entry) return entry;
	throw new EarshotError('model_not_found', notServed(wanted, entries, catalog), { param: 'model' });
}

/** As `findEntry`, for whoever does not fetch what is missing. Throws `model_not_found` with the command that does. */
export function findInstalled(
	registry: Pick<ModelRegistry, 'entries' | 'catalog'>,
	wanted: string,
): ModelEntry {
	const entry = findEntry(registry, wanted);
	if (isInstalled(entry) || !canBePulled(entry, registry.catalog)) return entry;
	throw missing(entry.id);
}

/** In models.yaml, and its files are not here. */
export function missing(id: string): EarshotError {
	return new EarshotError(
		'model_not_found',
		`The model \`${id}\` is in models.yaml, but its files are not on this machine. To fetch them: earshot pull ${id}`,
		{ param: 'model' },
	);
}

function notServed(wanted: string, entries: readonly ModelEntry[], catalog: Catalog): string {
	const model = catalog.find(wanted);
	const known = entries.map(({ id }) => id).join(', ');
	if (model === undefined)
		return `The model \`${wanted}\` is not on this machine. It has: ${known}. What can be fetched: earshot search`;
	if (isServable(model))
		return `The model \`${wanted}\` is not on this machine. To fetch it: earshot pull ${wanted}`;
	if (model.use === 'transcription')
		return `The model \`${wanted}\` is of the type ${model.type}, which this version of Earshot cannot serve yet`;
	return `The model \`${wanted}\` is for ${uses[model.use]}, and Earshot does not transcribe with it. It has: ${known}`;
}

const uses = {
	streaming: 'streaming',
	vad: 'finding speech',
	segmentation: 'telling speakers apart',
	embedding: 'telling speakers apart',
} as const;

/** Unix seconds at which the model's newest file arrived; 0 while it has not. */
export function createdAt(entry: ModelEntry): number {
	const times = Object.values(entry.files).map(
		(file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
	);
	return Math.floor(Math.max(0, ...times) / 1000);
}
