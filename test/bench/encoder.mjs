/**
 * Whisper's encoder on one thread beside the matrix products that ONNX Runtime does at its best there.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { runtimeFile, sherpaLibraryIfAny } from '../../dist/addon/libraries.js';
import { contextFor } from '../../dist/engines/whisper/audio-context.js';
import { loadEncoders } from '../../dist/engines/whisper/encoder.js';
import { readGgml } from '../../dist/model-files/ggml-file.js';
import { OnnxGraph } from '../../dist/model-files/onnx-graph.js';
import { root, workplace } from './lib/peers.mjs';
import { floatsOf, speech } from './lib/speech.mjs';
import { median } from './lib/statistics.mjs';

const addon = createRequire(import.meta.url)('node-gyp-build')(root);
const WIDTH = 2048;
const FULL = 1500;
const SHORT = 16;

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {{ model: string, seconds: number, repeats: number }} */
const { model: path, seconds, repeats } = JSON.parse(line);
const libraryDir = sherpaLibraryIfAny(undefined);
if (libraryDir === undefined) throw new Error('the sherpa-onnx libraries are not here');
const { shape, tensors } = readGgml(path);

mkdirSync(workplace, { recursive: true });
const folder = mkdtempSync(join(workplace, 'encoder-'));
const numbers = Float32Array.from({ length: WIDTH * WIDTH }, (_, at) => Math.sin(at) / WIDTH);
writeFileSync(join(folder, 'numbers'), numbers);

/** In the encoder's place: as many square products of the context's rows, or next to nothing. */
function products(/** @type {number} */ count, /** @type {number} */ context) {
	const graph = new OnnxGraph();
	const multiplied = (/** @type {string} */ value, /** @type {number} */ from, /** @type {number} */ to) =>
		graph.node('MatMul', [
			value,
			graph.external('float', [from, to], { location: 'numbers', offset: 0, length: 4 * from * to }),
		]);
	const frames = graph.input('in', [1, shape.mels, null]);
	let width = 2 * shape.mels;
	let value = graph.node('Reshape', [frames, graph.integers(1, context, width)]);
	for (let product = 0; product < count; product++) {
		value = multiplied(value, width, WIDTH);
		width = WIDTH;
	}
	graph.output('out', [1, null, shape.audioState], multiplied(value, width, shape.audioState));
	return addon.loadEncoder({ library: runtimeFile(libraryDir), graph: graph.encode(), folder, threads: 1 });
}

/** Of the encoder and of what the decoder takes in, multiplications and additions. */
function operations(/** @type {number} */ context) {
	const { audioState: width, audioLayers: layers, mels } = shape;
	const textLayers = [...tensors.keys()].filter((name) => name.endsWith('.cross_attn.key.weight')).length;
	const convolutions = 2 * 3 * width * context * (2 * mels + width);
	const products = layers * 2 * context * 12 * width ** 2;
	const attention = layers * 4 * context ** 2 * width;
	const cross = textLayers * 2 * 2 * context * width ** 2;
	return convolutions + products + attention + cross;
}

/** ms of a window, from the samples to what the decoder's cross-attention reads. */
async function time(
	/** @type {{ encoders: readonly object[], encoderBits?: number }} */ encoder,
	/** @type {number} */ audioContext,
	/** @type {number} */ length,
) {
	const model = await addon.loadWhisper({
		path,
		slots: 1,
		maxThreads: 1,
		useGpu: false,
		gpuDevice: 0,
		alignmentHeads: [],
		...encoder,
	});
	const samples = floatsOf(speech(length));
	const times = [];
	for (let repeat = 0; repeat <= repeats; repeat++) {
		const start = performance.now();
		await model.encode(samples, { clip: 1, threads: 1, audioContext });
		if (repeat > 0) times.push(performance.now() - start);
	}
	await model.close();
	return median(times);
}

/** One that works on nearly nothing: what is left is the spectrogram of the clip. */
const idle = async () => ({ encoders: [await products(0, SHORT)] });

/** Without the spectrogram. */
async function encoderTime(
	/** @type {string} */ requested,
	/** @type {number} */ context,
	/** @type {number} */ length,
) {
	const { encoder, encoders, encoderBits } = await loadEncoders({
		requested,
		path,
		libraryDir,
		maxThreads: 1,
		useGpu: false,
	});
	const aroundMs = await time(await idle(), SHORT, length);
	const whole = await time(
		{ encoders, ...(encoderBits === undefined ? {} : { encoderBits }) },
		context,
		length,
	);
	return { encoder, ms: whole - aroundMs, aroundMs };
}

try {
	const [few, many] = [
		await time({ encoders: [await products(1, FULL)] }, FULL, 30),
		await time({ encoders: [await products(5, FULL)] }, FULL, 30),
	];
	const peak = (4 * 2 * FULL * WIDTH ** 2) / (many - few) / 1e6;
	const context = contextFor(seconds, 16);
	const gflops = async (/** @type {string} */ requested) =>
		operations(FULL) / (await encoderTime(requested, FULL, 30)).ms / 1e6;
	const result = {
		peakGflops: peak,
		onnxGflops: await gflops('onnx'),
		autoGflops: await gflops('auto'),
		context,
		short: await encoderTime('auto', context, seconds),
	};
	stdout.write(`${JSON.stringify(result)}\n`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
