/** Loads the registry: settings and models of models.yaml, and the demo model. */

import { existsSync, statSync } from 'node:fs';
import { earshot } from '../../core/command-line.js';
import { environmentSource, flagSource, resolveConfig } from '../../core/config/resolve.js';
import type { Config, SettingTexts } from '../../core/config/settings.js';
import { readTextUpTo } from '../../core/disk/disk.js';
import { codeOf, EarshotError, shortened } from '../../core/errors.js';
import { diarizationType } from '../../core/speech/model-info.js';
import { Catalog, isServable } from '../catalog/catalog.js';
import { maxCatalogBytes, maxYamlBytes, parseCatalog } from '../catalog/parse.js';
import { demoEntry } from './demo.js';
import type { ModelEntry } from './entry.js';
import { EntryNames } from './names.js';
import { emptyRegistry, type ParsedRegistry, parseRegistry } from './parse.js';
import { canBePulled } from './pull-plan.js';
import type { Problem } from './yaml-reader.js';

export interface ModelRegistry {
	readonly config: Config;
	readonly entries: readonly ModelEntry[];
	/** Entries and aliases of models.yaml that cannot be served, and why. */
	readonly problems: readonly Problem[];
	/** The entries of models.yaml without derived names; an entry with a mistake as it was before. */
	readonly own: readonly ModelEntry[];
	/** Id of the diarization model: the first that is installed; undefined if there is none. */
	readonly diarizer: string | undefined;
	/** Id of an entry, or of a problem if `default_model` names one. */
	readonly defaultModel: string;
	readonly names: EntryNames;
	readonly catalog: Catalog;
	readonly warnings: readonly string[];
}

/** OpenAI's diarizing model, which in Earshot needs another model. */
const diarizingName = 'gpt-4o-transcribe-diarize';

/** Names that OpenAI's clients send. They mean the default model, like every other name that `isOpenAiName` accepts. */
const wellKnownNames = [
	'whisper-1',
	'gpt-transcribe',
	'gpt-4o-transcribe',
	'gpt-4o-mini-transcribe',
	'gpt-4o-mini-transcribe-2025-12-15',
	diarizingName,
] as const;

/** Settings come from flags, then the environment, models.yaml and defaults. `earlier`: the entries before the file was
 * changed, used for entries that now have a mistake. Throws `config_invalid` for mistakes outside the entries and
 * aliases of models.yaml. */
export function loadRegistry(
	flags: SettingTexts,
	packageRoot: string,
	earlier: readonly ModelEntry[] = [],
): ModelRegistry {
	const outer = [flagSource(flags), environmentSource()];
	const { config: file, modelDir } = resolveConfig(outer);
	const isExplicit = flags.config !== undefined || outer.some(({ values }) => values.config !== undefined);
	// The file is parsed again if it sets `model_dir`, which the entries' folders are relative to.
	const first = readRegistry(file, modelDir, isExplicit);
	const config = resolveConfig([...outer, first.source]);
	const parsed = config.modelDir === modelDir ? first : readRegistry(file, config.modelDir, isExplicit);
	const kept = earlier.filter(
		({ id }) =>
			parsed.problems.some((problem) => problem.id === id) && !parsed.entries.some((each) => each.id === id),
	);
	const own = [...parsed.entries, ...kept];
	const catalog = new Catalog(config.catalog === '' ? [] : readCatalog(config.catalog));
	const { entries, problems } = withAliases([...own, demoEntry(packageRoot)], parsed, catalog);
	const defaultModel = pickDefault(entries, problems, config.defaultModel, catalog);
	const diarizer = entries.find((entry) => entry.type === diarizationType && isInstalled(entry))?.id;
	return {
		config,
		entries: withWellKnownNames(entries, defaultModel, diarizer !== undefined),
		problems,
		own,
		diarizer,
		defaultModel,
		names: new EntryNames({ entries, problems, defaultModel, catalog }),
		catalog,
		warnings: parsed.warnings,
	};
}

function readRegistry(file: string, modelDir: string, isExplicit: boolean): ParsedRegistry {
	let text: string | undefined;
	try {
		text = readTextUpTo(file, maxYamlBytes);
	} catch (cause) {
		// The default file may be absent; an explicitly named one must exist.
		if (!isExplicit && codeOf(cause) === 'ENOENT') return emptyRegistry;
		throw unreadable('config', 'a readable file', file, cause);
	}
	if (text === undefined) throw unreadable('config', `a file of at most ${mebibytes(maxYamlBytes)}`, file);
	return parseRegistry(text, file, modelDir);
}

function readCatalog(file: string) {
	let text: string | undefined;
	try {
		text = readTextUpTo(file, maxCatalogBytes);
	} catch (cause) {
		throw unreadable('catalog', 'a readable file', file, cause);
	}
	if (text === undefined)
		throw unreadable('catalog', `a file of at most ${mebibytes(maxCatalogBytes)}`, file);
	return parseCatalog(text, file);
}

function mebibytes(bytes: number): string {
	return `${bytes / 2 ** 20} MiB`;
}

function unreadable(setting: string, expectation: string, file: string, cause?: unknown): EarshotError {
	return new EarshotError('config_invalid', `Expected \`${setting}\` to be ${expectation}, got \`${file}\``, {
		cause,
		param: setting,
	});
}

