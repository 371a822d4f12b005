/** Assigns the files of a folder to models and roles, by their names. Pure, except for listing the folder. */

import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { specificationOf } from '../../model-files/ctranslate2-file.js';

/** File names, and names of tokenizer folders with a trailing slash. */
export async function namesIn(folder: string): Promise<string[]> {
	const names = await readdir(folder).catch(() => []);
	const infos = await Promise.all(names.map((name) => stat(path.join(folder, name)).catch(() => undefined)));
	// A pipe or a device would be read for ever, and a link that dangles cannot be.
	const files = names.filter((_, index) => infos[index]?.isFile() === true);
	const folders = names.filter((_, index) => infos[index]?.isDirectory() === true);
	const isTokenizer = await Promise.all(
		folders.map(async (name) =>
			(await readdir(path.join(folder, name)).catch((): string[] => [])).includes('vocab.json'),
		),
	);
	return [...files, ...folders.filter((_, index) => isTokenizer[index]).map((name) => `${name}/`)];
}

const onnx = String.raw`.*\.(onnx|ort)$`;
const rolePatterns: Readonly<Record<string, RegExp>> = {
	tokens: /(^|[-_.])tokens\.txt$/,
	tokenizer: /\/$/,
	preprocessor: new RegExp(`^preprocess${onnx}`),
	conv_frontend: new RegExp(`^conv_frontend${onnx}`),
	encoder_adaptor: new RegExp(`^encoder_adaptor${onnx}`),
	llm: new RegExp(`^llm${onnx}`),
	embedding: new RegExp(`^embedding${onnx}`),
	uncached_decoder: new RegExp(`^uncached_decode${onnx}`),
	cached_decoder: new RegExp(`^cached_decode${onnx}`),
	merged_decoder: new RegExp(`^decoder_model_merged${onnx}`),
	encoder: new RegExp(`^(.*[-_.])?encoder?(?!_adaptor)(?=[-_.])${onnx}`),
	decoder: new RegExp(`^(.*[-_.])?decoder(?!_model_merged)(?=[-_.])${onnx}`),
	joiner: new RegExp(`^(.*[-_.])?joiner(?=[-_.])${onnx}`),
	model: /\.(onnx|ort|bin)$/,
};

/** Networks for other uses, which lie beside models for recognition. */
const otherUses = /(^|[-_.])(silero|vad|ten-vad|speaker|segmentation|punct\w*|denoiser?)(?=[-_.])/i;

/** A file gets the first role that its name matches; of several files, an 8-bit one wins, then the shortest name.
 * `chosen`: a file that belongs to the model; others with its name and precision belong to it too. Pure. */
export function rolesOf(names: readonly string[], chosen?: string): Readonly<Record<string, string>> {
	const roles: Record<string, string> = {};
	const preferred = [...names].sort(
		(a, b) =>
			nearness(b, chosen) - nearness(a, chosen) ||
			Number(b.includes('int8')) - Number(a.includes('int8')) ||
			a.length - b.length ||
			(a < b ? -1 : 1),
	);
	for (const name of preferred) {
		const role = roleOf(name);
		if (role !== undefined) roles[role] ??= name.replace(/\/$/, '');
	}
	return roles;
}

function nearness(name: string, chosen: string | undefined): number {
	if (chosen === undefined) return 0;
	if (name === chosen) return 3;
	if (stemOf(name) !== stemOf(chosen)) return 0;
	return precisionOf(name) === precisionOf(chosen) ? 2 : 1;
}

function roleOf(name: string): string | undefined {
	if (otherUses.test(name)) return undefined;
	return Object.keys(rolePatterns).find((each) => rolePatterns[each]?.test(name) === true);
}

const precision = /[-_.](int8|uint8|fp16|float16|fp32|float32|q8|q4|quant(ized)?)(?=[-_.]|$)/i;

function precisionOf(name: string): string {
	return precision.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** What distinguishes the files of one model from those of another: the name without role, precision and ending. */
export function stemOf(name: string): string {
	return name
		.replace(/(\.(onnx|ort|bin|txt)|\/)$/, '')
		.replace(precision, '')
		.replace(
			/(^|[-_.])(uncached_decode|cached_decode|decoder_model_merged|encoder_model|decoder_model|encoder|encode|decoder|joiner|preprocess|model|tokens)(?=[-_.]|$)/,
			'',
		)
		.replace(/^[-_.]+|[-_.]+$/g, '');
}

/** One file of each model in the folder: all ggml files of speech models and CTranslate2 models, and of networks with
 * equal names besides role and precision the encoder, or the only one. */
export async function modelsIn(folder: string): Promise<readonly string[]> {
	const names = await namesIn(folder);
	const bins = await Promise.all(
		names
			.filter((name) => name.endsWith('.bin'))
			.map(async (name) => ((await isSpeechModel(path.join(folder, name))) ? [name] : [])),
	);
	return [...bins.flat(), ...networksIn(names)].sort();
}

/** Pure. */
export function networksIn(names: readonly string[]): readonly string[] {
	const found = new Map<string, string>();
	const roles = new Map(names.map((name) => [name, roleOf(name)]));
	const first = ['encoder', 'preprocessor', 'encoder_adaptor', 'model'].find((role) =>
		names.some((name) => roles.get(name) === role && !name.endsWith('.bin')),
	);
	if (first === undefined) return [];
	for (const name of names) {
		if (roles.get(name) !== first || name.endsWith('.bin')) continue;
		const stem = stemOf(name);
		const known = found.get(stem);
		if (known === undefined || rolesOf([known, name])[first] === name) found.set(stem, name);
	}
	return [...found.values()];
}

/** Whether the file is a Git LFS pointer: the placeholder of a large file that was not fetched. */
export function isLfsPointer(head: Buffer): boolean {
	return head.toString('latin1').startsWith('version https://git-lfs.');
}

export async function isSpeechModel(file: string): Promise<boolean> {
	const head = await firstBytes(file, 64);
	return (isGgml(head) && !isSilero(head)) || specificationOf(head) !== undefined;
}

/** Files begin with `ggml` as a little-endian number. */
export function isGgml(head: Buffer): boolean {
	return head.subarray(0, 4).toString('latin1') === 'lmgg';
}

/** Whether the file is Silero's voice activity detector, which does not transcribe. */
export function isSilero(head: Buffer): boolean {
	return head.subarray(0, 32).includes('silero');
}

export async function firstBytes(file: string, length: number): Promise<Buffer> {
	const handle = await open(file, 'r');
	try {
		const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
		return buffer.subarray(0, bytesRead);
	} finally {
		await handle.close();
	}
}
