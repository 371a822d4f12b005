/**
 * Whisper's encoder on one thread beside the matrix products that ONNX Runtime does at its best there.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { contextFor } from '../../dist/engines/audio-context.js';
import { readGgml } from '../../dist/engines/ggml-file.js';
import { OnnxGraph } from '../../dist/engines/onnx-graph.js';
import { runtimeFile, sherpaLibraryIfAny } from '../../dist/engines/sherpa-library.js';
import { loadEncoders } from '../../dist/engines/whisper-encoder.js';
import { root, workplace } from './peers.mjs';
import { floatsOf, speech } from './speech.mjs';
import { median } from './statistics.mjs';

const addon = createRequire(import.meta.url)('node-gyp-build')(root);
const WIDTH = 2048;
const FULL = 1500;

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {{ model: string, seconds: number, repeats: number }} */
const { model: path, seconds, repeats } = JSON.parse(line);
const libraryDir = sherpaLibraryIfAny(undefined);
if (libraryDir === undefined) throw new Error('the sherpa-onnx libraries are not here');
const { shape } = readGgml(path);

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

/** Of the encoder alone, multiplications and additions. */
function operations(/** @type {number} */ context) {
	const { audioState: width, audioLayers: layers, mels } = shape;
	const convolutions = 2 * 3 * width * context * (2 * mels + width);
	const products = layers * 2 * context * 12 * width ** 2;
	const attention = layers * 4 * context ** 2 * width;
	return convolutions + products + attention;
}

/** ms of a window with what surrounds the encoder: spectrogram, and the decoder's view of the result. */
async function time(
	/** @type {object[]} */ encoders,
	/** @type {number} */ audioContext,
	/** @type {number} */ length,
) {
	const model = await addon.loadWhisper({
		path,
		lanes: 1,
		maxThreads: 1,
		useGpu: false,
		gpuDevice: 0,
		alignmentHeads: [],
		encoders,
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

async function real() {
	const settings = { wanted: 'onnx', path, libraryDir, maxThreads: 1, useGpu: false };
	const { encoders, reason } = await loadEncoders(settings);
	if (encoders.length === 0) throw new Error(`no encoder: ${reason}`);
	return encoders;
}

/** Of the encoder alone. */
async function encoderTime(/** @type {number} */ context, /** @type {number} */ length) {
	const around = await time([await products(0, context)], context, length);
	return { ms: (await time(await real(), context, length)) - around, aroundMs: around };
}

try {
	const [few, many] = [
		await time([await products(1, FULL)], FULL, 30),
		await time([await products(5, FULL)], FULL, 30),
	];
	const peak = (4 * 2 * FULL * WIDTH ** 2) / (many - few) / 1e6;
	const full = await encoderTime(FULL, 30);
	const context = contextFor(seconds, 16);
	const short = await encoderTime(context, seconds);
	stdout.write(
		`${JSON.stringify({ peakGflops: peak, fullGflops: operations(FULL) / full.ms / 1e6, full, context, short })}\n`,
	);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
