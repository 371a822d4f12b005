/** Voice activity detection: Silero directly on ONNX Runtime, other networks through sherpa-onnx. */

import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { SherpaDetector, SpeechNetwork, VoiceActivity } from '../../binding.js';
import { addon, guarded } from '../addon/addon.js';
import { runtimeFile } from '../addon/libraries.js';
import { EarshotError, reasonOf } from '../core/errors.js';
import type { ChunkingOptions } from '../core/speech/options.js';
import { sampleRate } from '../core/speech/pcm.js';
import { NotOnnx } from '../model-files/onnx-fields.js';
import { type OnnxFile, readOnnx } from '../model-files/onnx-file.js';
import { onnxNodes } from '../model-files/onnx-nodes.js';
import { sileroGraph } from './silero-graph.js';
import type { Span, VadSegments } from './speech-spans.js';

/** Voice activity detection on one recording. One call at a time. */
export interface VadSession {
	/** Takes the next samples, any number; `last`: the recording ends with them. */
	push(samples: Float32Array, last: boolean): Promise<VadSegments>;
	/** No detector is used: all audio counts as speech. */
	readonly assumesSpeech?: true;
	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void>;
}

export type OpenVad = (options: ChunkingOptions) => Promise<VadSession>;

export interface Vad {
	readonly open: OpenVad;
	/** Frees the detector; open sessions continue. */
	close(): Promise<void>;
}

/** A word can be this short ("no"); shorter bursts are clicks. */
const minSpeechSeconds = 0.1;

/** `ClipSplitter` cuts long spans by the model's limit; the detector only needs some upper bound. */
const maxSpeechSeconds = 600;

/** sherpa-onnx's detectors accept no other thresholds, and networks return no probabilities outside this range. */
const [minThreshold, maxThreshold] = [0.02, 0.99];

/** The shortest pause: two windows of Silero, rounded down. */
const minSilenceMs = 50;

/** Detectors cached, by settings, most recently used first; a detector of sherpa-onnx takes a few megabytes. */
const maxDetectors = 4;

export interface VadOptions {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** ONNX file of Silero VAD or TEN VAD, or of a network with the same inputs and outputs. */
	readonly modelPath: string;
}

export function createVad({ libraryDir, modelPath }: VadOptions): Vad {
	const detectors = new Map<string, Promise<VoiceActivity>>();
	let network: Promise<SpeechNetwork | SherpaDetector> | undefined;

	function networkOnce(): Promise<SpeechNetwork | SherpaDetector> {
		network ??= networkOf(libraryDir, modelPath).catch((thrown: unknown) => {
			// A failed load is not kept: the next recording tries again.
			network = undefined;
			throw thrown;
		});
		return network;
	}

	function detectorFor(given: ChunkingOptions): Promise<VoiceActivity> {
		const threshold = Math.min(Math.max(given.threshold, minThreshold), maxThreshold);
		const silenceDurationMs = Math.max(given.silenceDurationMs, minSilenceMs);
		const key = `${threshold} ${silenceDurationMs}`;
		const found = detectors.get(key);
		detectors.delete(key);
		const detector =
			found ??
			guarded(async () =>
				addon().loadVoiceActivity({
					detector: await networkOnce(),
					threshold,
					minSilenceSeconds: silenceDurationMs / 1000,
					minSpeechSeconds,
					maxSpeechSeconds,
				}),
			);
		detectors.set(key, detector);
		for (const [oldest, stale] of detectors) {
			if (detectors.size <= maxDetectors) break;
			detectors.delete(oldest);
			stale.then((evicted) => evicted.close()).catch(() => {});
		}
		detector.catch(() => detectors.delete(key));
		return detector;
	}

	return {
		async open(options) {
			if (options.threshold === 0) return await noVad.open(options);
			const detector = await detectorFor(options);
			const session = await guarded(async () => detector.openSession());
			return {
				async push(samples, last) {
					const { spans, open, settled } = await guarded(() => session.push(samples, last));
					return {
						spans: spansOf(spans),
						openSince: open < 0 ? null : open / sampleRate,
						settled: settled / sampleRate,
					};
				},
				close: () => session.close(),
			};
		},
		async close() {
			const open = [...detectors.values()];
			detectors.clear();
			network = undefined;
			await Promise.allSettled(open.map(async (detector) => (await detector).close()));
		},
	};
}

function spansOf(offsets: Uint32Array): Span[] {
	const spans: Span[] = [];
	for (let at = 0; at + 1 < offsets.length; at += 2) {
		spans.push({ start: (offsets[at] ?? 0) / sampleRate, end: (offsets[at + 1] ?? 0) / sampleRate });
	}
	return spans;
}

/**
 * Without a detector: the whole recording is one span of speech, cut at its quietest places, and silence is left to
 * the model.
 */
export const noVad: Vad = {
	async open() {
		let total = 0;
		return {
			assumesSpeech: true,
			async push(samples, last) {
				total += samples.length;
				const settled = total / sampleRate;
				return { spans: last ? [{ start: 0, end: settled }] : [], openSince: last ? null : 0, settled };
			},
			close: async () => {},
		};
	},
	close: async () => {},
};

/** Metadata that TEN VAD's loader requires, and how many numbers each entry has. */
const tenLists = { mean: 41, inv_stddev: 41, window: 768 } as const;

/** Samples that each window of Silero shares with the one before, from v5 on; v4 files have one more output. */
const sileroOverlap = 64;

/** Opens the VAD network of a file. Throws `model_load_failed`. */
async function networkOf(libraryDir: string, file: string): Promise<SpeechNetwork | SherpaDetector> {
	const { shape, place, graph } = await read(file).catch((thrown: unknown) => {
		const why = reasonOf(thrown);
		throw new EarshotError(
			'model_load_failed',
			`the voice activity detection model cannot be used: ${file}: ${why}; choose another with --vad-model, or leave it out to use the bundled one`,
			{ cause: thrown },
		);
	});
	const sherpa = { libraryDir, path: file, ...shape };
	if (graph === undefined) return sherpa;
	// If ONNX Runtime is not a separate file, sherpa-onnx detects the same spans, only slower.
	return addon()
		.loadSpeechNetwork({ library: runtimeFile(libraryDir), graph, folder: path.dirname(place) })
		.catch(() => sherpa);
}

/** Throws NotOnnx, or the error of the file system. */
async function read(file: string) {
	const shape = shapeOf(await readOnnx(file));
	// ONNX Runtime does not follow links out of the folder.
	const place = await realpath(file);
	const graph =
		shape.overlap === 0 ? undefined : sileroGraph(onnxNodes(await readFile(place)), path.basename(place));
	return { shape, place, graph };
}

/** Checked here because sherpa-onnx ends the process on an unknown network. Throws NotOnnx. */
function shapeOf({ metadata, inputs, outputs }: OnnxFile): Pick<SherpaDetector, 'ten' | 'overlap'> {
	if (metadata.get('model_type') === 'ten-vad') {
		for (const [key, count] of Object.entries(tenLists)) {
			if (metadata.get(key)?.split(',').length !== count)
				throw new NotOnnx(`its metadata should have ${count} numbers in \`${key}\``);
		}
		return { ten: true, overlap: 0 };
	}
	if (inputs[0]?.shape?.length !== 2 || inputs.length < 3 || outputs.length < 2)
		throw new NotOnnx('it has the inputs and outputs of neither Silero nor TEN');
	return { ten: false, overlap: outputs.length === 2 ? sileroOverlap : 0 };
}
