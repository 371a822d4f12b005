import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { expectedBytes } from '../../../src/models/memory.js';
import { Scratch } from '../../helpers/net/real-server.js';

const megabytes = (count: number) => new Uint8Array(count * 1e6);

it('a model of whisper.cpp takes its weights, a fifth of them for each state, and what any process takes', () => {
	using scratch = new Scratch();
	const model = scratch.file('ggml.bin', megabytes(10));
	expect(expectedBytes({ type: 'whisper_cpp', files: { model } })).toBe(12e6 + 180e6);
});

it('a model of sherpa-onnx takes half of its weights once more, a folder of tokens included', () => {
	using scratch = new Scratch();
	mkdirSync(path.join(scratch.path, 'tokenizer'));
	const files = {
		encoder: scratch.file('encoder.onnx', megabytes(4)),
		decoder: scratch.file('decoder.onnx', megabytes(2)),
		tokenizer: path.join(scratch.path, 'tokenizer'),
	};
	scratch.file('tokenizer/vocab.json', megabytes(2));
	expect(expectedBytes({ type: 'qwen3_asr', files })).toBe(12e6 + 100e6);
});

it('what is not there takes nothing: the load says what is missing', () => {
	expect(expectedBytes({ type: 'whisper_cpp', files: { model: '/nowhere/ggml.bin' } })).toBe(180e6);
});
