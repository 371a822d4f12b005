/** What a file or folder that the user already has is: its type, and which file plays which role. */

import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../errors.js';
import { specificationOf } from '../../model-files/ctranslate2-file.js';
import { ctranslate2Model } from '../../model-files/ctranslate2-names.js';
import { onnxMetadata } from '../../model-files/onnx-file.js';
import { parakeetType, whisperType } from './types.js';

export interface Recognised {
	/** A `type` of models.yaml, or that of a model which cannot be served yet. */
	readonly type: string;
	/** The folder that the files are below. */
	readonly folder: string;
	/** Role → path below the folder. */
	readonly files: Readonly<Record<string, string>>;
	/** The folder has a model of that type in another form, which cannot be served as it is. */
	readonly form?: 'ctranslate2';
}

/** `wantedType`: what the user says it is; '' = find out. Throws `invalid_request`. */
export async function recognise(target: string, wantedType = ''): Promise<Recognised> {
	const found = await stat(target).catch(() => undefined);
	if (found === undefined) throw cannot(target, 'there is no such file or folder');
	if (found.isFile()) return await recogniseFile(target, wantedType);
	return await recogniseFolder(target, wantedType);
}

async function recogniseFile(file: string, wantedType: string): Promise<Recognised> {
	const [folder, name] = [path.dirname(file), path.basename(file)];
	const head = await firstBytes(file, 64);
	if (isGgml(head)) {
		if (head.subarray(0, 32).includes('silero'))
			throw cannot(file, 'it finds speech (Silero), it does not transcribe');
		// The number after the magic: Whisper's vocabularies hold 51,864 tokens and more, Parakeet's 8192.
		const type = head.readInt32LE(4) < 51_864 ? parakeetType : whisperType;
		return { type, folder, files: { model: name } };
	}
	if (head.subarray(0, 4).toString('latin1') === 'GGUF')
		throw cannot(file, 'it is a GGUF file, and whisper.cpp reads ggml files (ggml-….bin)');
	const specification = specificationOf(head);
	if (specification !== undefined) return recogniseCtranslate2(file, specification);
	if (/\.(onnx|ort)$/.test(name)) return await recogniseFolder(folder, wantedType);
	throw cannot(
		file,
		'it is neither a ggml file of whisper.cpp, nor a Whisper model of CTranslate2, nor part of a sherpa-onnx model',
	);
}

function recogniseCtranslate2(file: string, specification: string): Recognised {
	if (specification !== 'WhisperSpec')
		throw cannot(
			file,
			`it is a CTranslate2 model of another kind (${specification}), and only Whisper’s are served`,
		);
	const [folder, name] = [path.dirname(file), path.basename(file)];
	if (name !== ctranslate2Model)
		throw cannot(
			file,
			`it is a CTranslate2 model; give it the name ${ctranslate2Model}, in a folder with its vocabulary`,
		);
	return { type: whisperType, folder, files: { model: name }, form: 'ctranslate2' };
}

/** `ggml` as a little-endian number. */
function isGgml(head: Buffer): boolean {
	return head.subarray(0, 4).toString('latin1') === 'lmgg';
}

async function firstBytes(file: string, length: number): Promise<Buffer> {
	const handle = await open(file, 'r');
	try {
		const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
		return buffer.subarray(0, bytesRead);
	} finally {
		await handle.close();
	}
}

async function recogniseFolder(folder: string, wantedType: string): Promise<Recognised> {
	const names = await namesIn(folder);
	const roles = rolesOf(names);
	if (roles.model?.endsWith('.bin') === true)
		return await recogniseFile(path.join(folder, roles.model), wantedType);
	const type = wantedType !== '' ? wantedType : await typeOf(folder, roles);
	return { type, folder, files: rolesFor(type, roles, folder) };
}

/** For an archive of a known type: which file plays which role. Throws `invalid_request`. */
export async function rolesIn(folder: string, type: string): Promise<Readonly<Record<string, string>>> {
	return rolesFor(type, rolesOf(await namesIn(folder)), folder);
}

