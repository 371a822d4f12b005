/** Parses models.yaml into entries and settings; every mistake names its line and field. A mistake in an entry or alias
 * affects only that one; the others are served. */

import path from 'node:path';
import { isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { SettingSource } from '../../core/config/resolve.js';
import { modelOptionNames } from '../../core/config/scopes.js';
import { fileKeyOf, type SettingTexts, settingNames, settings } from '../../core/config/settings.js';
import { keepAlive } from '../../core/config/values.js';
import { isInnerPath } from '../../core/disk/inner-path.js';
import { EarshotError } from '../../core/errors.js';
import { diarizationType } from '../../core/speech/model-info.js';
import type { Family, OptionRule } from '../types/family.js';
import { familyOf, isGgmlType, isSherpaType, modelTypes, parakeetType, whisperType } from '../types/types.js';
import { type EntryDownload, isModelId, type ModelEntry, modelIdRule } from './entry.js';
import { isNull, type Pair, type Problem, YamlReader } from './yaml-reader.js';

export interface ParsedRegistry {
	readonly entries: readonly ModelEntry[];
	/** The section `aliases`, whose targets may include the bundled model. */
	readonly aliases: readonly Alias[];
	/** Entries and aliases that cannot be served. */
	readonly problems: readonly Problem[];
	/** Settings in the file. */
	readonly source: SettingSource;
	/** Unknown keys, for example of another server's file. */
	readonly warnings: readonly string[];
}

export interface Alias {
	readonly name: string;
	readonly model: string;
	/** Makes the problem of this alias, with its line. */
	readonly refuse: (expected: string) => Problem;
}

export const emptyRegistry: ParsedRegistry = {
	entries: [],
	aliases: [],
	problems: [],
	source: { values: {}, nameOf: fileKeyOf },
	warnings: [],
};

/** Options of whisper_cpp entries: settings that may differ by model, and properties of the model file. */
const whisperOptions: Readonly<Record<string, EntryOption>> = {
	...Object.fromEntries(modelOptionNames.map((name) => [fileKeyOf(name), { parse: settings[name].parse }])),
	suppress_tokens: { field: '', kind: 'string' },
	alignment_heads: { field: '', kind: 'string' },
};

/** The rule of the model's type, or the parser of the setting of the same name. */
type EntryOption = OptionRule | { readonly parse: (text: string) => unknown };

/** `modelDir`: base folder of relative `dir`s. Throws `config_invalid` for mistakes outside entries and aliases.
 * Pure. */
export function parseRegistry(text: string, file: string, modelDir: string): ParsedRegistry {
	const lines = new LineCounter();
	// Otherwise the library would refuse the whole file for a duplicate key in one entry.
	const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false });
	const [error] = document.errors;
	if (error) {
		// The library's message for several documents is meant for programmers.
		const what =
			error.code === 'MULTIPLE_DOCS'
				? 'Expected one YAML document, got `---` and another'
				: error.message.split('\n', 1)[0];
		throw new EarshotError('config_invalid', `${file}:${lines.linePos(error.pos[0]).line}: ${what}`);
	}
	if (document.contents === null) return emptyRegistry;

	const reader = new EntryReader(file, lines, modelDir);
	const top = reader.map(document.contents, 'the file');
	const values: SettingTexts = {};
	let entries: ModelEntry[] = [];
	let aliases: Alias[] = [];
	for (const { key, value, at } of reader.pairs(top, '')) {
		const name = settingNames.find((candidate) => fileKeyOf(candidate) === key);
		if (key === 'models') entries = reader.entries(value);
		else if (key === 'aliases') aliases = reader.aliases(value);
		else if (name === undefined || 'notInFile' in settings[name])
			reader.warn(at, `\`${key}\` is not a setting of Earshot`);
		else values[name] = reader.settingText(value, key);
	}
	return {
		entries,
		aliases,
		problems: reader.problems,
		source: { values, nameOf: (name) => `${fileKeyOf(name)} in ${file}` },
		warnings: reader.warnings,
	};
}

