/**
 * Maps the variables of a CTranslate2 Whisper model to the tensors of a ggml file. Pure.
 *
 * CTranslate2 stacks the rows of query, key and value of self-attention in one matrix, and those of key and value of
 * cross-attention in another. The key biases are dropped: a key bias adds the same to a query's score for every key,
 * which the softmax cancels. (OpenAI's models have none.)
 */

import { BadCtranslate2, type Ctranslate2File, type NumberType, type Variable } from './ctranslate2-file.js';

export interface WhisperSize {
	readonly vocabulary: number;
	/** Width of encoder and decoder. */
	readonly state: number;
	readonly audioHeads: number;
	readonly audioLayers: number;
	readonly textHeads: number;
	readonly textLayers: number;
	readonly mels: number;
}

export const audioContext = 1500;
export const textContext = 448;

export interface PlannedTensor {
	readonly name: string;
	/** Slowest dimension first. */
	readonly shape: readonly number[];
	readonly type: 'f32' | 'f16';
	readonly source: Variable;
	/** Divisor of the integers: one per row of the source, or one for all; null for floats. */
	readonly scale: Variable | null;
	/** The first of the source's rows, along its slowest dimension. */
	readonly firstRow: number;
	readonly rows: number;
}

export interface WhisperPlan {
	readonly size: WhisperSize;
	/** In the order of OpenAI's checkpoints, which the published ggml files have too. */
	readonly tensors: readonly PlannedTensor[];
}

const maxState = 8192;
const maxLayers = 128;
/** As native/whisper/model/check_file.cc has it. */
const maxHeads = 256;
/** English only, multilingual, and with Cantonese. */
const vocabularies: readonly number[] = [51_864, 51_865, 51_866];
const floatTypes: readonly NumberType[] = ['f32', 'f16', 'bf16'];

/** Properties of the decoder that differ in other models; activation 3 is GELU. */
const switches: readonly (readonly [name: string, value: number])[] = [
	['decoder/activation', 3],
	['decoder/pre_norm', 1],
	['decoder/alibi', 0],
	['decoder/scale_embeddings', 0],
	['decoder/start_from_zero_embedding', 0],
];

/** Throws `BadCtranslate2`, naming what is missing or unexpected. */
export function planWhisper(file: Ctranslate2File): WhisperPlan {
	if (file.specification !== 'WhisperSpec')
		throw new BadCtranslate2(
			`it is a CTranslate2 model of another kind (${file.specification}); only Whisper can be served`,
		);
	const planning = new Planning(file);
	const tensors = planning.tensors();
	planning.refuseUnused();
	return { size: planning.size, tensors };
}

class Planning {
	readonly size: WhisperSize;
	readonly #file: Ctranslate2File;
	readonly #used = new Set<string>();

	constructor(file: Ctranslate2File) {
		this.#file = file;
		this.size = this.#sizeOf();
		this.#checkSwitches();
	}

