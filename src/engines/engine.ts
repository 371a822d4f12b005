/** The interface between the scheduler and a loaded model. */

import type { Clip, ClipResult } from '../core/speech/clip.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { RecognizeOptions } from '../core/speech/options.js';

/** Limits of the loaded model on the length and batching of clips. */
export interface Limits {
	/** Batches that may run at once. */
	readonly slots: number;
	/** Whether one more batch may run beside them, for a short clip that would otherwise wait for long ones. */
	readonly prioritySlot: boolean;
	/** Threads that one clip can use; 1 where the library fixes the number when it loads. */
	readonly maxClipThreads: number;
	/** 1 where the library cannot decode clips together and would only loop over them. */
	readonly maxBatchClips: number;
	/** Largest cost of a batch in audio seconds: longest × count where `padded`, else the sum. */
	readonly maxBatchSeconds: number;
	/** Whether the library pads the clips of a batch to the longest. */
	readonly padded: boolean;
	/** Recordings are split into clips of at most this length. */
	readonly maxClipSeconds: number;
	/** Shorter clips are padded with silence to this length. */
	readonly minClipSeconds: number;
	/** Speech spans separated by less than this are merged into one clip. */
	readonly mergeGapSeconds: number;
}

export interface Batch {
	/** At most `maxBatchClips`. */
	readonly clips: readonly Clip[];
	readonly options: RecognizeOptions;
	/** Threads for each clip, >= 1. */
	readonly threads: number;
	/** 0 … `slots`, where `slots` is the priority slot; absent = 0. */
	readonly slot?: number;
	/** Part of a long recording: runs at lower OS priority, so other clips go first when cores are short. */
	readonly background?: boolean;
}

export interface Engine {
	readonly info: ModelInfo;
	readonly limits: Limits;
	/**
	 * Returns one promise per clip, in order, which settles when that clip is done; the slot is free when all have
	 * settled. They reject with EarshotError only. `signals`: one per clip; when it fires, that clip soon rejects with
	 * `cancelled` and the others continue.
	 */
	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[];
	/** Continuous batching: whether a single-threaded clip may join running clips of equal options in their slot;
	 * absent = no. */
	batchesContinuously?(options: RecognizeOptions): boolean;
	/** Waits for running batches, then frees the model. Safe to call twice. */
	close(): Promise<void>;
}

/** Times are seconds from the start of the stream. */
export interface PartialResult {
	/** The utterances that ended within the samples, before what `result` is of; absent = none. */
	readonly ended?: readonly ClipResult[];
	/** The text since the last endpoint. */
	readonly result: ClipResult;
	/** The utterance has ended: `result` is final, and the next result starts empty. */
	readonly endpoint: boolean;
}

/** A live audio stream of any length. One call at a time. */
export interface SpeechStream {
	/** `samples`: 16 kHz mono f32. `last`: the stream ends here and the result is final. `silentSeconds`: of silence that it then
	 * ends with, as far as is known. Rejects with EarshotError only. */
	feed(samples: Float32Array, last: boolean, silentSeconds?: number): Promise<PartialResult>;
	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void>;
}

/** A model that transcribes live audio as it arrives. */
export interface StreamingEngine extends Engine {
	/** Any number of streams may be open at once, in addition to the clips in the slots. */
	stream(options: RecognizeOptions): SpeechStream;
}

export function isStreaming(engine: Engine): engine is StreamingEngine {
	return 'stream' in engine;
}