/** The configured default model, else the first that is installed; the demo model always is. */
function pickDefault(
	entries: readonly ModelEntry[],
	problems: readonly Problem[],
	configured: string,
	catalog: Catalog,
): string {
	const transcribing = entries.filter(({ type }) => type !== diarizationType);
	if (configured === '') return (transcribing.find(isInstalled) ?? transcribing[0])?.id ?? '';
	const found = new EntryNames({ entries, problems, defaultModel: '', catalog }).findOwn(configured);
	if (found) return 'entry' in found ? found.entry.id : found.problem.id;
	const ids = entries.map(({ id }) => id).join(', ');
	throw new EarshotError(
		'config_invalid',
		`Expected \`default_model\` to be one of ${ids}, got \`${configured}\``,
		{
			param: 'default_model',
		},
	);
}

/** Adds the section `aliases`. A name in it that cannot be served becomes a problem. */
function withAliases(
	all: readonly ModelEntry[],
	{ aliases, problems: found }: ParsedRegistry,
	catalog: Catalog,
): Pick<ModelRegistry, 'entries' | 'problems'> {
	let entries = all;
	const problems = [...found];
	for (const { name, model, refuse } of aliases) {
		const target = new EntryNames({ entries, problems, defaultModel: '', catalog }).findOwn(model);
		if (entries.some(({ id }) => id === name)) problems.push(refuse('absent, since a model has that id'));
		else if (target === undefined) problems.push(refuse(`one of ${all.map(({ id }) => id).join(', ')}`));
		else if ('problem' in target) problems.push({ ...target.problem, id: name });
		else
			entries = entries.map((entry) => {
				const others = entry.aliases.filter((alias) => alias !== name);
				return { ...entry, aliases: entry.id === target.entry.id ? [...others, name] : others };
			});
	}
	return { entries, problems };
}

/** Adds OpenAI's model names as aliases of the default model, except those the user has taken. */
function withWellKnownNames(
	entries: readonly ModelEntry[],
	defaultModel: string,
	diarizes: boolean,
): ModelEntry[] {
	const taken = new Set(entries.flatMap(({ id, aliases }) => [id, ...aliases]));
	const free = wellKnownNames.filter((name) => !taken.has(name) && (diarizes || name !== diarizingName));
	return entries.map((entry) =>
		entry.id === defaultModel ? { ...entry, aliases: [...entry.aliases, ...free] } : entry,
	);
}

/** Whether all files of the model are on this machine. */
export function isInstalled(entry: Pick<ModelEntry, 'files'>): boolean {
	return Object.values(entry.files).every((file) => existsSync(file));
}

/** The parts of a registry that finding an entry needs. */
type Findable = Pick<ModelRegistry, 'entries' | 'catalog' | 'names' | 'config'>;

/** The entry for a name. Throws `model_not_found`, whose message names a remedy, and `config_invalid` for an entry with
 * a mistake. */
export function findEntry(registry: Findable, name: string): ModelEntry {
	const found = registry.names.find(name);
	if (found === undefined)
		throw new EarshotError('model_not_found', notServed(name, registry), { param: 'model' });
	if ('entry' in found) return found.entry;
	throw unservable(found.problem);
}

/** The error for an entry or an alias with a mistake. */
export function unservable({ id, sentence }: Problem): EarshotError {
	return new EarshotError('config_invalid', `The model \`${id}\` cannot be served: ${sentence}`, {
		param: 'model',
	});
}

/** Like `findEntry`, for callers that do not download. If files that can be pulled are missing, throws
 * `model_not_found` with the command to run. */
export function findInstalled(registry: Findable, name: string): ModelEntry {
	const entry = findEntry(registry, name);
	if (isInstalled(entry) || !canBePulled(entry, registry)) return entry;
	throw missing(entry.id);
}

/** The error for a model that is in models.yaml but not installed. */
export function missing(id: string): EarshotError {
	return new EarshotError(
		'model_not_found',
		`The model \`${id}\` is in models.yaml, but its files are not on this machine. To download them: ${earshot(`pull ${id}`)}`,
		{ param: 'model' },
	);
}

function notServed(name: string, { entries, catalog, names }: Findable): string {
	const model = catalog.resolve(name);
	if (model === undefined) return unknownModel(name, entries, names.similar(name), catalog.similar(name));
	const { id } = model;
	const known = entries.map((entry) => entry.id).join(', ');
	if (isServable(model))
		return `The model \`${id}\` is not on this machine. To download it: ${earshot(`pull ${id}`)}`;
	if (model.use === 'transcription')
		return `The model \`${id}\` has the type ${model.type}, which this version of Earshot cannot serve yet`;
	return `The model \`${id}\` is for ${uses[model.use]} and cannot transcribe. Available: ${known}`;
}

function unknownModel(
	name: string,
	entries: readonly ModelEntry[],
	here: readonly string[],
	elsewhere: readonly string[],
): string {
	const start = `The model \`${shortened(name)}\` is not on this machine.`;
	if (here.length > 0) return `${start} Did you mean ${alternatives(here)}?`;
	const available = `Available: ${entries.map(({ id }) => id).join(', ')}.`;
	if (elsewhere.length === 0) return `${start} ${available} To find models to download: ${earshot('search')}`;
	const [first] = elsewhere;
	return `${start} Did you mean ${alternatives(elsewhere)}? To download it: ${earshot(`pull ${first}`)}`;
}

/** `a`, `b` or `c`, each in backquotes. */
export function alternatives(names: readonly string[]): string {
	const quoted = names.map((name) => `\`${name}\``);
	const last = quoted.pop() ?? '';
	return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

const uses = {
	streaming: 'streaming',
	vad: 'voice activity detection',
	diarization: 'speaker diarization',
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
