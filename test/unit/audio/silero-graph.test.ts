import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sileroGraph } from '../../../src/audio/silero-graph.js';
import { NotOnnx } from '../../../src/model-files/onnx-fields.js';
import { readOnnx } from '../../../src/model-files/onnx-file.js';
import { onnxNodes } from '../../../src/model-files/onnx-nodes.js';
import { stepsOf } from '../../../src/model-files/onnx-steps.js';
import { generated, root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

const silero = readFileSync(path.join(root, 'vendor', 'silero-vad', 'silero_vad_v6.onnx'));
const fixture = (name: string) => readFileSync(path.join(generated, 'vad', name));
const graphOf = (file: Buffer) => sileroGraph(onnxNodes(file), 'silero.onnx');

/** The file with every `from` a `to` of the same length. */
function changed(from: string, to: string): Buffer {
	const text = silero.toString('latin1');
	expect(text).toContain(from);
	return Buffer.from(text.replaceAll(from, to), 'latin1');
}

describe('the nodes of an ONNX file', () => {
	test('include those inside its branches, and where its constants are', () => {
		const { nodes } = onnxNodes(silero);
		expect(nodes.map(({ operator }) => operator)).toEqual([
			'Constant',
			'Equal',
			'If',
			'Identity',
			'Identity',
		]);
		const branch = nodes[2]?.attributes.get('then_branch');
		if (typeof branch !== 'object' || !('nodes' in branch)) throw new Error('it is no branch');
		const basis = branch.nodes[0]?.attributes.get('value');
		expect(basis).toMatchObject({ elementType: 1, shape: [258, 1, 256], place: { length: 258 * 256 * 4 } });
		expect(branch.nodes.find(({ operator }) => operator === 'Conv')?.attributes.get('strides')).toEqual([
			128,
		]);
		expect(onnxNodes(fixture('loudness.onnx')).initializers.size).toBeGreaterThan(0);
	});

	test('of what is no ONNX file, or only a part of one, are refused', () => {
		for (const file of [
			silero.subarray(0, 1_500_000),
			Buffer.from('{"a": "json"}'),
			Buffer.alloc(0),
			Buffer.from([8, 8]),
		]) {
			expect(() => onnxNodes(file)).toThrow(NotOnnx);
		}
	});

	test('are divided into those that compute and those that carry', () => {
		expect(stepsOf(onnxNodes(fixture('loudness.onnx'))).map(({ line }) => line)).toEqual([
			'Mul (input, input)',
			'ReduceMean axes=1 keepdims=1 (0)',
			'Mul (1)',
			'Sub (2)',
			'Sigmoid (3)',
		]);
	});
});

describe('Silero’s network', () => {
	test('becomes a graph that takes its weights from the file', async () => {
		const graph = graphOf(silero);
		if (graph === undefined) throw new Error('the bundled file is not known');
		expect(graph.length).toBeLessThan(16_384);
		using scratch = new Scratch();
		const file = path.join(scratch.path, 'graph.onnx');
		writeFileSync(file, graph);
		const { inputs, outputs, operators, externalData } = await readOnnx(file);
		expect([...externalData.keys()]).toEqual(['silero.onnx']);
		expect(inputs.map(({ name, shape }) => [name, shape])).toEqual([
			['frames', [null, 256]],
			['h', [1, 1, 128]],
			['c', [1, 1, 128]],
		]);
		expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
			['chances', [null, 1]],
			['next_h', [1, 1, 128]],
			['next_c', [1, 1, 128]],
		]);
		expect(operators).not.toContain('If');
	});

	test('is known whatever its values are called', () => {
		expect(graphOf(changed('encoder', 'xncoder'))).toBeDefined();
	});

	test.each([
		['another function', () => changed('Relu', 'Tanh')],
		['another stride', () => changed('strides', 'strydes')],
		['another padding', () => changed('reflect', 'replect')],
	])('is not known with %s', (_, file) => {
		expect(graphOf(file())).toBeUndefined();
	});

	test.each(['loudness.onnx', 'scripted.onnx', 'ten.onnx'])('is not %s', (name) => {
		expect(graphOf(fixture(name))).toBeUndefined();
	});
});
