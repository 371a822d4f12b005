/** What a recording turned into. Times are seconds from the start of the recording. */

import type { Timing } from './timing.js';

export interface Word {
	/** Without surrounding white space. */
	readonly word: string;
	/** Seconds of the recording. */
	readonly start: number;
	/** Seconds of the recording, `start` or later. */
	readonly end: number;
	/** 0..1; absent where the model gives none. */
	readonly probability?: number;
}

export interface TokenLogprob {
	/** The token's text, which may be part of a character: see `bytes`. */
	readonly token: string;
	/** Natural logarithm of its probability, 0 or less. */
	readonly logprob: number;
	/** The token's UTF-8 bytes. */
	readonly bytes: readonly number[];
}

export interface Segment {
	/** Position in the transcript, from 0. */
	readonly id: number;
	/** Seconds of the recording. */
	readonly start: number;
	/** Seconds of the recording, `start` or later. */
	readonly end: number;
	/** As the model writes it, with the leading space that joins it to the segment before. */
	readonly text: string;
	/** Start of the clip that the segment is from, in units of 10 ms: OpenAI's `seek`. */
	readonly seek: number;
	/** Ids in the model's vocabulary; empty where it gives none. */
	readonly tokens: readonly number[];
	/** 0..1: at which it was decoded, which may be higher than asked for where that failed. */
	readonly temperature: number;
	/** Mean natural logarithm of the tokens' probabilities, 0 or less; null where the model gives none. */
	readonly avgLogprob: number | null;
	/** Length of the text's UTF-8 over its zlib-compressed length, as in OpenAI's Whisper. */
	readonly compressionRatio: number;
	/** Probability that there is no speech, 0..1; null where the model does not estimate it. */
	readonly noSpeechProb: number | null;
	/** Only where the model gives real times and the request asked for words. */
	readonly words?: readonly Word[];
	/** Only where the model gives them and the request asked. */
	readonly logprobs?: readonly TokenLogprob[];
	/** Absent where speakers are not told apart. */
	readonly speaker?: string;
	/** SenseVoice's tags, e.g. `NEUTRAL` and `Speech`. */
	readonly emotion?: string;
	/** Likewise. */
	readonly event?: string;
}

/** Where the model repeated itself without end: the first round is in the text, the rest was removed. Seconds. */
export interface RemovedRepetition {
	readonly start: number;
	readonly end: number;
}

/** `translate`: into English. */
export type Task = 'transcribe' | 'translate';

export interface Transcript {
	readonly task: Task;
	/** Id of the model that made it. */
	readonly model: string;
	/** ISO 639-1 code (or the model's own); null where nobody said and the model does not tell. */
	readonly language: string | null;
	/** Seconds of the recording. */
	readonly duration: number;
	/** All segments joined, trimmed. */
	readonly text: string;
	readonly segments: readonly Segment[];
	/** Removed repetitions, in order; absent where there is none. */
	readonly removedRepetitions?: readonly RemovedRepetition[];
}

/** What `transcribe` yields, in this order: one `started`, any number of `segments`, one `done`. */
export type TranscriptEvent =
	/** Something could be decoded. Seconds as the container declares them, often wrong but for short recordings; null
	 * where it does not. */
	| { readonly type: 'started'; readonly duration: number | null }
	/** The next clip of the recording is finished; clips arrive in the order of the recording. */
	| {
			readonly type: 'segments';
			readonly segments: readonly Segment[];
			readonly language: string | null;
			/** Seconds of the recording that are done. */
			readonly processed: number;
	  }
	| { readonly type: 'done'; readonly transcript: Transcript; readonly timing?: Timing };

export function joinText(segments: readonly Segment[]): string {
	return segments
		.map((segment) => segment.text)
		.join('')
		.trim();
}