const diarizationRules = {
	files: { segmentation: '', embedding: '' },
	options: { threshold: { field: '', kind: 'number' } },
} as const;

const keysOfEntry = ['type', 'dir', 'aliases', 'files', 'options', 'languages', 'keep_alive', 'download'];

type FileRules = Pick<Family, 'files' | 'optionalFiles' | 'otherKeys'>;

class EntryReader extends YamlReader {
	readonly #modelDir: string;

	constructor(file: string, lines: LineCounter, modelDir: string) {
		super(file, lines);
		this.#modelDir = modelDir;
	}

	entries(node: Node | null): ModelEntry[] {
		return this.each(node, 'models', (pair) => this.entry(pair));
	}

	aliases(node: Node | null): Alias[] {
		return this.each(node, 'aliases', ({ key, value, field }) => ({
			name: key,
			model: this.text(value, field),
			refuse: (expected) => this.problem(key, this.refuse(value, field, expected)),
		}));
	}

	entry({ key: id, value, field, at }: Pair): ModelEntry {
		if (!isModelId(id)) throw this.refuse(at, field, modelIdRule);
		// `download:` without a value counts as absent.
		const given = this.pairs(this.map(value, field), field).filter((pair) => !isNull(pair.value));
		for (const pair of given)
			if (!keysOfEntry.includes(pair.key))
				this.warn(pair.at, `\`${pair.field}\` is not a setting of a model`);
		const fields = new Map(given.map((pair) => [pair.key, pair]));
		const typeNode = fields.get('type')?.value ?? null;
		const type = this.text(typeNode, `${field}.type`);
		const family = this.#familyOf(type, typeNode, field);
		const dir = path.resolve(
			this.#modelDir,
			fields.has('dir') ? this.text(fields.get('dir')?.value ?? null, `${field}.dir`) : '',
		);
		const download = fields.get('download');
		const shared = {
			id,
			aliases: this.texts(fields.get('aliases')?.value ?? null, `${field}.aliases`) ?? [],
			files: this.#files(fields.get('files'), `${field}.files`, family, dir, at),
			options: this.#options(
				fields.get('options')?.value ?? null,
				`${field}.options`,
				family.options ?? {},
				path.resolve(this.#modelDir, dir),
			),
			languages: this.texts(fields.get('languages')?.value ?? null, `${field}.languages`),
			ownedBy: 'local',
			demo: false,
			...this.#keepAlive(fields.get('keep_alive')),
			...(download === undefined ? {} : { download: this.#download(download, dir) }),
		};
		if (type === diarizationType) return { ...shared, type };
		return isSherpaType(type)
			? { ...shared, type }
			: { ...shared, type: isGgmlType(type) ? type : whisperType };
	}

	#keepAlive(pair: Pair | undefined): Pick<ModelEntry, 'keepAliveMs'> {
		if (pair === undefined) return {};
		const { value, field } = pair;
		return { keepAliveMs: this.expecting(value, field, () => keepAlive(this.settingText(value, field))) };
	}

	#download({ value, field }: Pair, dir: string): EntryDownload {
		const fields = new Map(this.pairs(this.map(value, field), field).map((pair) => [pair.key, pair.value]));
		const urlNode = fields.get('url') ?? null;
		const url = this.text(urlNode, `${field}.url`);
		if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
			throw this.refuse(urlNode, `${field}.url`, 'an http or https URL');
		const subdirNode = fields.get('archive_subdir') ?? null;
		const archiveSubdir = subdirNode === null ? '' : this.text(subdirNode, `${field}.archive_subdir`);
		if (archiveSubdir !== '' && !isInnerPath(archiveSubdir))
			throw this.refuse(subdirNode, `${field}.archive_subdir`, 'a folder in the archive');
		const digestNode = fields.get('sha256') ?? null;
		const sha256 = digestNode === null ? null : this.text(digestNode, `${field}.sha256`).toLowerCase();
		if (sha256 !== null && !/^[0-9a-f]{64}$/.test(sha256))
			throw this.refuse(digestNode, `${field}.sha256`, '64 hexadecimal digits');
		return { url, archiveSubdir, sha256, dir };
	}

