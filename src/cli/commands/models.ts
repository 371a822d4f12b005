/** `earshot search` and `show`: the catalog, and which of its models are on this machine. Downloads nothing. */

import { earshot } from '../../core/command-line.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { EarshotError } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { isPinned, isServable } from '../../models/catalog/catalog.js';
import { isOpenAiName } from '../../models/catalog/names.js';
import { downloadBytes } from '../../models/catalog/size.js';
import type { CatalogModel, CatalogSource } from '../../models/catalog/types.js';
import { Installer } from '../../models/installer.js';
import { notKnown } from '../../models/messages.js';
import { nameOfSource } from '../../models/pull/sources.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import {
	findEntry,
	isInstalled,
	loadRegistry,
	type ModelRegistry,
	unservable,
} from '../../models/registry/registry.js';
import { jsonText, type ListForm, sizeText, table } from '../ui/table.js';

export async function searchModels(
	words: readonly string[],
	flags: SettingTexts,
	form: ListForm,
): Promise<void> {
	const registry = loadRegistry(flags, packageRoot);
	const found = registry.catalog.search(words);
	if (found.length === 0)
		throw new EarshotError(
			'model_not_found',
			`No model in the catalog matches all of: ${words.join(', ')}; try fewer words`,
		);
	if (form === 'ids') {
		process.stdout.write(found.map(({ id }) => `${id}\n`).join(''));
		return;
	}
	const installer = new Installer(() => registry);
	const cached = new Set(await installer.inHubCache());
	const where = (model: CatalogModel) => placeOf(model, registry, installer, cached);
	if (form === 'json') {
		process.stdout.write(jsonText(found.map((model) => ({ ...summaryOf(model), state: where(model) }))));
		return;
	}
	const rows = found.map((model) => [
		model.id,
		languagesText(model),
		sizeText(downloadBytes(model)),
		model.speed,
		`${model.licence.name}${model.licence.osi ? '' : ' *'}`,
		placeTexts[where(model)],
	]);
	process.stdout.write(table([['MODEL', 'LANGUAGES', 'SIZE', 'SPEED', 'LICENCE', ''], ...rows]));
	process.stderr.write(
		`\n* must be accepted with --accept-license. For details: ${earshot('show MODEL')}. To download one: ${earshot('pull MODEL')}\n`,
	);
}

/** Where a model of the catalog is. */
type Place = 'installed' | 'cached' | 'available' | 'unservable';

const placeTexts: Readonly<Record<Place, string>> = {
	installed: 'installed',
	cached: 'in the Hugging Face cache',
	available: '',
	unservable: 'not servable yet',
};

/** A model of the catalog, for `--json`. */
function summaryOf(model: CatalogModel): object {
	const { id, title, type, family, use, languages, languagesNote, features, licence, speed, memoryBytes } =
		model;
	return {
		id,
		title,
		type,
		family,
		use,
		languages,
		...(languagesNote === undefined ? {} : { languages_note: languagesNote }),
		features,
		licence,
		download_bytes: downloadBytes(model),
		memory_bytes: memoryBytes,
		speed,
	};
}

function placeOf(
	model: CatalogModel,
	{ entries }: ModelRegistry,
	{ store }: Installer,
	cached: ReadonlySet<string>,
): Place {
	const entry = entries.find(({ id }) => id === model.id);
	if (entry ? isInstalled(entry) : store.manifest(model.id)) return 'installed';
	if (cached.has(model.id)) return 'cached';
	return isServable(model) ? 'available' : 'unservable';
}

export async function showModel(name: string, flags: SettingTexts, asJson: boolean): Promise<void> {
	const registry = loadRegistry(flags, packageRoot);
	const installer = new Installer(() => registry);
	const id = isOpenAiName(name) ? findEntry(registry, name).id : installer.idOf(name);
	const model = registry.catalog.find(id);
	const entry = registry.entries.find((each) => each.id === id);
	const problem = registry.problems.find((each) => each.id === id);
	if (model === undefined && entry === undefined) {
		if (problem) throw unservable(problem);
		throw new EarshotError('model_not_found', notKnown(name, registry));
	}
	if (asJson) {
		process.stdout.write(jsonText(detailsOf(id, model, entry, installer)));
		return;
	}
	const info = model ? infoOf(model) : [];
	const local = entry
		? [
				['names', [entry.id, ...entry.aliases].join(', ')],
				['state', isInstalled(entry) ? 'ready' : 'files missing'],
				...Object.entries(entry.files).map(([role, file]) => [role, file]),
			]
		: [['state', installer.store.manifest(id) ? 'installed' : 'not on this machine']];
	process.stdout.write(table([...info, ...(model ? [] : [['type', entry?.type ?? '']]), ...local]));
	if (model) process.stdout.write(`\n${filesTable(model)}`);
}

function detailsOf(
	id: string,
	model: CatalogModel | undefined,
	entry: ModelEntry | undefined,
	{ store }: Installer,
): object {
	const { archive = null, files = [], sources = [] } = model ?? {};
	return {
		id,
		...(model ? { ...summaryOf(model), archive, files, sources } : { type: entry?.type }),
		installed: entry ? isInstalled(entry) : store.manifest(id) !== undefined,
		...(entry ? { served: { aliases: entry.aliases, files: entry.files, options: entry.options } } : {}),
	};
}

function infoOf(model: CatalogModel): string[][] {
	const { title, engine, type, family, features, licence, memoryBytes, speed } = model;
	return [
		['title', title],
		['family', family],
		['engine', engine],
		['type', type],
		['use', isServable(model) ? model.use : `${model.use} (Earshot cannot serve it yet)`],
		['languages', `${languagesText(model, 99)}`],
		['features', features.join(', ') || 'transcribe'],
		[
			'licence',
			`${licence.name}, ${licence.url}${licence.osi ? '' : ' (must be accepted with --accept-license)'}`,
		],
		['download', sizeText(downloadBytes(model))],
		['memory', memoryBytes === null ? 'unknown' : `about ${sizeText(memoryBytes)}`],
		['speed', speed],
		['digests', isPinned(model) ? 'known' : 'not all known: the first pull shows and pins them'],
	];
}

function filesTable({ archive, files, sources = [] }: CatalogModel): string {
	const parts = [...(archive ? [{ path: '(archive)', ...archive }] : []), ...files];
	return table([
		['FILE', 'BYTES', 'SHA-256', 'FROM'],
		...parts.map(({ path, bytes, sha256, url }) => [
			path,
			bytes === null ? 'unknown' : String(bytes),
			sha256 ?? 'unknown',
			url ?? 'the archive',
		]),
		...sources.flatMap(sourceRows),
	]);
}

/** Rows for another source of the same file. */
function sourceRows(source: CatalogSource): string[][] {
	const from = nameOfSource(source);
	if (source.form === 'file') return [['same file', '', '', from]];
	if (source.form === 'wheel')
		return [
			[
				'or converted from',
				String(source.bytes),
				source.sha256,
				`${from} (${source.project} ${source.version})`,
			],
		];
	return source.files.map(({ path, bytes, sha256, url }) => [
		`or converted from ${path}`,
		bytes === null ? 'unknown' : String(bytes),
		sha256 ?? 'unknown',
		url ?? '',
	]);
}

export function languagesText({ languages, languagesNote }: CatalogModel, max = 6): string {
	if (languagesNote !== undefined) return languagesNote;
	return languages.length > max ? `${languages.length} languages` : languages.join(' ');
}