/** Files, and folders that hold a tokenizer, with a slash at the end. */
async function namesIn(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
	const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
	const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
	const holding = await Promise.all(
		folders.map(async (name) => (await readdir(path.join(folder, name))).includes('vocab.json')),
	);
	return [...files, ...folders.filter((_, index) => holding[index]).map((name) => `${name}/`)];
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

/** Pure. A file plays the first role that its name fits; of several the 8-bit one, then the shorter name. */
export function rolesOf(names: readonly string[]): Readonly<Record<string, string>> {
	const roles: Record<string, string> = {};
	const preferred = [...names].sort(
		(a, b) =>
			Number(b.includes('int8')) - Number(a.includes('int8')) || a.length - b.length || (a < b ? -1 : 1),
	);
	for (const name of preferred) {
		const role = Object.keys(rolePatterns).find((each) => rolePatterns[each]?.test(name) === true);
		if (role !== undefined) roles[role] ??= name.replace(/\/$/, '');
	}
	return roles;
}

/** The roles that each kind of model needs, the most telling first. */
const kinds: readonly (readonly [type: string, roles: readonly string[]])[] = [
	['qwen3_asr', ['conv_frontend', 'encoder', 'decoder', 'tokenizer']],
	['funasr_nano', ['encoder_adaptor', 'llm', 'embedding', 'tokenizer']],
	['moonshine', ['preprocessor', 'encoder', 'uncached_decoder', 'cached_decoder', 'tokens']],
	['moonshine', ['encoder', 'merged_decoder', 'tokens']],
	['transducer', ['encoder', 'decoder', 'joiner', 'tokens']],
	['nemo_transducer', ['encoder', 'decoder', 'joiner', 'tokens']],
	['whisper', ['encoder', 'decoder', 'tokens']],
	['canary', ['encoder', 'decoder', 'tokens']],
	['fire_red_asr', ['encoder', 'decoder', 'tokens']],
	['cohere_transcribe', ['encoder', 'decoder', 'tokens']],
	['streaming_transducer', ['encoder', 'decoder', 'joiner', 'tokens']],
	['streaming_nemo_transducer', ['encoder', 'decoder', 'joiner', 'tokens']],
	['streaming_paraformer', ['encoder', 'decoder', 'tokens']],
];

function rolesFor(
	type: string,
	roles: Readonly<Record<string, string>>,
	folder: string,
): Readonly<Record<string, string>> {
	const sets = kinds.filter(([kind]) => kind === type).map(([, needed]) => needed);
	const wanted = sets.length > 0 ? sets : [['model', 'tokens']];
	const fitting = wanted.find((needed) => needed.every((role) => roles[role] !== undefined));
	if (fitting) return Object.fromEntries(fitting.map((role) => [role, roles[role] ?? '']));
	const missing = (wanted[0] ?? []).filter((role) => roles[role] === undefined);
	throw cannot(folder, `of a model of type ${type} it lacks: ${missing.join(', ')}`);
}

async function typeOf(folder: string, roles: Readonly<Record<string, string>>): Promise<string> {
	const has = (...names: string[]) => names.every((name) => roles[name] !== undefined);
	if (has('conv_frontend', 'encoder', 'decoder')) return 'qwen3_asr';
	if (has('llm', 'embedding')) return 'funasr_nano';
	if (has('uncached_decoder') || has('merged_decoder')) return 'moonshine';
	const telling = roles.encoder ?? roles.model;
	if (telling === undefined || (!has('tokens') && !has('encoder')))
		throw cannot(
			folder,
			'it holds neither a ggml file, nor a model.bin of CTranslate2, nor the .onnx files and tokens.txt of a sherpa-onnx model',
		);
	const metadata = await onnxMetadata(path.join(folder, telling));
	const shape = has('encoder', 'decoder', 'joiner') ? 'three' : has('encoder', 'decoder') ? 'two' : 'one';
	const type = typeByMetadata(metadata, shape) ?? typeByName(path.basename(folder), shape);
	if (type === 'streaming')
		throw cannot(folder, 'it is a streaming model of a kind that Earshot does not serve');
	if (type === undefined) throw cannot(folder, 'its type cannot be told from its files; name it with --type');
	return type;
}

type Shape = 'one' | 'two' | 'three';

/** Pure. The keys are those that sherpa-onnx's own loaders look for. */
export function typeByMetadata(metadata: ReadonlyMap<string, string>, shape: Shape): string | undefined {
	const kind = (metadata.get('model_type') ?? '').toLowerCase().replaceAll('-', '_');
	const streaming = [
		'decode_chunk_len',
		'left_context_len',
		'chunk_shift',
		'decoder_num_blocks',
		'streaming_model_type',
	];
	if (streaming.some((key) => metadata.has(key))) return streamingType(metadata, kind, shape);
	if (shape === 'three') {
		if (metadata.has('pred_rnn_layers') || kind.startsWith('encdec')) return 'nemo_transducer';
		return kind === '' ? undefined : 'transducer';
	}
	if (shape === 'two') {
		if (kind.startsWith('whisper') || metadata.has('n_text_layer')) return 'whisper';
		if (kind.includes('multitask') || kind.includes('canary')) return 'canary';
		if (kind.includes('fire_red')) return 'fire_red_asr';
		return kind.includes('cohere') ? 'cohere_transcribe' : undefined;
	}
	if (kind.startsWith('sense_voice') || metadata.has('lang_auto')) return 'sense_voice';
	const known: readonly (readonly [RegExp, string])[] = [
		[/omnilingual/, 'omnilingual'],
		[/medasr/, 'medasr'],
		[/fire_red/, 'fire_red_asr_ctc'],
		[/dolphin/, 'dolphin'],
		[/telespeech/, 'telespeech_ctc'],
		[/wenet/, 'wenet_ctc'],
		[/zipformer/, 'zipformer_ctc'],
		[/tdnn/, 'tdnn'],
		[/encdec.*ctc|nemo/, 'nemo_ctc'],
		[/paraformer/, 'paraformer'],
	];
	const told = known.find(([pattern]) => pattern.test(kind))?.[1];
	if (told !== undefined) return told;
	if (metadata.has('normalize_type')) return 'nemo_ctc';
	return metadata.has('lfr_window_size') ? 'paraformer' : undefined;
}

/** `streaming`: of another kind. */
function streamingType(metadata: ReadonlyMap<string, string>, kind: string, shape: Shape): string {
	if (shape === 'two') return metadata.has('decoder_num_blocks') ? 'streaming_paraformer' : 'streaming';
	if (metadata.has('streaming_model_type')) return 'streaming';
	if (shape === 'three' && kind.startsWith('encdec')) return 'streaming_nemo_transducer';
	if (shape === 'three') return kind === 'zipformer2' ? 'streaming_transducer' : 'streaming';
	if (metadata.has('cache_last_channel_dim1')) return 'streaming_nemo_ctc';
	return metadata.has('cnn_module_kernels') ? 'streaming_zipformer_ctc' : 'streaming';
}

/** Pure. Where the files are silent, the folder's name as its publisher gave it. */
export function typeByName(name: string, shape: Shape): string | undefined {
	const text = name.toLowerCase().replaceAll('_', '-');
	if (/streaming/.test(text) && !/non-streaming/.test(text)) return 'streaming';
	if (shape === 'three') return /nemo|parakeet/.test(text) ? 'nemo_transducer' : 'transducer';
	if (shape === 'two') {
		if (/canary/.test(text)) return 'canary';
		if (/fire-red/.test(text)) return 'fire_red_asr';
		return /cohere/.test(text) ? 'cohere_transcribe' : /whisper/.test(text) ? 'whisper' : undefined;
	}
	const hints: readonly (readonly [RegExp, string])[] = [
		[/sense-?voice/, 'sense_voice'],
		[/paraformer/, 'paraformer'],
		[/omnilingual/, 'omnilingual'],
		[/medasr/, 'medasr'],
		[/fire-red/, 'fire_red_asr_ctc'],
		[/dolphin/, 'dolphin'],
		[/telespeech/, 'telespeech_ctc'],
		[/wenet|u2pp/, 'wenet_ctc'],
		[/zipformer/, 'zipformer_ctc'],
		[/tdnn/, 'tdnn'],
		[/nemo|parakeet/, 'nemo_ctc'],
	];
	return hints.find(([pattern]) => pattern.test(text))?.[1];
}

function cannot(target: string, why: string): EarshotError {
	return new EarshotError('invalid_request', `${target} cannot be used as a model: ${why}`, {
		param: 'path',
	});
}
