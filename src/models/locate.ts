/** Finds a model that is already on this machine: at a path, or in the Hugging Face cache. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { earshot } from '../core/command-line.js';
import { expected } from '../core/errors.js';
import { diarizationType } from '../core/speech/model-info.js';
import type { Catalog } from './catalog/catalog.js';
import type { CatalogModel } from './catalog/types.js';
import {
	findInHubCache,
	findRepoInHubCache,
	hubFileOf,
	nameOfFolder,
	newestSnapshot,
} from './pull/hub-cache.js';
import type { NewEntry } from './registry/edit.js';
import { modelsIn, namesIn, stemOf } from './types/folder.js';
import { cannot, type IdentifiedModel, identify } from './types/identify.js';
import { identifySpeakerNetworks } from './types/speaker-networks.js';
import { isSherpaType } from './types/types.js';

export interface LocalPlaces {
	readonly catalog: Catalog;
	/** Folder of the Hugging Face cache. */
	readonly hubCache: string;
	/** Lets the user choose one of several models in a folder; absent = an error names them. */
	readonly choose?: ((folder: string, names: readonly string[]) => Promise<string>) | undefined;
}

/** `target`: a path, else a name of a model in the catalog, or a repository in the Hugging Face cache. `type`: '' = identify
 * it. Throws `invalid_request`. */
export async function locate(
	target: string,
	type: string,
	places: LocalPlaces,
): Promise<IdentifiedModel & { readonly id: string }> {
	const file = path.resolve(target);
	if ((await stat(file).catch(() => undefined)) !== undefined)
		return await identified((await newestSnapshot(file)) ?? file, nameOfFolder(file), type, places);
	const [, repo, inner] = /^([\w.-]+\/[\w.-]+)(?:\/(.+))?$/.exec(target) ?? [];
	const snapshot = repo === undefined ? undefined : await findRepoInHubCache(places.hubCache, repo);
	if (snapshot !== undefined) {
		const within = inner === undefined ? snapshot : path.join(snapshot, inner);
		return await identified(within, path.basename(inner ?? repo ?? ''), type, places);
	}
	const model = places.catalog.resolve(target);
	const cached = model && (await locateInHubCache(model, places.hubCache));
	if (cached) return { ...cached, id: model.id };
	const hint = model ? `; to download it: ${earshot(`pull ${model.id}`)}` : '';
	throw expected('path', `a file or folder on this machine, or in the Hugging Face cache${hint}`, target);
}

/** `name`: the file's or folder's name, as the user gave it. */
async function identified(
	target: string,
	name: string,
	type: string,
	{ choose }: LocalPlaces,
): Promise<IdentifiedModel & { readonly id: string }> {
	const isFolder = (await stat(target)).isDirectory();
	const speakers = isFolder && (await speakerNetworksOf(target, type));
	if (speakers) return { ...speakers, id: diarizationType };
	const models = await modelsIn(isFolder ? target : path.dirname(target));
	const chosen = isFolder && models.length > 1 ? await oneOf(models, target, choose) : undefined;
	const file = chosen === undefined ? target : path.join(target, chosen);
	const found = await identify(file, type);
	// Files of CTranslate2 and sherpa-onnx have the same names in all models; only the folders' names differ.
	if (found.form !== undefined) return { ...found, id: idOf(nameOfFolder(found.folder)) };
	const fileName = chosen ?? name;
	if (!isSherpaType(found.type)) return { ...found, id: idOf(fileName) };
	const folderName = isFolder ? name : nameOfFolder(found.folder);
	const stem = models.length > 1 ? stemOf(path.basename(file)) : '';
	return { ...found, id: idOf(stem === '' ? folderName : `${folderName}-${stem}`) };
}

/** In a folder that also has a transcription model, the networks are found only if `type` is given. */
async function speakerNetworksOf(folder: string, type: string): Promise<IdentifiedModel | undefined> {
	const names = await namesIn(folder);
	const transcribes = names.some((name) => /tokens\.txt$|\.bin$|\/$/.test(name));
	if (type !== diarizationType && (type !== '' || transcribes)) return undefined;
	const found = await identifySpeakerNetworks(folder);
	if (found === undefined && type === diarizationType)
		throw cannot(folder, `for type ${type} it lacks one of the networks: segmentation, embedding`);
	return found;
}

async function oneOf(
	models: readonly string[],
	folder: string,
	choose: LocalPlaces['choose'],
): Promise<string> {
	if (choose) return await choose(folder, models);
	const commands = models.map((name) => earshot(`add ${quoted(path.join(folder, name))}`));
	throw cannot(folder, `it holds several; add one of them: ${commands.join(', or ')}`);
}

/** Quoted so that a shell reads it as one word. */
function quoted(file: string): string {
	return /^[\w@%+=:,./\\~-]+$/.test(file) ? file : `"${file}"`;
}

/** The files of a catalog model in the Hugging Face cache; undefined if any is missing. */
export async function locateInHubCache(
	{ type, files, archive, roles }: CatalogModel,
	hubCache: string,
): Promise<IdentifiedModel | undefined> {
	if (archive || roles === null) return undefined;
	const places = new Map<string, string>();
	for (const { url, path: name, bytes } of files) {
		const hub = hubFileOf(url ?? '');
		const place = hub && (await findInHubCache(hubCache, hub));
		if (place === undefined || (bytes !== null && (await stat(place)).size !== bytes)) return undefined;
		places.set(name, place);
	}
	// A tokenizer role is a folder, which the cache does not have as such.
	const entries = Object.entries(roles).map(([role, name]) => [role, places.get(name)] as const);
	if (entries.some(([, place]) => place === undefined)) return undefined;
	return { type, folder: '', files: Object.fromEntries(entries) as Record<string, string> };
}

/** `dir` and `files` as written to models.yaml. */
export function entryPlaceOf(
	{ folder, files }: IdentifiedModel,
	modelDir: string,
): Pick<NewEntry, 'dir' | 'files'> {
	if (folder === '') return { files };
	const inside = path.relative(modelDir, folder);
	const dir = inside.startsWith('..') || path.isAbsolute(inside) ? folder : inside;
	const [name, ...more] = Object.values(files);
	if (more.length === 0 && name !== undefined)
		return { files: { model: dir === folder ? path.join(folder, name) : path.posix.join(dir, name) } };
	return { ...(dir === '' ? {} : { dir }), files };
}

/** Turns a file or folder name into a valid id. */
function idOf(name: string): string {
	const plain = name.replace(/\.(bin|onnx|ort)$/, '').replace(/^ggml-/, 'whisper-');
	return plain.replace(/[^\w.-]+/g, '-').replace(/^[^\w]+/, '') || 'model';
}
