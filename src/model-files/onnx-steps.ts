/** Describes what an ONNX graph computes, ignoring shape and copy operators, so that two files can be compared. */

import type { OnnxAttribute, OnnxBody, OnnxNode, OnnxTensor } from './onnx-nodes.js';

export interface Step {
	/** Operator, attributes and inputs, e.g. `Conv kernel_shape=3 pads=1,1 strides=2 (6, 64×128×3, 64)`: an input is the
	 * number of an earlier step, the shape of a weight, or the name of an input of the graph. */
	readonly line: string;
	/** The weights of each input, in order. */
	readonly weights: readonly (readonly OnnxTensor[])[];
}

/** Operators that only compute shapes or pass values on. */
const carriers: ReadonlySet<string> = new Set([
	'Cast',
	'Concat',
	'Constant',
	'ConstantOfShape',
	'Equal',
	'Gather',
	'Identity',
	'If',
	'Not',
	'Reshape',
	'Shape',
	'Size',
	'Slice',
	'Squeeze',
	'Transpose',
	'Unsqueeze',
]);

const float32 = 1;

/** A step by its number, an input of the graph by its name, or a weight. */
type Source = number | string | OnnxTensor;

/** The steps of a graph and its branches, in topological order. Pure. */
export function stepsOf(body: OnnxBody): Step[] {
	const sources = new Map<string, readonly Source[]>();
	const steps: Step[] = [];
	const sourcesOf = (name: string): readonly Source[] => sources.get(name) ?? (name === '' ? [] : [name]);
	const visit = ({ nodes, initializers }: OnnxBody): void => {
		for (const [name, tensor] of initializers) sources.set(name, weightIn(tensor));
		for (const node of nodes) {
			const bodies = [...node.attributes.values()].filter(isBody);
			for (const branch of bodies) visit(branch);
			const inputs = node.inputs.map(sourcesOf);
			for (const [index, output] of node.outputs.entries()) {
				if (!carriers.has(node.operator)) sources.set(output, [steps.length]);
				else if (bodies.length > 0) {
					sources.set(output, union(bodies.map(({ outputs }) => sourcesOf(outputs[index] ?? ''))));
				} else sources.set(output, union([...inputs, constantOf(node)]));
			}
			if (carriers.has(node.operator)) continue;
			const weights = inputs.map((input) => input.filter((source) => typeof source === 'object'));
			steps.push({ line: describe(node, inputs), weights });
		}
	};
	visit(body);
	return steps;
}

function describe({ operator, attributes }: OnnxNode, inputs: readonly (readonly Source[])[]): string {
	const settings = [...attributes].map(([name, content]) => `${name}=${settingOf(content)}`).sort();
	const taken = inputs
		.filter(({ length }) => length > 0)
		.map((input) =>
			input.map((source) => (typeof source === 'object' ? source.shape.join('×') : source)).join(' + '),
		);
	return `${[operator, ...settings].join(' ')} (${taken.join(', ')})`;
}

function settingOf(content: OnnxAttribute): string {
	if (typeof content === 'string') return content;
	if (isBody(content)) return 'branch';
	return isTensor(content) ? 'constant' : content.join(',');
}

const isBody = (attribute: OnnxAttribute): attribute is OnnxBody =>
	typeof attribute === 'object' && 'nodes' in attribute;

const isTensor = (attribute: OnnxAttribute | undefined): attribute is OnnxTensor =>
	typeof attribute === 'object' && 'elementType' in attribute;

function constantOf(node: OnnxNode): readonly Source[] {
	const value = node.attributes.get('value');
	return node.operator === 'Constant' && isTensor(value) ? weightIn(value) : [];
}

/** Integer tensors and scalars are parameters of operators, not weights. */
const weightIn = (tensor: OnnxTensor): readonly OnnxTensor[] =>
	tensor.elementType === float32 && tensor.shape.length > 0 ? [tensor] : [];

const union = (lists: readonly (readonly Source[])[]): readonly Source[] => [...new Set(lists.flat())];
