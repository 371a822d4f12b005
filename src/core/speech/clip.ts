/** A clip (one stretch of a recording, the unit of scheduling) and its result. */

import type { Stretch, TokenLogprob, Word } from './transcript.js';

/** One stretch of a recording, the unit of scheduling. */
export interface Clip {
	/** 16 kHz mono f32, at most `maxClipSeconds`. */
	readonly samples: Float32Array;
	/** Position in the recording, in seconds. */
	readonly start: number;
	readonly end: number;
	/** The channel that the clip belongs to, from 0; absent unless channels are transcribed separately. */
	readonly channel?: number;
	/** Detected speech in the clip, seconds of the recording, in order; absent without voice activity detection. */
	readonly speech?: readonly Stretch[];
}

/** Times are seconds from the start of the clip. */
export interface ClipSegment {
	readonly start: number;
	readonly end: number;
	readonly text: string;
	/** Start of the decode window it came from; absent = the clip's start. */
	readonly seek?: number;
	/** Token ids as OpenAI's Whisper returns them: with the timestamp tokens around the text, if the model has any. */
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
	/** null where the model does not report one. */
	readonly language: string | null;
	/** Empty where the clip contains no speech. */
	readonly segments: readonly ClipSegment[];
	/** Where the model repeated itself in a loop and the repetition was removed. */
	readonly removedRepetitions?: readonly Stretch[];
}
