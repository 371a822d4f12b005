/** Builds folders with a small Whisper model in CTranslate2's format, byte by byte, to create invalid ones too. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readGgml } from '../../../src/model-files/ggml-file.js';
import { dequantise } from '../../../src/model-files/ggml-types.js';
import { halvesOf } from '../../../src/model-files/half-floats.js';

export type WeightType = 'f32' | 'f16' | 'bf16' | 'i8' | 'i16';

export interface TestVariable {
	shape: number[];
	/** CTranslate2's number for the type. */
	type: number;
	bytes: Buffer;
}

export interface TestSize {
	readonly vocabulary: number;
	readonly state: number;
	readonly heads: number;
	readonly audioLayers: number;
	readonly textLayers: number;
	readonly mels: number;
}

export const testSize: TestSize = {
	vocabulary: 51_864,
	state: 8,
	heads: 2,
	audioLayers: 2,
	textLayers: 1,
	mels: 80,
};

const typeNumbers = { f32: 0, i8: 1, i16: 2, i32: 3, f16: 4, bf16: 5 } as const;

/** Values of a tensor of the ggml file: different for each name, and exact in every float type. */
export function numbersOf(name: string, count: number): Float32Array {
	let state = Array.from(name).reduce((sum, character) => Math.imul(sum, 31) + character.charCodeAt(0), 7);
	return Float32Array.from({ length: count }, () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return ((state >>> 24) - 128) / 64;
	});
}

export function floatVariable(
	shape: number[],
	numbers: Float32Array,
	type: 'f32' | 'f16' | 'bf16',
): TestVariable {
	if (type === 'f32') return { shape, type: typeNumbers.f32, bytes: Buffer.from(numbers.slice().buffer) };
	const halves =
		type === 'f16'
			? halvesOf(numbers)
			: Uint16Array.from(new Uint32Array(numbers.slice().buffer), (bits) => bits >>> 16);
	return { shape, type: typeNumbers[type], bytes: Buffer.from(halves.buffer) };
}

/** Quantises like CTranslate2's `model_spec.py`: by the largest number of a row (8 bits) or of all (16 bits). */
export function quantised(
	shape: number[],
	numbers: Float32Array,
	type: 'i8' | 'i16',
): { readonly weight: TestVariable; readonly scale: TestVariable; readonly restored: Float32Array } {
	const rows = type === 'i8' ? (shape[0] ?? 1) : 1;
	const width = numbers.length / rows;
	const scales = Float32Array.from({ length: rows }, (_, row) => {
		const largest = Math.max(
			...numbers.subarray(row * width, Math.min((row + 1) * width, row * width + 4096)).map(Math.abs),
		);
		return (type === 'i8' ? 127 : 1023) / (largest === 0 ? 1 : largest);
	});
	const limit = type === 'i8' ? 127 : 32767;
	const whole = Array.from(numbers, (number, at) =>
		Math.max(-limit, Math.min(limit, Math.round(number * (scales[Math.floor(at / width)] ?? 1)))),
	);
	const array = type === 'i8' ? Int8Array.from(whole) : Int16Array.from(whole);
	return {
		weight: { shape, type: typeNumbers[type], bytes: Buffer.from(array.buffer) },
		scale: floatVariable(type === 'i8' ? [rows] : [], scales, 'f32'),
		restored: Float32Array.from(whole, (number, at) => number / (scales[Math.floor(at / width)] ?? 1)),
	};
}

function scalar(value: number, type: 'i8' | 'i16'): TestVariable {
	const bytes = Buffer.alloc(type === 'i8' ? 1 : 2);
	bytes.writeIntLE(value, 0, bytes.length);
	return { shape: [], type: typeNumbers[type], bytes };
}

