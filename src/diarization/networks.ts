/** The two networks of diarization: segmentation (which voices are active when) and embedding (a vector for a
 * voice). */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Network } from '../../binding.js';
import { addon, guarded } from '../addon/addon.js';
import { runtimeFile } from '../addon/libraries.js';
import { throwIfCancelled } from '../core/abort.js';
import { EarshotError, reasonOf } from '../core/errors.js';
import { sampleRate } from '../core/speech/pcm.js';
import { NotOnnx } from '../model-files/onnx-fields.js';
import { type OnnxFile, readOnnx } from '../model-files/onnx-file.js';
import { frameClasses } from './activity.js';
import { featureBins, featuresOf, frameCountOf } from './features.js';

export interface SegmentationShape {
	/** Samples of a window. */
	readonly window: number;
	/** Frames of a window. */
	readonly frames: number;
	/** Samples from the start of one frame's receptive field to that of the next, and in one receptive field. */
	readonly shift: number;
	readonly field: number;
}

/** Calls may run in parallel. They throw `cancelled` when the signal is aborted. */
export interface SpeakerNetworks {
	readonly shape: SegmentationShape;
	/** SHA-256 of the embedding network's file: voices of different networks cannot be compared. */
	readonly fingerprint: string;
	/** Logarithms of the probabilities of `frameClasses` classes, frame by frame. */
	segment(window: Float32Array, signal: AbortSignal): Promise<Float32Array>;
	/** The embedding of the voice in these samples, of any length (not normalized). */
	embed(samples: Float32Array, signal: AbortSignal): Promise<Float32Array>;
	close(): Promise<void>;
}

export interface NetworkFiles {
	readonly segmentation: string;
	readonly embedding: string;
	/** Folder of the sherpa-onnx libraries, with ONNX Runtime. */
	readonly libraryDir: string;
	/** Threads of one run. */
	readonly threads: number;
}

/** Throws `model_load_failed`, naming the file that cannot be used, or `engine_missing`. */
export async function loadSpeakerNetworks(files: NetworkFiles): Promise<SpeakerNetworks> {
	const segmentation = await checked('segmentation', files.segmentation, segmentationOf);
	const embedding = await checked('embedding', files.embedding, embeddingOf);
	const library = runtimeFile(files.libraryDir);
	const load = (graph: Uint8Array) =>
		guarded(() => addon().loadNetwork({ library, graph, threads: files.threads }));
	const segmenter = await load(segmentation.bytes);
	const embedder = await load(embedding.bytes).catch(async (thrown: unknown) => {
		await segmenter.close();
		throw thrown;
	});
	const { shape, ...segmentationEnds } = segmentation.found;
	const { size, ...embeddingEnds } = embedding.found;
	return {
		shape,
		fingerprint: createHash('sha256').update(embedding.bytes).digest('hex'),
		segment: (window, signal) =>
			run(segmenter, window, signal, {
				...segmentationEnds,
				inputShape: [1, 1, window.length],
				outputShape: [1, shape.frames, frameClasses],
			}),
		embed: (samples, signal) =>
			run(embedder, featuresOf(samples), signal, {
				...embeddingEnds,
				inputShape: [1, frameCountOf(samples.length), featureBins],
				outputShape: [1, size],
			}),
		close: async () => {
			await Promise.all([segmenter.close(), embedder.close()]);
		},
	};
}

let nextClip = 1;

async function run(
	network: Network,
	values: Float32Array,
	signal: AbortSignal,
	options: Omit<Parameters<Network['run']>[1], 'clip'>,
): Promise<Float32Array> {
	const clip = nextClip++;
	const cancel = () => network.cancel(clip);
	throwIfCancelled(signal);
	const running = guarded(() => network.run(values, { ...options, clip }));
	signal.addEventListener('abort', cancel, { once: true });
	try {
		return await running;
	} finally {
		signal.removeEventListener('abort', cancel);
	}
}

/** Larger files are refused, since a file is read into memory; neither network is that large. */
const maxBytes = 512 * 2 ** 20;

async function checked<T>(
	role: string,
	file: string,
	check: (found: OnnxFile) => T,
): Promise<{ readonly bytes: Uint8Array; readonly found: T }> {
	try {
		const head = await readOnnx(file);
		if (head.externalData.size > 0) throw new NotOnnx('its weights are in another file');
		const found = check(head);
		const bytes = await readFile(file);
		if (bytes.length > maxBytes) throw new NotOnnx(`it has more than ${maxBytes} bytes`);
		return { bytes, found };
	} catch (thrown) {
		throw new EarshotError(
			'model_load_failed',
			`its file \`${role}\` cannot be used: ${file}: ${reasonOf(thrown)}`,
			{ cause: thrown },
		);
	}
}

function segmentationOf({ metadata, inputs, outputs }: OnnxFile) {
	const number = (key: string, min: number, max: number): number => wholeIn(metadata, key, min, max);
	const ends = endsOf({ inputs, outputs }, 3, 3);
	// pyannote's powerset of 3 voices, at most 2 at once, which `voiceChances` reads.
	number('num_speakers', 3, 3);
	number('powerset_max_classes', 2, 2);
	number('num_classes', frameClasses, frameClasses);
	number('sample_rate', sampleRate, sampleRate);
	const window = number('window_size', sampleRate, 60 * sampleRate);
	const field = number('receptive_field_size', 1, window);
	const shift = number('receptive_field_shift', 80, sampleRate / 4);
	return { ...ends, shape: { window, field, shift, frames: Math.floor((window - field) / shift) + 1 } };
}

function embeddingOf({ metadata, inputs, outputs }: OnnxFile) {
	const framework = metadata.get('framework');
	if (framework !== '3d-speaker' && framework !== 'wespeaker')
		throw new NotOnnx('its metadata should have `framework` = `3d-speaker` or `wespeaker`');
	if (metadata.get('feature_normalize_type') !== 'global-mean')
		throw new NotOnnx('its metadata should have `feature_normalize_type` = `global-mean`');
	wholeIn(metadata, 'sample_rate', sampleRate, sampleRate);
	const size = wholeIn(metadata, 'output_dim', 1, 4096);
	const ends = endsOf({ inputs, outputs }, 3, 2);
	if (inputs[0]?.shape?.[2] !== featureBins && inputs[0]?.shape?.[2] !== null)
		throw new NotOnnx(`it should take ${featureBins} values for each frame`);
	return { ...ends, size };
}

const float32 = 1;

function endsOf(
	{ inputs, outputs }: Pick<OnnxFile, 'inputs' | 'outputs'>,
	inputRank: number,
	outputRank: number,
): { readonly input: string; readonly output: string } {
	const [input, ...more] = inputs;
	const [output] = outputs;
	const fits =
		more.length === 0 &&
		input?.elementType === float32 &&
		output?.elementType === float32 &&
		input.shape?.length === inputRank &&
		output.shape?.length === outputRank;
	if (!fits) throw new NotOnnx('it has other inputs and outputs');
	return { input: input.name, output: output.name };
}

function wholeIn(metadata: ReadonlyMap<string, string>, key: string, min: number, max: number): number {
	const text = metadata.get(key) ?? '';
	const value = Number(text);
	if (/^\d{1,9}$/.test(text) && value >= min && value <= max) return value;
	const what = min === max ? `${min}` : `a whole number from ${min} to ${max}`;
	throw new NotOnnx(`its metadata should have \`${key}\` = ${what}`);
}
