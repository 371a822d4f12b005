/** What the scheduler and the edges must know of a loaded model, whichever library runs it. */

import type { Cut, TokenLogprob, Word } from '../speech/transcript.js';

/** Facts of the loaded model that bound how clips are cut and batched. */
export interface Limits {
	/** Batches that may run at once. */
	readonly lanes: number;
	/** Whether one more may run beside them, for a short clip that would wait behind long ones. */
	readonly expressLane: boolean;
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

/** What the model can do. A request that asks for more is refused, naming the field. */
export interface Capabilities {
	/** Codes that `language` may have; null = any, the model takes no notice or knows no list. */
	readonly languages: readonly string[] | null;
	/** Whether `language` in the request makes a difference. */
	readonly choosesLanguage: boolean;
	/** Whether detection can be limited to several languages. */
	readonly choosesAmongLanguages: boolean;
	/** Whether the result tells the language. */
	readonly detectsLanguage: boolean;
	readonly translates: boolean;
	readonly prompt: boolean;
	readonly keywords: boolean;
	/** Whether a temperature other than 0 means anything. */
	readonly temperature: boolean;
	/** Real times for words. */
	readonly words: boolean;
	readonly logprobs: boolean;
	readonly noSpeechProb: boolean;
}

export interface ModelFacts {
	readonly id: string;
	/** The library: `whisper.cpp` or `sherpa-onnx`. */
	readonly engine: string;
	/** The `type` of models.yaml, e.g. `sense_voice`, `whisper_cpp`. */
	readonly type: string;
	/** What the weights run on, e.g. `CPU`. */
	readonly device: string;
	/** Of Whisper models: what encodes, and if need be why. */
	readonly encoder?: string;
	/** Of Whisper models: the type of the decoder's weights, e.g. `f16`. */
	readonly decoder?: string;
	readonly capabilities: Capabilities;
}

/** What one request asks of the model; the same for all its clips. Already checked against Capabilities. */
export interface RecognizeOptions {
	readonly task: 'transcribe' | 'translate';
	/** null = let the model detect, or use its only one. */
	readonly language: string | null;
	/** What detection chooses among; absent = all. */
	readonly languages?: readonly string[];
	readonly prompt: string;
	readonly keywords: readonly string[];
	/** 0..1. */
	readonly temperature: number;
	readonly words: boolean;
	readonly logprobs: boolean;
}

/** One stretch of a recording, the only thing ever scheduled. */
export interface Clip {
	/** 16 kHz mono f32, at most `maxClipSeconds`. */
	readonly samples: Float32Array;
	/** Position in the recording, in seconds. */
	readonly start: number;
	readonly end: number;
}

/** Times are seconds from the start of the clip. */
export interface ClipSegment {
	readonly start: number;
	readonly end: number;
	readonly text: string;
	/** Start of the window that the model decoded it in; absent = the clip's start. */
	readonly seek?: number;
	/** As OpenAI's Whisper has them: with the timestamps around the text, where the model has any. */
	readonly tokens: readonly number[];
	readonly temperature: number;
	readonly avgLogprob: number | null;
	readonly noSpeechProb: number | null;
	readonly words?: readonly Word[];
	readonly logprobs?: readonly TokenLogprob[];
	readonly emotion?: string;
	readonly event?: string;
}

export interface ClipResult {
	/** null where the model does not tell. */
	readonly language: string | null;
	/** Empty where nothing was said. */
	readonly segments: readonly ClipSegment[];
	/** Where the model went round in circles and the repetition was cut out. */
	readonly cuts?: readonly Cut[];
}

export interface Batch {
	/** At most `maxBatchClips`. */
	readonly clips: readonly Clip[];
	readonly options: RecognizeOptions;
	/** Threads each clip may use, >= 1. */
	readonly threads: number;
	/** 0 … `lanes`, which is the express lane; absent = 0. */
	readonly lane?: number;
	/** Part of a long recording: where there are more threads than cores, others go before it. */
	readonly background?: boolean;
}

export interface Engine {
	readonly facts: ModelFacts;
	readonly limits: Limits;
	/**
	 * A promise for each clip, in order, which settles when that clip is done; the lane is free when all have settled.
	 * They reject with EarshotError only: `cancelled` soon after the clip's own of `signals` fires, while the others go on.
	 */
	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[];
	/** Whether clips of one thread go together with those of the same options that their lane is at work on, and gain by
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
	/** Any number at once, beside the clips in the lanes. */
	stream(options: RecognizeOptions): SpeechStream;
}

export function isStreaming(engine: Engine): engine is StreamingEngine {
	return 'stream' in engine;
}
