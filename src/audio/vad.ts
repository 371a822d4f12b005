/** Where in a recording somebody speaks: Silero by itself, another network through sherpa-onnx. */

import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { SherpaDetector, SpeechNetwork, VoiceActivity } from '../../binding.js';
import { addon, guarded } from '../addon/addon.js';
import { runtimeFile } from '../addon/libraries.js';
import { EarshotError } from '../errors.js';
import { NotOnnx } from '../model-files/onnx-fields.js';
import { type OnnxFile, readOnnx } from '../model-files/onnx-file.js';
import { onnxNodes } from '../model-files/onnx-nodes.js';
import type { ChunkingOptions } from '../speech/options.js';
import { sampleRate } from '../speech/pcm.js';
import { sileroGraph } from './silero-graph.js';
import type { Span, VadSegments } from './split.js';

/** A search through one recording. One call at a time. */
export interface VadSession {
	/** The next samples, as many as there are at hand; `last`: the recording ends with them. */
	hear(samples: Float32Array, last: boolean): Promise<VadSegments>;
	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void>;
}

export type OpenVad = (options: ChunkingOptions) => Promise<VadSession>;

export interface Vad {
	readonly search: OpenVad;
	/** Searches that are open go on. */
	close(): Promise<void>;
}

/** A word can be this short ("no"); shorter bursts are clicks. */
const minSpeechSeconds = 0.1;

/** Long stretches are cut by `ClipSplitter`, which knows the model's limit; the detector only needs an end. */
const maxSpeechSeconds = 600;

/** Settings seen most lately keep their detectors; each of sherpa-onnx's costs a few megabytes. */
const keptDetectors = 4;

export interface VadOptions {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** ONNX file in the shape of Silero's or TEN's. */
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

	function detectorFor({ threshold, silenceDurationMs }: ChunkingOptions): Promise<VoiceActivity> {
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
			if (detectors.size <= keptDetectors) break;
			detectors.delete(oldest);
			stale.then((gone) => gone.close()).catch(() => {});
		}
		detector.catch(() => detectors.delete(key));
		return detector;
	}

	return {
		async search(options) {
			const detector = await detectorFor(options);
			const search = await guarded(async () => detector.search());
			return {
				async hear(samples, last) {
					const { spans, open, settled } = await guarded(() => search.hear(samples, last));
					return {
						spans: spansOf(spans),
						openSince: open < 0 ? null : open / sampleRate,
						settled: settled / sampleRate,
					};
				},
				close: () => search.close(),
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
 * Where there is no detector: the whole recording is one stretch of speech, cut at its quietest places.
 * What is silence is then the model's to tell.
 */
export const noVad: Vad = {
	async search() {
		let total = 0;
		return {
			async hear(samples, last) {
				total += samples.length;
				const settled = total / sampleRate;
				return { spans: last ? [{ start: 0, end: settled }] : [], openSince: last ? null : 0, settled };
			},
			close: async () => {},
		};
	},
	close: async () => {},
};

/** What TEN VAD's loader wants of the metadata, and how many numbers of each. */
const tenLists = { mean: 41, inv_stddev: 41, window: 768 } as const;

/** Samples that each window of Silero keeps of the one before, from v5 on; files of v4 have an output more. */
const sileroOverlap = 64;

/** What finds speech with a file. Throws `model_load_failed`. */
async function networkOf(libraryDir: string, file: string): Promise<SpeechNetwork | SherpaDetector> {
	const { shape, place, graph } = await read(file).catch((thrown: unknown) => {
		const why = thrown instanceof Error ? thrown.message : String(thrown);
		throw new EarshotError(
			'model_load_failed',
			`the model that finds speech cannot be used: ${file}: ${why}; give another with --vad-model, or leave that out`,
			{ cause: thrown },
		);
	});
	const sherpa = { libraryDir, path: file, ...shape };
	if (graph === undefined) return sherpa;
	// Where ONNX Runtime is not in a file of its own, sherpa-onnx finds the same spans, only slower.
	return addon()
		.loadSpeechNetwork({ library: runtimeFile(libraryDir), graph, folder: path.dirname(place) })
		.catch(() => sherpa);
}

/** Throws NotOnnx, or the error of the file system. */
async function read(file: string) {
	const shape = shapeOf(await readOnnx(file));
	// ONNX Runtime follows no link out of the folder.
	const place = await realpath(file);
	const graph =
		shape.overlap === 0 ? undefined : sileroGraph(onnxNodes(await readFile(place)), path.basename(place));
	return { shape, place, graph };
}

/** sherpa-onnx ends the process on a network that it does not know. Throws NotOnnx. */
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