/** Every variable of a model, by CTranslate2's names; matrices of `type`, the rest floats. */
export function whisperVariables(
	type: WeightType,
	size: TestSize = testSize,
	numbers: (name: string, count: number) => Float32Array = numbersOf,
): Map<string, TestVariable> {
	const { vocabulary, state, heads, audioLayers, textLayers, mels } = size;
	const floats = type === 'i8' || type === 'i16' ? 'f32' : type;
	const variables = new Map<string, TestVariable>();
	const joined = (parts: readonly string[], count: number): Float32Array => {
		const all = new Float32Array(parts.length * count);
		// Key projections have no bias.
		for (const [index, part] of parts.entries())
			if (!part.endsWith('key.bias')) all.set(numbers(part, count), index * count);
		return all;
	};
	const weight = (name: string, shape: number[], ...parts: readonly string[]): void => {
		const count = shape.reduce((product, each) => product * each, 1) / parts.length;
		const all = joined(parts, count);
		if (type === 'i8' || type === 'i16') {
			const made = quantised(shape, all, type);
			variables.set(name, made.weight);
			variables.set(`${name}_scale`, made.scale);
		} else variables.set(name, floatVariable(shape, all, type));
	};
	const vector = (name: string, length: number, ...parts: readonly string[]): void => {
		variables.set(name, floatVariable([length], joined(parts, length / parts.length), floats));
	};
	const linear = (name: string, rows: number, columns: number, ...parts: readonly string[]): void => {
		weight(`${name}/weight`, [rows, columns], ...parts.map((part) => `${part}.weight`));
		vector(`${name}/bias`, rows, ...parts.map((part) => `${part}.bias`));
	};
	const norm = (name: string, part: string): void => {
		vector(`${name}/gamma`, state, `${part}.weight`);
		vector(`${name}/beta`, state, `${part}.bias`);
	};
	for (const [side, layers] of [
		['decoder', textLayers],
		['encoder', audioLayers],
	] as const) {
		const positions = [side === 'encoder' ? 1500 : 448, state];
		const places = numbers(`${side}.positional_embedding`, (positions[0] ?? 0) * state);
		variables.set(`${side}/position_encodings/encodings`, floatVariable(positions, places, floats));
		variables.set(`${side}/num_heads`, scalar(heads, 'i16'));
		norm(`${side}/layer_norm`, side === 'encoder' ? 'encoder.ln_post' : 'decoder.ln');
		for (let layer = 0; layer < layers; layer++) {
			const [from, to] = [`${side}/layer_${layer}`, `${side}.blocks.${layer}`];
			const own = (part: string) => `${to}.attn.${part}`;
			norm(`${from}/self_attention/layer_norm`, `${to}.attn_ln`);
			linear(`${from}/self_attention/linear_0`, 3 * state, state, own('query'), own('key'), own('value'));
			linear(`${from}/self_attention/linear_1`, state, state, own('out'));
			norm(`${from}/ffn/layer_norm`, `${to}.mlp_ln`);
			linear(`${from}/ffn/linear_0`, 4 * state, state, `${to}.mlp.0`);
			linear(`${from}/ffn/linear_1`, state, 4 * state, `${to}.mlp.2`);
			if (side === 'encoder') continue;
			const cross = (part: string) => `${to}.cross_attn.${part}`;
			norm(`${from}/attention/layer_norm`, `${to}.cross_attn_ln`);
			linear(`${from}/attention/linear_0`, state, state, cross('query'));
			linear(`${from}/attention/linear_1`, 2 * state, state, cross('key'), cross('value'));
			linear(`${from}/attention/linear_2`, state, state, cross('out'));
		}
	}
	weight('decoder/embeddings/weight', [vocabulary, state], 'decoder.token_embedding.weight');
	for (const [name, channels] of [
		['conv1', mels],
		['conv2', state],
	] as const) {
		weight(`encoder/${name}/weight`, [state, channels, 3], `encoder.${name}.weight`);
		vector(`encoder/${name}/bias`, state, `encoder.${name}.bias`);
	}
	variables.set('decoder/activation', scalar(3, 'i8'));
	variables.set('decoder/pre_norm', scalar(1, 'i8'));
	variables.set('decoder/alignment_heads', scalar(1, 'i16'));
	return variables;
}