	tensors(): readonly PlannedTensor[] {
		const { vocabulary, state, mels, audioLayers, textLayers } = this.size;
		const [encoder, decoder] = [
			'encoder/position_encodings/encodings',
			'decoder/position_encodings/encodings',
		];
		return [
			this.#tensor('decoder.positional_embedding', decoder, [textContext, state], 'f32'),
			this.#tensor('encoder.positional_embedding', encoder, [audioContext, state], 'f32'),
			this.#tensor('decoder.token_embedding.weight', 'decoder/embeddings/weight', [vocabulary, state], 'f16'),
			...layers(textLayers, (layer) => this.#block('decoder', layer)),
			...this.#norm('decoder.ln', 'decoder/layer_norm'),
			...this.#convolution('encoder.conv1', 'encoder/conv1', mels),
			...this.#convolution('encoder.conv2', 'encoder/conv2', state),
			...layers(audioLayers, (layer) => this.#block('encoder', layer)),
			...this.#norm('encoder.ln_post', 'encoder/layer_norm'),
		];
	}

	/** Throws for variables that the conversion would lose: all but scalars must be part of a tensor. */
	refuseUnused(): void {
		const unused = [...this.#file.variables.values()].find(
			({ name, shape }) => shape.length > 0 && !this.#used.has(name) && !name.endsWith('/alignment_heads'),
		);
		if (unused) throw new BadCtranslate2(`\`${unused.name}\` is not part of Whisper`);
		const tied = this.#file.aliases.get('decoder/projection/weight');
		if (tied !== undefined && tied !== 'decoder/embeddings/weight')
			throw new BadCtranslate2(`\`decoder/projection/weight\` is \`${tied}\` instead of the embeddings`);
	}

	#sizeOf(): WhisperSize {
		const [vocabulary = 0, state = 0] = this.#shape('decoder/embeddings/weight', 2);
		if (!vocabularies.includes(vocabulary))
			throw new BadCtranslate2(
				`\`decoder/embeddings/weight\` is for ${vocabulary} tokens, but Whisper has 51,864 to 51,866`,
			);
		if (state < 1 || state > maxState)
			throw new BadCtranslate2(`\`decoder/embeddings/weight\` is ${state} wide`);
		const [, mels = 0] = this.#shape('encoder/conv1/weight', 3);
		if (mels !== 80 && mels !== 128)
			throw new BadCtranslate2(
				`\`encoder/conv1/weight\` is for ${mels} mel bands, but Whisper has 80 or 128`,
			);
		return {
			vocabulary,
			state,
			audioHeads: this.#heads('encoder', state),
			audioLayers: this.#layers('encoder'),
			textHeads: this.#heads('decoder', state),
			textLayers: this.#layers('decoder'),
			mels,
		};
	}

	#shape(name: string, rank: number): readonly number[] {
		const { shape } = this.#variable(name);
		if (shape.length !== rank)
			throw new BadCtranslate2(`\`${name}\` has ${shape.length} dimensions instead of ${rank}`);
		return shape;
	}

