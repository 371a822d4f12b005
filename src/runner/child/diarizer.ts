/** Runs a diarization model in this process: it determines who speaks when, without a transcription. */

import { decoder } from '../../audio/decode.js';
import { slotsOf } from '../../core/config/resolve.js';
import { EarshotError } from '../../core/errors.js';
import type { PipelineEvent } from '../../core/speech/events.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import { loadSpeakerNetworks } from '../../diarization/networks.js';
import { diarizeRecording } from '../../diarization/recording.js';
import { Semaphore } from '../../diarization/semaphore.js';
import type { Engine } from '../../engines/engine.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import { diarizationCapabilities } from '../../models/types/capabilities.js';
import type { PipelineHooks } from '../../pipeline/parts.js';
import type { RunnerSettings } from '../settings.js';

/** Yields the events of one recording. */
export type RunRecording = (
	recording: Recording,
	options: TranscribeOptions,
	signal: AbortSignal,
	hooks: PipelineHooks,
) => AsyncGenerator<PipelineEvent>;

export interface OpenedDiarizer {
	readonly run: RunRecording;
	/** For the scheduler, which never receives a clip of this model. */
	readonly engine: Engine;
}

/** Largest scaled mean distance between segments of the same speaker. Tuned for CAM++, for which 0.28 to 0.38 give
 * equal results. */
const defaultThreshold = 0.33;

/** `libraryDir`: folder of the sherpa-onnx libraries. Throws `model_load_failed` or `engine_missing`. */
export async function loadDiarizer(
	{ id, type, files, options }: ModelEntry,
	settings: RunnerSettings,
	libraryDir: string,
): Promise<OpenedDiarizer> {
	const networks = await loadSpeakerNetworks({
		segmentation: files.segmentation ?? '',
		embedding: files.embedding ?? '',
		libraryDir,
		threads: 1,
	});
	const slots = slotsOf(settings);
	const parts = {
		networks,
		openAudio: decoder({ maxAudioSeconds: settings.maxAudioSeconds }),
		threshold: Number(options.threshold ?? defaultThreshold),
		semaphore: new Semaphore(slots),
	};
	const info: ModelInfo = {
		id,
		engine: 'onnxruntime',
		type,
		device: 'CPU',
		capabilities: diarizationCapabilities,
	};
	return {
		run: (recording, { speakers = { known: [] } }, signal, hooks) =>
			diarizeRecording(parts, recording, speakers, signal, {
				onRunning: (step) => hooks.onRunning?.(step, 0),
				onStepFinished: (step) => {
					hooks.onEnded?.(step, true);
					hooks.onStepFinished?.(step);
				},
			}),
		engine: silent(info, slots, () => networks.close()),
	};
}

/** An engine that rejects every clip. */
function silent(info: ModelInfo, slots: number, close: () => Promise<void>): Engine {
	return {
		info,
		limits: {
			slots,
			prioritySlot: false,
			maxClipThreads: 1,
			maxBatchClips: 1,
			maxBatchSeconds: 30,
			padded: false,
			maxClipSeconds: 30,
			minClipSeconds: 0,
			mergeGapSeconds: 0,
		},
		run: ({ clips }) =>
			clips.map(() => Promise.reject(new EarshotError('internal', `\`${info.id}\` transcribes nothing`))),
		close,
	};
}
