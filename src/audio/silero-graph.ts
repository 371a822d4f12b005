/** Silero's network as an ONNX graph that processes many windows at once; the weights stay in Silero's file. */

import { OnnxGraph } from '../model-files/onnx-graph.js';
import type { OnnxBody, OnnxTensor } from '../model-files/onnx-nodes.js';
import { stepsOf } from '../model-files/onnx-steps.js';

/** The operations of Silero v5 and v6 on a window at 16 kHz. The second LSTM handles an empty state and never runs. */
const steps: readonly string[] = [
	'Pad mode=reflect (input)',
	'Conv dilations=1 group=1 kernel_shape=256 pads=0,0 strides=128 (0, 258×1×256)',
	'Pow (1)',
	'Pow (1)',
	'Add (2, 3)',
	'Sqrt (4)',
	'Conv dilations=1 group=1 kernel_shape=3 pads=1,1 strides=1 (5, 128×129×3, 128)',
	'Relu (6)',
	'Conv dilations=1 group=1 kernel_shape=3 pads=1,1 strides=2 (7, 64×128×3, 64)',
	'Relu (8)',
	'Conv dilations=1 group=1 kernel_shape=3 pads=1,1 strides=2 (9, 64×64×3, 64)',
	'Relu (10)',
	'Conv dilations=1 group=1 kernel_shape=3 pads=1,1 strides=1 (11, 128×64×3, 128)',
	'Relu (12)',
	'LSTM hidden_size=128 (13, 512×128, 512×128, 512 + 512, state, state)',
	'LSTM hidden_size=128 (13, 512×128, 512×128, 512 + 512, 13, 13)',
	'Relu (14 + 15)',
	'Conv dilations=1 group=1 kernel_shape=1 pads=0,0 strides=1 (16, 1×128×1, 1)',
	'Sigmoid (17)',
	'ReduceMean axes=1 keepdims=0 (18)',
];
const spectrumStep = 1;
const convolutions = [
	{ step: 6, stride: 1 },
	{ step: 8, stride: 2 },
	{ step: 10, stride: 2 },
	{ step: 12, stride: 1 },
] as const;
const lstmStep = 14;
const outputStep = 17;

/**
 * The graph that the addon's SpeechNetworkLoad takes; undefined if the file computes something else. `name`: file name
 * of the weights, in the same folder as the model. Pure.
 */
export function sileroGraph(file: OnnxBody, name: string): Uint8Array | undefined {
	const branches = file.nodes
		.flatMap(({ attributes }) => [...attributes.values()])
		.filter((content): content is OnnxBody => typeof content === 'object' && 'nodes' in content);
	for (const body of [file, ...branches]) {
		const found = stepsOf(body);
		const isEqual = found.length === steps.length && found.every(({ line }, index) => line === steps[index]);
		const weights = found.map((step) => step.weights);
		const isComplete = weights.flat(2).every(({ shape, place }) => place?.length === bytesOf(shape));
		if (isEqual && isComplete) return graphOf(weights, name);
	}
	return undefined;
}

const bytesOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 4);

/** Frames per window, samples per frame, and magnitudes of a frame's spectrum. */
const [frames, frameSize, magnitudes] = [4, 256, 129] as const;
const state = 128;

/** Each row is one window, its frames side by side, so a convolution over the frames becomes a matrix product. */
function graphOf(weights: readonly (readonly (readonly OnnxTensor[])[])[], location: string): Uint8Array {
	const graph = new OnnxGraph();
	const tensors = (step: number, input: number) => weights[step]?.[input] ?? [];
	const external = (tensor: OnnxTensor | undefined, shape = tensor?.shape ?? []) => {
		const { offset = 0, length = 0 } = tensor?.place ?? {};
		return graph.external('float', shape, { location, offset, length });
	};
	const reshape = (value: string, ...shape: readonly number[]) =>
		graph.node('Reshape', [value, graph.integers(...shape)]);
	const slice = (value: string, axis: number, from: number, to: number) =>
		graph.node('Slice', [value, graph.integers(from), graph.integers(to), graph.integers(axis)]);
	const concat = (values: readonly string[]) => graph.node('Concat', values, { axis: 0 });
	const product = (rows: string, ...weightAndBias: readonly string[]) =>
		graph.node('Gemm', [rows, ...weightAndBias], { transB: 1 });

	/** A convolution of width 3, padded by 1, over `count` frames. */
	const convolve = (rows: string, step: number, count: number, stride: number): [string, number] => {
		const [weight] = tensors(step, 1);
		const [to = 0, from = 0] = weight?.shape ?? [];
		const taps = graph.node('Transpose', [external(weight)], { perm: [0, 2, 1] });
		const bias = external(tensors(step, 2)[0]);
		const outputs = Math.ceil(count / stride);
		// Per output frame: the weights of the input frames it depends on, and zeros for the others.
		const parts = Array.from({ length: outputs }, (_, index) => {
			const first = index * stride - 1;
			const [begin, end] = [Math.max(first, 0), Math.min(first + 3, count)];
			const kernel = reshape(slice(taps, 1, begin - first, end - first), to, (end - begin) * from);
			return graph.node('Pad', [kernel, graph.integers(0, begin * from, 0, (count - end) * from)]);
		});
		const sums = product(rows, concat(parts), concat(parts.map(() => bias)));
		return [graph.node('Relu', [sums]), outputs];
	};

	const sound = graph.input('frames', [null, frameSize]);
	const basis = external(tensors(spectrumStep, 1)[0], [2 * magnitudes, frameSize]);
	const spectra = product(sound, basis);
	const parts = reshape(graph.node('Mul', [spectra, spectra]), -1, 2, magnitudes);
	const powers = graph.node('ReduceSum', [parts, graph.integers(1)], { keepdims: 0 });
	let rows = reshape(graph.node('Sqrt', [powers]), -1, frames * magnitudes);
	let count: number = frames;
	for (const { step, stride } of convolutions) [rows, count] = convolve(rows, step, count, stride);

	// PyTorch orders the gates input, forget, cell, output; ONNX orders them input, output, forget, cell.
	const gates = (tensor: OnnxTensor | undefined) => {
		const value = external(tensor);
		return concat([
			slice(value, 0, 0, state),
			slice(value, 0, 3 * state, 4 * state),
			slice(value, 0, state, 3 * state),
		]);
	};
	const oneDirection = (value: string) => graph.node('Unsqueeze', [value, graph.integers(0)]);
	const [outputs, hidden, cell] = graph.threeOf(
		'LSTM',
		[
			reshape(rows, -1, 1, state),
			oneDirection(gates(tensors(lstmStep, 1)[0])),
			oneDirection(gates(tensors(lstmStep, 2)[0])),
			oneDirection(concat(tensors(lstmStep, 3).map(gates))),
			'',
			graph.input('h', [1, 1, state]),
			graph.input('c', [1, 1, state]),
		],
		{ hidden_size: state },
	);
	const activated = graph.node('Relu', [reshape(outputs, -1, state)]);
	const [weight, bias] = [
		external(tensors(outputStep, 1)[0], [1, state]),
		external(tensors(outputStep, 2)[0]),
	];
	graph.output('chances', [null, 1], graph.node('Sigmoid', [product(activated, weight, bias)]));
	graph.output('next_h', [1, 1, state], hidden);
	graph.output('next_c', [1, 1, state], cell);
	return graph.encode();
}
