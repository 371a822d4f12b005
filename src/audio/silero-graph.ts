/** Silero's network as a graph for ONNX Runtime that takes many windows at once; the weights stay in Silero's file. */

import { OnnxGraph } from '../model-files/onnx-graph.js';
import type { OnnxBody, OnnxTensor } from '../model-files/onnx-nodes.js';
import { stepsOf } from '../model-files/onnx-steps.js';

/** What Silero v5 and v6 compute of a window at 16 kHz. The second LSTM is for a state that is empty, and never runs. */
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
 * As SpeechNetworkLoad of the addon has it, or undefined where a file computes something else. `name` is the file's,
 * beside which the model is taken to lie. Pure.
 */
export function sileroGraph(file: OnnxBody, name: string): Uint8Array | undefined {
	const branches = file.nodes
		.flatMap(({ attributes }) => [...attributes.values()])
		.filter((content): content is OnnxBody => typeof content === 'object' && 'nodes' in content);
	for (const body of [file, ...branches]) {
		const found = stepsOf(body);
		const alike = found.length === steps.length && found.every(({ line }, index) => line === steps[index]);
		const weights = found.map((step) => step.weights);
		const whole = weights.flat(2).every(({ shape, place }) => place?.length === bytesOf(shape));
		if (alike && whole) return graphOf(weights, name);
	}
	return undefined;
}

const bytesOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 4);

/** Frames of a window, and numbers of each: the magnitudes of a spectrum of 256 samples. */
const [frames, frameSize, magnitudes] = [4, 256, 129] as const;
const state = 128;

/** Rows are windows: what convolutions do to the few frames of one is a matrix product, the frames side by side. */
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

	/** A convolution of width 3, padded by 1, over so many frames. */
	const convolve = (rows: string, step: number, count: number, stride: number): [string, number] => {
		const [weight] = tensors(step, 1);
		const [to = 0, from = 0] = weight?.shape ?? [];
		const taps = graph.node('Transpose', [external(weight)], { perm: [0, 2, 1] });
		const bias = external(tensors(step, 2)[0]);
		const made = Math.ceil(count / stride);
		// For each frame made: the weights of the frames it hears, and zeros for the others.
		const parts = Array.from({ length: made }, (_, index) => {
			const first = index * stride - 1;
			const [begin, end] = [Math.max(first, 0), Math.min(first + 3, count)];
			const heard = reshape(slice(taps, 1, begin - first, end - first), to, (end - begin) * from);
			return graph.node('Pad', [heard, graph.integers(0, begin * from, 0, (count - end) * from)]);
		});
		const sums = product(rows, concat(parts), concat(parts.map(() => bias)));
		return [graph.node('Relu', [sums]), made];
	};

	const sound = graph.input('frames', [null, frameSize]);
	const basis = external(tensors(spectrumStep, 1)[0], [2 * magnitudes, frameSize]);
	const spectra = product(sound, basis);
	const parts = reshape(graph.node('Mul', [spectra, spectra]), -1, 2, magnitudes);
	const powers = graph.node('ReduceSum', [parts, graph.integers(1)], { keepdims: 0 });
	let rows = reshape(graph.node('Sqrt', [powers]), -1, frames * magnitudes);
	let count: number = frames;
	for (const { step, stride } of convolutions) [rows, count] = convolve(rows, step, count, stride);

	// PyTorch's order of the gates is input, forget, cell, output; ONNX's is input, output, forget, cell.
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
	const heard = graph.node('Relu', [reshape(outputs, -1, state)]);
	const [weight, bias] = [
		external(tensors(outputStep, 1)[0], [1, state]),
		external(tensors(outputStep, 2)[0]),
	];
	graph.output('chances', [null, 1], graph.node('Sigmoid', [product(heard, weight, bias)]));
	graph.output('next_h', [1, 1, state], hidden);
	graph.output('next_c', [1, 1, state], cell);
	return graph.encode();
}
