/** Where in a recording somebody speaks: Silero or TEN through sherpa-onnx. */

import path from 'node:path';
import type { VoiceActivity, VoiceActivityLoad } from '../../binding.js';
import { addon, guarded, packageRoot } from '../engines/native.js';
import { readOnnx } from '../engines/onnx-file.js';
import { EarshotError } from '../errors.js';
import type { ChunkingOptions } from '../transcriber/transcriber.js';
import { sampleRate } from './audio.js';
import type { Heard, Span } from './split.js';

/** A search through one recording. One call at a time. */
export interface SpeechSearch {
	/** The next samples, as many as there are at hand; `last`: the recording ends with them. */
	hear(samples: Float32Array, last: boolean): Promise<Heard>;
	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void>;
}

export type SearchSpeech = (options: ChunkingOptions) => Promise<SpeechSearch>;

export interface SpeechFinder {
	readonly search: SearchSpeech;
	/** Searches that are open go on. */
	close(): Promise<void>;
}

export const sileroPath = path.join(packageRoot, 'vendor', 'silero-vad', 'silero_vad_v6.onnx');

/** A word can be this short ("no"); shorter bursts are clicks. */
const minSpeechSeconds = 0.1;

/** Long stretches are cut by `Splitter`, which knows the model's limit; the detector only needs an end. */
const maxSpeechSeconds = 600;

/** Settings seen most lately keep their detectors; each costs a few megabytes. */
const keptDetectors = 4;

export interface SpeechFinderOptions {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** ONNX file in the shape of Silero's or TEN's. */
	readonly modelPath: string;
}

export function speechFinder({ libraryDir, modelPath }: SpeechFinderOptions): SpeechFinder {
	const detectors = new Map<string, Promise<VoiceActivity>>();

	function detectorFor({ threshold, silenceDurationMs }: ChunkingOptions): Promise<VoiceActivity> {
		const key = `${threshold} ${silenceDurationMs}`;
		const found = detectors.get(key);
		detectors.delete(key);
		const detector =
			found ??
			guarded(async () =>
				addon().loadVoiceActivity({
					libraryDir,
					path: modelPath,
					...(await networkOf(modelPath)),
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
		// A failed load is not kept: the next recording tries again.
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
export const everythingIsSpeech: SpeechFinder = {
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

/** Samples that each window of Silero keeps of the one before, from v5 on; v4 has an input more instead. */
const sileroOverlap = 64;

/** The library ends the process on a detector that it does not know. Throws `model_load_failed`. */
async function networkOf(file: string): Promise<Pick<VoiceActivityLoad, 'ten' | 'overlap'>> {
	const refuse = (why: string, cause?: unknown) =>
		new EarshotError(
			'model_load_failed',
			`the model that finds speech cannot be used: ${file}: ${why}; give another with --vad-model, or leave that out`,
			{ cause },
		);
	const { metadata, inputs, outputs } = await readOnnx(file).catch((thrown: unknown) => {
		throw refuse(thrown instanceof Error ? thrown.message : String(thrown), thrown);
	});
	if (metadata.get('model_type') === 'ten-vad') {
		for (const [key, count] of Object.entries(tenLists)) {
			if (metadata.get(key)?.split(',').length !== count)
				throw refuse(`its metadata should have ${count} numbers in \`${key}\``);
		}
		return { ten: true, overlap: 0 };
	}
	if (inputs[0]?.shape?.length !== 2 || inputs.length < 3 || outputs.length < 2)
		throw refuse('it has the inputs and outputs of neither Silero nor TEN');
	return { ten: false, overlap: inputs.length === 3 ? sileroOverlap : 0 };
}
