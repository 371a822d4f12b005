/** `earshot search`, `list` and `show`: the catalog, and the models on this machine. Downloads nothing. */

import { statSync } from 'node:fs';
import type { SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { isPinned, isServable } from '../../models/catalog/catalog.js';
import { isOpenAiName } from '../../models/catalog/names.js';
import { downloadBytes } from '../../models/catalog/size.js';
import type { CatalogModel, CatalogSource } from '../../models/catalog/types.js';
import { Installer } from '../../models/installer.js';
import { notKnown } from '../../models/messages.js';
import { nameOfSource } from '../../models/pull/sources.js';
import { demoNotice } from '../../models/registry/demo.js';
import {
	findEntry,
	isInstalled,
	loadRegistry,
	type ModelRegistry,
	unservable,
} from '../../models/registry/registry.js';
import type { StoredState } from '../../models/store/store.js';
import { packageRoot } from '../../paths.js';

type Flags = Partial<Record<SettingName, string>>;

/** The models in models.yaml, then those that were pulled and are not in it. */
export function printModels(flags: Flags): void {
	const registry = loadRegistry(flags, packageRoot);
	const { entries, problems, defaultModel, warnings, config } = registry;
	for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
	for (const { message } of problems) process.stderr.write(`mistake: ${message}\n`);
	const { store } = new Installer(() => registry);
	const served = entries.map((entry) => {
		const manifest = store.manifest(entry.id);
		const damaged = manifest !== undefined && store.stateOf(manifest) === 'damaged';
		const state = !isInstalled(entry) ? 'files missing' : damaged ? 'damaged' : 'ready';
		return [
			`${entry.id}${entry.id === defaultModel ? ' (default)' : ''}`,
			entry.type,
			sizeText(sizeOf(Object.values(entry.files))),
			state,
			entry.aliases.join(', '),
		];
	});
	const bad = problems.map(({ id }) => [id, '', '?', 'mistake in models.yaml', '']);
	const others = store
		.manifests()
		.filter(({ id }) => entries.every((entry) => entry.id !== id))
		.map((manifest) => [
			manifest.id,
			manifest.type,
			sizeText(manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)),
			stateText(store.stateOf(manifest), manifest.use),
			'',
		]);
	process.stdout.write(
		table([['MODEL', 'TYPE', 'SIZE', 'STATE', 'ALSO KNOWN AS'], ...served, ...bad, ...others]),
	);
	const broken = [...served, ...others].filter(([, , , state]) => /missing|damaged/.test(state ?? ''));
	const ids = broken
		.map(([id = '']) => id.replace(' (default)', ''))
		.filter((id) => store.manifest(id)?.madeOf === undefined);
	if (ids.length > 0) process.stderr.write(`\nTo repair: earshot pull ${ids.join(' ')}\n`);
	if (entries.length === 1)
		process.stderr.write(`\n${demoNotice}\nmodels.yaml is looked for at ${config.config}\n`);
}

function stateText(state: StoredState, use: string): string {
	if (state !== 'whole') return state === 'damaged' ? 'damaged' : 'files missing';
	return use === 'transcription' ? 'not in models.yaml' : `installed, for ${use}`;
}

export async function searchModels(words: readonly string[], flags: Flags): Promise<void> {
	const registry = loadRegistry(flags, packageRoot);
	const installer = new Installer(() => registry);
	const cached = new Set(await installer.inHubCache());
	const found = registry.catalog.search(words);
	if (found.length === 0)
		throw new EarshotError('model_not_found', `No model in the catalog matches all of: ${words.join(', ')}`);
	const rows = found.map((model) => [
		model.id,
		languagesText(model),
		sizeText(downloadBytes(model)),
		model.speed,
		`${model.licence.name}${model.licence.osi ? '' : ' *'}`,
		whereText(model, registry, installer, cached),
	]);
	process.stdout.write(table([['MODEL', 'LANGUAGES', 'SIZE', 'SPEED', 'LICENCE', ''], ...rows]));
	process.stderr.write(
		'\n* must be accepted with --accept-license. For details: earshot show MODEL. To download one: earshot pull MODEL\n',
	);
}

function whereText(
	model: CatalogModel,
	{ entries }: ModelRegistry,
	{ store }: Installer,
	cached: ReadonlySet<string>,
): string {
	const entry = entries.find(({ id }) => id === model.id);
	if (entry ? isInstalled(entry) : store.manifest(model.id)) return 'installed';
	if (cached.has(model.id)) return 'in the Hugging Face cache';
	return isServable(model) ? '' : 'not servable yet';
}

export async function showModel(name: string, flags: Flags): Promise<void> {
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

function infoOf(model: CatalogModel): string[][] {
	const { title, engine, type, family, features, licence, memoryBytes, speed } = model;
	return [
		['title', title],
		['family', family],
		['engine', engine],
		['type', type],
		['use', isServable(model) ? 'transcription' : `${model.use} (Earshot cannot serve it yet)`],
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

export function languagesText({ languages, languagesNote }: CatalogModel, most = 6): string {
	if (languagesNote !== undefined) return languagesNote;
	return languages.length > most ? `${languages.length} languages` : languages.join(' ');
}

function sizeOf(files: readonly string[]): number | null {
	const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size);
	return sizes.reduce<number | null>(
		(sum, size) => (sum === null || size === undefined ? null : sum + size),
		0,
	);
}

export function sizeText(bytes: number | null): string {
	if (bytes === null) return '?';
	return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function table(rows: readonly (readonly string[])[]): string {
	const columns = Math.max(...rows.map((row) => row.length));
	const widths = Array.from({ length: columns }, (_, column) =>
		Math.max(...rows.map((row) => row[column]?.length ?? 0)),
	);
	return rows
		.map(
			(row) =>
				`${row
					.map((cell, column) => cell.padEnd(widths[column] ?? 0))
					.join('  ')
					.trimEnd()}\n`,
		)
		.join('');
}
