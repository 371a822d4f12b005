/** The names of a model: those that its publishers, other programs and its files use. Pure. */

import { whisperType } from '../types/types.js';
import type { CatalogModel } from './types.js';

/** The parts of a catalog entry that names are derived from. */
export type Named = Pick<CatalogModel, 'id' | 'type'> &
	Partial<Pick<CatalogModel, 'aliases' | 'archive' | 'files'>>;

/** Owners on the Hugging Face hub and ModelScope who publish the same weights under the same names. */
const publishers = new Set([
	'csukuangfj',
	'csukuangfj2',
	'coherelabs',
	'deepdml',
	'dropbox-dash',
	'funaudiollm',
	'ggerganov',
	'guillaumekln',
	'iic',
	'k2-fsa',
	'mlx-community',
	'mobiuslabsgmbh',
	'nvidia',
	'onnx-community',
	'openai',
	'qwen',
	'systran',
	'usefulsensors',
	'xenova',
]);

/** Names of OpenAI's models, with or without a date. Here they mean the default model. */
const openAiPattern = /^(whisper-1|gpt-([\w.]+-)*transcribe(-diarize)?)(-\d{4}-\d{2}-\d{2})?$/;

/** Longer names than any model has are looked up as they are. */
const maxNameLength = 200;

export function isOpenAiName(name: string): boolean {
	return name.length <= maxNameLength && openAiPattern.test(plain(name));
}

/** `GPT-4o-transcribe-2025-03-20` → `gpt-4o-transcribe`. */
export function undatedName(name: string): string {
	return plain(name).replace(/-\d{4}-\d{2}-\d{2}$/, '');
}

function plain(name: string): string {
	return name
		.trim()
		.toLowerCase()
		.replace(/^openai\//, '');
}

/**
 * The form in which names are compared: `openai/whisper-tiny.en`, `Systran/faster-whisper-tiny.en`, `ggml-tiny.en.bin`
 * and `Whisper tiny.en` are all `whisper-tiny-en`.
 */
export function nameKey(name: string): string {
	if (name.length > maxNameLength) return name;
	const lower = name
		.trim()
		.toLowerCase()
		.replace(/^https?:\/\//, '')
		.replace(/^(www\.)?(huggingface\.co|hf\.co|modelscope\.cn\/models)\//, '')
		.replace(/^ggerganov\/whisper\.cpp\//, '')
		.replace(/\.(bin|pt)$/, '');
	const [owner = '', ...rest] = lower.split('/');
	const own = rest.length > 0 && publishers.has(owner) ? rest.join('/') : lower;
	return own
		.replace(/[\s_.-]+/g, '-')
		.replace(/^(ggml|faster-whisper)-/, 'whisper-')
		.replace(/-(mlx|ct2)$/, '');
}

/** All keys of a model: of its id, its aliases, and the names of its repositories and files. */
export function keysOf({ id, type, aliases = [], archive = null, files = [] }: Named): readonly string[] {
	const own = nameKey(id);
	const repos = files.map(({ url }) => /^https:\/\/huggingface\.co\/[^/]+\/([^/]+)\//.exec(url ?? '')?.[1]);
	// If its files come from several repositories, none of their names is the model's.
	const repo = repos.every((name) => name === repos[0]) ? repos[0] : undefined;
	const published = [
		...(archive ? [fileName(archive.url).replace(/\.(tar\.\w+|tbz2?|tgz|tar|onnx)$/, '')] : []),
		// This one repository has all of whisper.cpp's models.
		...(repo === undefined || repo === 'whisper.cpp' ? [] : [repo]),
	];
	const short = own.startsWith('whisper-') ? own.slice('whisper-'.length) : `whisper-${own}`;
	const keys = [own, ...aliases.map(nameKey), ...published.map(nameKey)];
	return [...new Set(type === whisperType ? [...keys, short] : keys)];
}

function fileName(url: string): string {
	return url.slice(url.lastIndexOf('/') + 1);
}

/** At most three of `candidates` that the user may have meant, the likeliest first. */
export function similarNames(name: string, candidates: readonly string[]): readonly string[] {
	const key = nameKey(name).replace(/^[^/]+\//, '');
	if (key.length < 3 || key.length > 64) return [];
	const rated = candidates.flatMap((candidate) => {
		const distance = distanceOf(key, nameKey(candidate));
		return distance === undefined ? [] : [{ candidate, distance }];
	});
	rated.sort((a, b) => a.distance - b.distance || a.candidate.length - b.candidate.length);
	const likely = rated.filter(({ distance }) => distance <= (rated[0]?.distance ?? 0) + 1);
	return likely.map(({ candidate }) => candidate).slice(0, 3);
}

/** undefined if they are too different. */
function distanceOf(name: string, candidate: string): number | undefined {
	const limit = Math.min(4, Math.floor(name.length / 3));
	const edits = Math.min(
		editsBetween(name, candidate, limit),
		// `tyni.en` for `whisper-tiny.en`.
		editsBetween(name, candidate.replace(/^whisper-/, ''), limit),
	);
	if (edits <= limit) return edits;
	const words = name.split('-').filter((word) => word !== 'whisper');
	const known = candidate.split('-');
	// A candidate whose words begin with the words of the name ranks after all misspellings.
	if (words.length > 0 && words.every((word) => known.some((each) => each.startsWith(word))))
		return limit + 1;
	return undefined;
}

/** The number of letters that differ, counting two exchanged neighbours as one; more than `most` = too many. */
function editsBetween(a: string, b: string, most: number): number {
	if (Math.abs(a.length - b.length) > most) return most + 1;
	let before: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (let row = 1; row <= a.length; row++) {
		const next = [row];
		for (let column = 1; column <= b.length; column++) {
			const same = a[row - 1] === b[column - 1];
			const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
			next[column] = Math.min(
				(last[column] ?? 0) + 1,
				(next[column - 1] ?? 0) + 1,
				(last[column - 1] ?? 0) + (same ? 0 : 1),
				swapped ? (before[column - 2] ?? 0) + 1 : Infinity,
			);
		}
		[before, last] = [last, next];
	}
	return last[b.length] ?? most + 1;
}
