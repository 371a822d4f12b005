/** Edits the text of models.yaml, keeping the user's comments. Pure. */

import { type Document, isMap, isScalar, type Pair, parseDocument, YAMLMap } from 'yaml';

export interface NewEntry {
	readonly id: string;
	readonly type: string;
	/** As written in the file; absent = the model folder itself. */
	readonly dir?: string;
	readonly files: Readonly<Record<string, string>>;
	readonly options?: Readonly<Record<string, string | number | boolean>>;
	readonly languages?: readonly string[];
	readonly aliases?: readonly string[];
}

export const freshRegistry = `# The models that this machine serves. Earshot reloads this file whenever it changes.
# \`earshot pull\`, \`add\` and \`rm\` edit it and keep your comments.
#
# default_model: sensevoice-small     # for requests that name no model, or one of OpenAI's
# num_threads: 4                      # every setting of \`earshot serve --help\` can be set here
#
# aliases:                            # other names for models
#   my-old-name: sensevoice-small
#
# \`type\` is whisper_cpp for ggml files of whisper.cpp; for sherpa-onnx it is sense_voice, paraformer,
# transducer, nemo_transducer, whisper, moonshine, … Relative paths are below the model folder.
#
# models:
#   sensevoice-small:
#     type: sense_voice
#     dir: sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17
#     files: {model: model.int8.onnx, tokens: tokens.txt}
#     options: {use_itn: true, language: ""}
#     download: {url: "https://…/….tar.bz2", archive_subdir: sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17}

models: {}
`;

/** A duplicate key is a problem of its entry, and must not prevent edits of the others. */
const parsing = { uniqueKeys: false } as const;

/** Adds the entry, or replaces the one with its id. */
export function withEntry(text: string, { id, ...entry }: NewEntry): string {
	const document = parseDocument(text === '' ? freshRegistry : text, parsing);
	const models = mapAt(document, 'models');
	const node = document.createNode(withoutEmpty(entry));
	for (const pair of node.items) if (isMap(pair.value)) pair.value.flow = true;
	for (const key of ['languages', 'aliases']) {
		const list = node.get(key, true) as unknown;
		if (typeof list === 'object' && list !== null) Object.assign(list, { flow: true });
	}
	models.set(document.createNode(id), node);
	return textOf(document);
}

/** Removes the entry, its aliases, and a default model that names it. */
export function withoutEntry(text: string, id: string): string {
	const document = parseDocument(text, parsing);
	const models = document.get('models', true);
	if (!isMap(models)) return text;
	const entry = models.get(id, true) as unknown;
	const names = [id, ...(isMap(entry) ? listOf(entry.get('aliases', true)) : [])];
	if (!models.delete(id)) return text;
	if (models.items.length === 0) models.flow = true;
	const means = (value: unknown) => isScalar(value) && names.includes(String(value.value));
	if (means(document.get('default_model', true))) document.delete('default_model');
	const aliases = document.get('aliases', true);
	if (isMap(aliases)) {
		aliases.items = aliases.items.filter((pair: Pair) => !means(pair.value));
		if (aliases.items.length === 0) document.delete('aliases');
	}
	return textOf(document);
}

function mapAt(document: Document, key: string): YAMLMap {
	const found = document.get(key, true);
	if (isMap(found)) {
		// A block map, since `{}` cannot hold block entries.
		found.flow = false;
		return found;
	}
	const map = new YAMLMap();
	if (isScalar(found)) {
		// Keeps the comments of a `models:` without entries.
		if (found.comment != null) map.commentBefore = found.comment;
		if (found.commentBefore != null) map.commentBefore = found.commentBefore;
	}
	document.set(key, map);
	return map;
}

function listOf(node: unknown): string[] {
	const value: unknown =
		typeof node === 'object' && node !== null && 'toJSON' in node && typeof node.toJSON === 'function'
			? node.toJSON()
			: undefined;
	return Array.isArray(value) ? value.map(String) : [];
}

function withoutEmpty(entry: Omit<NewEntry, 'id'>): Record<string, unknown> {
	return Object.fromEntries(
		Object.entries(entry).filter(
			([, value]) =>
				value !== undefined &&
				value !== '' &&
				(typeof value !== 'object' || Object.keys(value as object).length > 0),
		),
	);
}

function textOf(document: Document): string {
	return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
