/** The interface of an engine: what the scheduler may hand to a loaded model, and within which limits. */

import type { Clip, ClipResult } from '../speech/clip.js';
import type { ModelInfo } from '../speech/model-info.js';
import type { RecognizeOptions } from '../speech/options.js';

/** Facts of the loaded model that bound how clips are cut and batched. */
export interface Limits {
	/** Batches that may run at once. */
	readonly slots: number;
	/** Whether one more may run beside them, for a short clip that would wait behind long ones. */
	readonly prioritySlot: boolean;
	/** Threads that one clip can make use of; 1 where the library's are fixed when it is loaded. */
	readonly maxClipThreads: number;
	/** 1 where the library would only loop over the clips. */
	readonly maxBatchClips: number;
	/** Ceiling on the cost of a batch in audio seconds: longest × count where `padded`, else the sum. */
	readonly maxBatchSeconds: number;
	readonly padded: boolean;
	/** No clip is longer. */
	readonly maxClipSeconds: number;
	/** Shorter clips are lengthened with silence before they reach the model. */
	readonly minClipSeconds: number;
	/** Speech spans nearer to each other than this go into one clip. */
	readonly mergeGapSeconds: number;
}

export interface Batch {
	/** At most `maxBatchClips`. */
	readonly clips: readonly Clip[];
	readonly options: RecognizeOptions;
	/** Threads each clip may use, >= 1. */
	readonly threads: number;
	/** 0 … `slots`, which is the priority slot; absent = 0. */
	readonly slot?: number;
	/** Part of a long recording: where there are more threads than cores, others go before it. */
	readonly background?: boolean;
}

export interface Engine {
	readonly info: ModelInfo;
	readonly limits: Limits;
	/**
	 * A promise for each clip, in order, which settles when that clip is done; the slot is free when all have settled.
	 * They reject with EarshotError only: `cancelled` soon after the clip's own of `signals` fires, while the others go on.
	 */
	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[];
	/** Whether clips of one thread go together with those of the same options that their slot is at work on, and gain by
	 * it; absent = no. */
	joins?(options: RecognizeOptions): boolean;
	/** Waits for running batches, then frees the model. Safe to call twice. */
	close(): Promise<void>;
}

/** What was heard since the last endpoint. Times are seconds from the start of the stream. */
export interface PartialResult {
	readonly result: ClipResult;
	/** Somebody has stopped speaking: `result` is final, and the next one begins anew. */
	readonly endpoint: boolean;
}

/** Somebody who speaks, for any time. One call at a time. */
export interface SpeechStream {
	/** 16 kHz mono f32; `last`: nothing follows, and the result is final. Rejects with EarshotError only. */
	feed(samples: Float32Array, last: boolean): Promise<PartialResult>;
	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void>;
}

/** A model that hears while somebody speaks. */
export interface StreamingEngine extends Engine {
	/** Any number at once, beside the clips in the slots. */
	stream(options: RecognizeOptions): SpeechStream;
}

export function isStreaming(engine: Engine): engine is StreamingEngine {
	return 'stream' in engine;
}