	#familyOf(
		type: string,
		node: Node | null,
		field: string,
	): FileRules & { readonly options?: Readonly<Record<string, EntryOption>> } {
		if (isSherpaType(type)) return familyOf(type);
		if (type === parakeetType) return { files: { model: '' } };
		if (type === whisperType) return { files: { model: '' }, options: whisperOptions };
		if (type === diarizationType) return diarizationRules;
		throw this.refuse(node, `${field}.type`, `one of ${modelTypes.join(', ')}, ${diarizationType}`);
	}

	#files(
		pair: Pair | undefined,
		field: string,
		family: FileRules,
		dir: string,
		entryNode: Node | null,
	): Record<string, string> {
		const files: Record<string, string> = {};
		/** Role → the key that it was given under. */
		const keys = new Map<string, string>();
		for (const each of pair ? this.pairs(this.map(pair.value, field), field) : []) {
			const role = family.otherKeys?.[each.key] ?? each.key;
			if (!Object.hasOwn(family.files, role)) {
				throw this.refuse(each.at, field, `a map with the keys ${Object.keys(family.files).join(', ')}`);
			}
			const other = keys.get(role);
			if (other !== undefined) throw this.refuse(each.at, each.field, `absent beside \`${other}\``);
			keys.set(role, each.key);
			files[role] = path.resolve(dir, this.text(each.value, each.field));
		}
		const missing = Object.keys(family.files).find(
			(role) => files[role] === undefined && !(family.optionalFiles ?? []).includes(role),
		);
		if (missing !== undefined)
			throw this.refuse(pair?.at ?? entryNode, `${field}.${missing}`, 'the path of a file');
		return files;
	}

	#options(
		node: Node | null,
		field: string,
		rules: Readonly<Record<string, EntryOption>>,
		dir: string,
	): Record<string, string | number | boolean> {
		const options: Record<string, string | number | boolean> = {};
		if (isNull(node)) return options;
		for (const { key, value, at, field: path } of this.pairs(this.map(node, field), field)) {
			const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
			if (!rule)
				throw this.refuse(
					at,
					field,
					`a map with the keys ${Object.keys(rules).join(', ') || '(none for this type)'}`,
				);
			options[key] = this.#option(value, path, rule, dir);
		}
		return options;
	}

	#option(node: Node | null, field: string, rule: EntryOption, dir: string): string | number | boolean {
		if ('parse' in rule) return this.#setting(node, field, rule.parse);
		const { kind } = rule;
		if (kind === 'files') {
			const files = isScalar(node) ? [this.text(node, field)] : (this.texts(node, field) ?? []);
			return files.map((file) => path.resolve(dir, file)).join(',');
		}
		const value: unknown = isScalar(node) ? node.value : undefined;
		if (kind === 'boolean' && typeof value === 'boolean') return value;
		if (kind === 'integer' && Number.isInteger(value)) return value as number;
		if (kind === 'number' && typeof value === 'number') return value;
		if (kind === 'string' && typeof value === 'string') return value;
		throw this.refuse(node, field, kind === 'integer' ? 'a whole number' : `a ${kind}`);
	}

	/** The value as written in the file, after validation. */
	#setting(node: Node | null, field: string, parse: (text: string) => unknown): string | number | boolean {
		const value: unknown = isScalar(node) ? node.value : undefined;
		if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
			throw this.refuse(node, field, 'a single value');
		this.expecting(node, field, () => parse(String(value)));
		return value;
	}
}
