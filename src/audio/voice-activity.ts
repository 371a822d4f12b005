/** Where in a recording somebody speaks: Silero through sherpa-onnx. */

import path from 'node:path';
import type { VoiceActivity } from '../../binding.js';
import { addon, guarded, packageRoot } from '../engines/native.js';
import type { ChunkingOptions } from '../transcriber/transcriber.js';
import { sampleRate } from './audio.js';
import type { Span } from './split.js';

export type FindSpeech = (samples: Float32Array, options: ChunkingOptions) => Promise<Span[]>;

export interface SpeechFinder {
	readonly findSpeech: FindSpeech;
	close(): Promise<void>;
}

export const sileroPath = path.join(packageRoot, 'vendor', 'silero-vad', 'silero_vad_v6.onnx');

/** A word can be this short ("no"); shorter bursts are clicks. */
const minSpeechSeconds = 0.1;

/** Long stretches are cut by `splitSpans`, which knows the model's limit; the detector only needs an end. */
const maxSpeechSeconds = 600;

/** Settings seen most lately keep their detectors; each costs a few megabytes. */
const keptDetectors = 4;

export interface SpeechFinderOptions {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** Silero-like ONNX file. */
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
			guarded(() =>
				addon().loadVoiceActivity({
					libraryDir,
					path: modelPath,
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
			void stale.then((gone) => gone.close()).catch(() => {});
		}
		// A failed load is not kept: the next recording tries again.
		detector.catch(() => detectors.delete(key));
		return detector;
	}

	return {
		async findSpeech(samples, options) {
			const detector = await detectorFor(options);
			const offsets = await guarded(() => detector.detect(samples));
			const spans: Span[] = [];
			for (let at = 0; at + 1 < offsets.length; at += 2) {
				spans.push({ start: (offsets[at] ?? 0) / sampleRate, end: (offsets[at + 1] ?? 0) / sampleRate });
			}
			return spans;
		},
		async close() {
			const open = [...detectors.values()];
			detectors.clear();
			await Promise.allSettled(open.map(async (detector) => (await detector).close()));
		},
	};
}
