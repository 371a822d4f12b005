/** A clip: one stretch of a recording, the unit of scheduling, and what a model makes of it. */

import type { RemovedRepetition, TokenLogprob, Word } from './transcript.js';

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
	readonly removedRepetitions?: readonly RemovedRepetition[];
}