	#variable(name: string): Variable {
		const found = this.#file.variables.get(this.#file.aliases.get(name) ?? name);
		if (found === undefined) throw new BadCtranslate2(`it lacks \`${name}\``);
		return found;
	}

	#heads(side: string, state: number): number {
		const heads = this.#variable(`${side}/num_heads`).value ?? 0;
		if (heads < 1 || heads > maxHeads || state % heads !== 0)
			throw new BadCtranslate2(
				`\`${side}/num_heads\` is ${heads}, and at most ${maxHeads} that divide the width of ${state} are expected`,
			);
		return heads;
	}

	#checkSwitches(): void {
		for (const [name, expected] of switches) {
			const value = this.#file.variables.get(name)?.value;
			if (value !== undefined && value !== expected)
				throw new BadCtranslate2(`\`${name}\` is ${value}, but Whisper's is ${expected}`);
		}
	}

	#layers(side: string): number {
		const pattern = new RegExp(`^${side}/layer_(\\d{1,6})/`);
		const numbers = [...this.#file.variables.keys()].map((name) => Number(pattern.exec(name)?.[1] ?? -1));
		const count = 1 + numbers.reduce((most, number) => Math.max(most, number), -1);
		if (count < 1) throw new BadCtranslate2(`it lacks \`${side}/layer_0\``);
		if (count > maxLayers) throw new BadCtranslate2(`it has a \`${side}/layer_${count - 1}\``);
		return count;
	}

	#block(side: 'encoder' | 'decoder', layer: number): PlannedTensor[] {
		const [to, from] = [`${side}.blocks.${layer}`, `${side}/layer_${layer}`];
		const { state } = this.size;
		const cross = `${from}/attention`;
		return [
			...this.#norm(`${to}.mlp_ln`, `${from}/ffn/layer_norm`),
			...this.#linear(`${to}.mlp.0`, `${from}/ffn/linear_0`, [4 * state, state]),
			...this.#linear(`${to}.mlp.2`, `${from}/ffn/linear_1`, [state, 4 * state]),
			...this.#norm(`${to}.attn_ln`, `${from}/self_attention/layer_norm`),
			...this.#attention(`${to}.attn`, [
				[`${from}/self_attention/linear_0`, ['query', 'key', 'value']],
				[`${from}/self_attention/linear_1`, ['out']],
			]),
			...(side === 'encoder' ? [] : this.#norm(`${to}.cross_attn_ln`, `${cross}/layer_norm`)),
			...(side === 'encoder'
				? []
				: this.#attention(`${to}.cross_attn`, [
						[`${cross}/linear_0`, ['query']],
						[`${cross}/linear_1`, ['key', 'value']],
						[`${cross}/linear_2`, ['out']],
					])),
		];
	}

	/** `sources`: each variable with the names of the matrices stacked in it. */
	#attention(
		to: string,
		sources: readonly (readonly [from: string, parts: readonly string[]])[],
	): PlannedTensor[] {
		const { state } = this.size;
		return sources.flatMap(([from, parts]) =>
			parts.flatMap((part, index) => {
				const rows = [index * state, state, parts.length * state] as const;
				const weight = this.#rows(`${to}.${part}.weight`, `${from}/weight`, [state, state], 'f16', rows);
				const bias = this.#rows(`${to}.${part}.bias`, `${from}/bias`, [state], 'f32', rows);
				return part === 'key' ? [weight] : [weight, bias];
			}),
		);
	}

	#linear(to: string, from: string, shape: readonly [number, number]): PlannedTensor[] {
		return [
			this.#tensor(`${to}.weight`, `${from}/weight`, shape, 'f16'),
			this.#tensor(`${to}.bias`, `${from}/bias`, [shape[0]], 'f32'),
		];
	}

	#norm(to: string, from: string): PlannedTensor[] {
		const shape = [this.size.state];
		return [
			this.#tensor(`${to}.weight`, `${from}/gamma`, shape, 'f32'),
			this.#tensor(`${to}.bias`, `${from}/beta`, shape, 'f32'),
		];
	}

	#convolution(to: string, from: string, channels: number): PlannedTensor[] {
		const { state } = this.size;
		const bias = this.#tensor(`${to}.bias`, `${from}/bias`, [state], 'f32');
		return [
			this.#tensor(`${to}.weight`, `${from}/weight`, [state, channels, 3], 'f16'),
			// A column, since whisper.cpp adds it to every frame.
			{ ...bias, shape: [state, 1] },
		];
	}

	#tensor(name: string, from: string, shape: readonly number[], type: 'f32' | 'f16'): PlannedTensor {
		const [rows = 0] = shape;
		return this.#rows(name, from, shape, type, [0, rows, rows]);
	}

	/** `rows`: first row and row count of the part, and the row count that the source must have. */
	#rows(
		name: string,
		from: string,
		shape: readonly number[],
		type: 'f32' | 'f16',
		[firstRow, rows, allRows]: readonly [number, number, number],
	): PlannedTensor {
		const source = this.#variable(from);
		const expected = [allRows, ...shape.slice(1)];
		if (source.shape.join() !== expected.join())
			throw new BadCtranslate2(
				`\`${from}\` has the shape [${source.shape.join(', ')}] instead of [${expected.join(', ')}]`,
			);
		this.#used.add(source.name);
		return { name, shape, type, source, scale: this.#scaleOf(source, from), firstRow, rows };
	}

	#scaleOf(source: Variable, from: string): Variable | null {
		if (floatTypes.includes(source.type)) return null;
		if (source.type === 'i32' || !from.endsWith('/weight'))
			throw new BadCtranslate2(`\`${from}\` has the unexpected number type ${source.type}`);
		const scale = this.#variable(`${from}_scale`);
		const count = scale.shape.reduce((product, size) => product * size, 1);
		const expected = source.type === 'i8' ? (source.shape[0] ?? 0) : 1;
		if (!floatTypes.includes(scale.type) || count !== expected || scale.shape.length > 1)
			throw new BadCtranslate2(
				`\`${scale.name}\` is [${scale.shape.join(', ')}] of ${scale.type} instead of ${expected} floats`,
			);
		this.#used.add(scale.name);
		return scale;
	}
}

function layers(count: number, block: (layer: number) => PlannedTensor[]): PlannedTensor[] {
	return Array.from({ length: count }, (_, layer) => block(layer)).flat();
}