export interface ModelText {
	readonly version?: number;
	readonly specification?: string;
	/** Header fields to write incorrectly. */
	readonly count?: number;
	readonly aliases?: readonly (readonly [string, string])[];
	readonly after?: Buffer;
}

const text = (value: string): Buffer => {
	const bytes = Buffer.from(`${value}\0`, 'latin1');
	return Buffer.concat([Buffer.from(Uint16Array.of(bytes.length).buffer), bytes]);
};
const number = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);

export function encodeCtranslate2(
	variables: ReadonlyMap<string, TestVariable>,
	{
		version = 6,
		specification = 'WhisperSpec',
		count = variables.size,
		aliases = [['decoder/projection/weight', 'decoder/embeddings/weight']],
		after = Buffer.alloc(0),
	}: ModelText = {},
): Buffer {
	return Buffer.concat([
		number(version),
		text(specification),
		number(3),
		number(count),
		...[...variables].flatMap(([name, { shape, type, bytes }]) => [
			text(name),
			Buffer.of(shape.length),
			...shape.map(number),
			Buffer.of(type),
			number(bytes.length),
			bytes,
		]),
		number(aliases.length),
		...aliases.flatMap(([alias, name]) => [text(alias), text(name)]),
		after,
	]);
}

/** Byte-level tokens: one for each byte, then made-up words, then the special ones. */
export function vocabularyOf(vocabulary: number): string[] {
	const end = vocabulary < 51_865 ? 50_256 : 50_257;
	return Array.from({ length: vocabulary }, (_, index) => {
		if (index === end) return '<|endoftext|>';
		return index > end ? `<|${index}|>` : index === 5 ? 'Ġ¡ł' : `Ġw${index}`;
	});
}

/** A folder in faster-whisper's layout, with `files` added or replaced. */
export function writeFolder(
	folder: string,
	model: Buffer,
	files: Readonly<Record<string, string | Buffer>> = {},
	vocabulary = testSize.vocabulary,
): string {
	mkdirSync(folder, { recursive: true });
	const usual = {
		'model.bin': model,
		'config.json': JSON.stringify({ alignment_heads: [[0, 1]], lang_ids: [50_259] }),
		'vocabulary.txt': `${vocabularyOf(vocabulary).join('\n')}\n`,
	};
	for (const [name, content] of Object.entries({ ...usual, ...files }))
		if (content !== '') writeFileSync(path.join(folder, name), content);
	return folder;
}

/** Converts a ggml model back into a CTranslate2 folder. */
export function writeFolderOf(ggml: string, folder: string, type: WeightType): string {
	const file = readFileSync(ggml);
	const { tensors } = readGgml(ggml);
	const at = (index: number) => file.readInt32LE(4 * index);
	const size = {
		vocabulary: at(1),
		state: at(3),
		heads: at(4),
		audioLayers: at(5),
		textLayers: at(9),
		mels: at(10),
	};
	const variables = whisperVariables(type, size, (name, count) => {
		const { type: numberType, offset, length } = tensors.get(name)!;
		const numbers = new Float32Array(count);
		dequantise(numberType, file.subarray(offset, offset + length), numbers);
		return numbers;
	});
	const tokens = vocabularyOf(size.vocabulary);
	let position = 4 * 14 + 4 * size.mels * 201;
	const count = file.readInt32LE(position);
	position += 4;
	for (let index = 0; index < count; index++) {
		const length = file.readInt32LE(position);
		tokens[index] = Array.from(file.subarray(position + 4, position + 4 + length), characterOf).join('');
		position += 4 + length;
	}
	const files = { 'vocabulary.txt': '', 'vocabulary.json': JSON.stringify(tokens), 'config.json': '{}' };
	return writeFolder(folder, encodeCtranslate2(variables), files);
}

const isPlain = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);

/** Like GPT-2's `bytes_to_unicode`. */
function characterOf(byte: number): string {
	const others = Array.from({ length: byte }, (_, index) => index).filter((each) => !isPlain(each));
	return String.fromCharCode(isPlain(byte) ? byte : 256 + others.length);
}
