/** Whisper's encoder as an ONNX graph; the weights stay in their file. */

import type { WhisperShape } from '../../model-files/ggml-file.js';
import type { TensorType } from '../../model-files/ggml-types.js';
import { elementTypes, OnnxGraph } from '../../model-files/onnx-graph.js';

/** Epsilon of the layer norms, as in whisper.cpp and OpenAI's implementation. */
const epsilon = 1e-5;
/** ONNX's number for the type. */
const { float } = elementTypes;
/** Bytes per element of the types that ONNX Runtime reads in place. */
const elementSizes: ReadonlyMap<string | undefined, number> = new Map([
	['f32', 4],
	['f16', 2],
	['int8', 1],
]);

/** A ggml file, or the 8-bit weights converted from one. */
export interface EncoderWeights {
	readonly shape: WhisperShape;
	readonly tensors: ReadonlyMap<
		string,
		{
			readonly type: TensorType | 'int8';
			readonly offset: number;
			readonly length: number;
		}
	>;
}

/** Tensor name of the scales of an 8-bit matrix, one per output. */
export const scalesOf = (weight: string): string => `${weight}_scale`;

/**
 * `in` [1, mels, 2 × context] → `out` [1, context, state], for any context up to the model's. `name`: file name of the
 * weights, in the same folder as the model. 8-bit matrices are [inputs, outputs]; their inputs are quantised to 8 bits
 * per clip. Throws if a tensor is missing or has another shape. Pure.
 */
export function encoderGraph(file: EncoderWeights, name: string): Uint8Array {
	const { audioState: state, audioHeads: heads, audioLayers: layers, audioContext, mels } = file.shape;
	const graph = new OnnxGraph();
	const { tensor, biased, linear, norm, gelu, convolution } = operations(graph, file, name);
	const sound = convolution(
		convolution(graph.input('in', [1, mels, null]), 'conv1', mels, 1),
		'conv2',
		state,
		2,
	);
	const frames = graph.node('Transpose', [sound], { perm: [0, 2, 1] });
	const context = graph.node('Shape', [frames], { start: 1, end: 2 });
	const positions = graph.node('Slice', [
		tensor('positional_embedding', [audioContext, state]),
		graph.integers(0),
		context,
	]);
	let stream = graph.node('Add', [frames, positions]);
	for (let layer = 0; layer < layers; layer++) {
		const block = `blocks.${layer}`;
		const square = [state, state] as const;
		const normed = norm(stream, `${block}.attn_ln`);
		const query = biased(linear(normed, `${block}.attn.query`, square), `${block}.attn.query.bias`);
		const key = linear(normed, `${block}.attn.key`, square);
		const value = biased(linear(normed, `${block}.attn.value`, square), `${block}.attn.value.bias`);
		// As one operator it runs block by block, without a matrix of all pairs of frames.
		const attention = graph.microsoft('MultiHeadAttention', [query, key, value], { num_heads: heads });
		const attended = biased(linear(attention, `${block}.attn.out`, square), `${block}.attn.out.bias`);
		stream = graph.node('Add', [stream, attended]);
		const hidden = biased(
			linear(norm(stream, `${block}.mlp_ln`), `${block}.mlp.0`, [state, 4 * state]),
			`${block}.mlp.0.bias`,
			4 * state,
		);
		const projected = biased(
			linear(gelu(hidden), `${block}.mlp.2`, [4 * state, state]),
			`${block}.mlp.2.bias`,
		);
		stream = graph.node('Add', [stream, projected]);
	}
	graph.output('out', [1, null, state], norm(stream, 'ln_post'));
	return graph.encode();
}

/** Builders of the layers' operations, with weights from the file. They return the name of the resulting value. */
function operations(graph: OnnxGraph, file: EncoderWeights, name: string) {
	const state = file.shape.audioState;
	const tensor = (part: string, shape: readonly number[]): string => {
		const found = file.tensors.get(`encoder.${part}`);
		const size = elementSizes.get(found?.type);
		const wrong = found?.length !== shape.reduce((product, each) => product * each, size ?? 0);
		if (found === undefined || size === undefined || wrong)
			throw new Error(`encoder.${part} is not as expected`);
		const place = { location: name, offset: found.offset, length: found.length };
		if (found.type === 'int8') return graph.external('int8', shape, place);
		if (found.type === 'f32') return graph.external('float', shape, place);
		// Computed once, when the session is created.
		return graph.node('Cast', [graph.external('float16', shape, place)], { to: float });
	};
	const biased = (value: string, bias: string, size = state) =>
		graph.node('Add', [value, tensor(bias, [size])]);
	// Queries, keys and values share one quantised input.
	const rounded = new Map<string, readonly [string, string, string]>();
	const linear = (value: string, part: string, [from, to]: readonly [number, number]) => {
		const weight = `${part}.weight`;
		if (file.tensors.get(`encoder.${weight}`)?.type !== 'int8') {
			const turned = graph.node('Transpose', [tensor(weight, [to, from])], { perm: [1, 0] });
			return graph.node('MatMul', [value, turned]);
		}
		const [numbers, scale, zero] = rounded.get(value) ?? graph.quantised(value);
		rounded.set(value, [numbers, scale, zero]);
		const factors = [numbers, tensor(weight, [from, to]), zero, graph.zeros(to)];
		const product = graph.node('Cast', [graph.node('MatMulInteger', factors)], { to: float });
		return graph.node('Mul', [product, graph.node('Mul', [scale, tensor(scalesOf(weight), [to])])]);
	};
	const norm = (value: string, part: string) =>
		graph.node(
			'LayerNormalization',
			[value, tensor(`${part}.weight`, [state]), tensor(`${part}.bias`, [state])],
			{
				axis: -1,
				epsilon: { float: epsilon },
			},
		);
	// Exact, by erf, as in OpenAI's implementation; ggml's uses a table of half floats.
	const gelu = (value: string) => graph.microsoft('Gelu', [value]);
	const convolution = (value: string, part: string, from: number, stride: number) =>
		gelu(
			graph.node(
				'Conv',
				[value, tensor(`${part}.weight`, [state, from, 3]), tensor(`${part}.bias`, [state])],
				{
					pads: [1, 1],
					strides: [stride],
				},
			),
		);

	return { tensor, biased, linear, norm, gelu, convolution };
}
