/** The transcript of a recording. Times are seconds from the start of the recording. */

import type { FoundSpeakers } from './speakers.js';
import type { Timing } from './timing.js';

/** A word and its times. */
export interface Word {
	/** Without surrounding white space. */
	readonly word: string;
	/** Seconds of the recording. */
	readonly start: number;
	/** Seconds of the recording, `start` or later. */
	readonly end: number;
	/** 0..1; absent where the model gives none. */
	readonly probability?: number;
	/** Absent without diarization. */
	readonly speaker?: string;
}

/** A token of the model and how likely it was. */
export interface TokenLogprob {
	/** The token's text, which may be part of a character: see `bytes`. */
	readonly token: string;
	/** Natural logarithm of its probability, 0 or less. */
	readonly logprob: number;
	/** The token's UTF-8 bytes. */
	readonly bytes: readonly number[];
}

/** A stretch of the transcript, such as a sentence. */
export interface Segment {
	/** Position in the transcript, from 0. */
	readonly id: number;
	/** Seconds of the recording. */
	readonly start: number;
	/** Seconds of the recording, `start` or later. */
	readonly end: number;
	/** As the model writes it, with the leading space that separates it from the segment before. */
	readonly text: string;
	/** Start of the decode window that the segment came from, in units of 10 ms: OpenAI's `seek`. */
	readonly seek: number;
	/** Ids in the model's vocabulary; empty where it gives none. */
	readonly tokens: readonly number[];
	/** Temperature at which it was decoded, 0..1; higher than requested where decoding had to be retried. */
	readonly temperature: number;
	/** Mean natural logarithm of the tokens' probabilities, 0 or less; null where the model gives none. */
	readonly avgLogprob: number | null;
	/** Length of the text in UTF-8 divided by its zlib-compressed length, as in OpenAI's Whisper. */
	readonly compressionRatio: number;
	/** Probability that there is no speech, 0..1; null where the model does not estimate it. */
	readonly noSpeechProb: number | null;
	/** Present if the request asked for words and the model has word timestamps. */
	readonly words?: readonly Word[];
	/** Present if the request asked for them and the model gives them. */
	readonly logprobs?: readonly TokenLogprob[];
	/** Absent without diarization. */
	readonly speaker?: string;
	/** The channel of the segment, from 0; present with `channels: 'split'`. */
	readonly channel?: number;
	/** SenseVoice's emotion tag, e.g. `NEUTRAL`. */
	readonly emotion?: string;
	/** SenseVoice's audio event tag, e.g. `Speech`. */
	readonly event?: string;
}

/** A stretch of the recording, seconds. */
export interface Stretch {
	/** Seconds of the recording. */
	readonly start: number;
	/** `start` or later. */
	readonly end: number;
}

/** Speech, by voice activity detection, for which the model returned no text. */
export interface Untranscribed extends Stretch {
	/** Present with `channels: 'split'`. */
	readonly channel?: number;
}

/**
 * The warnings that a transcript may have. `truncated_audio`: the file ends before its recording does, so that the rest
 * of it is missing. `removed_repetition`: the model repeated itself in a loop; the first round is kept, the rest was
 * removed.
 */
export const warningCodes = ['truncated_audio', 'removed_repetition'] as const;

/** What kind of warning it is: a recording that is cut off, or a loop of the model that was removed. */
export type WarningCode = (typeof warningCodes)[number];

/** A problem that the text itself does not show: part of it may be missing or wrong. */
export interface Warning {
	/** The kind of problem, for programs. */
	readonly code: WarningCode;
	/** A sentence to show to users. */
	readonly message: string;
	/** Start of the affected part, seconds of the recording; absent if it is the whole recording. */
	readonly start?: number;
	/** End of the affected part; absent if that is the end of the recording. */
	readonly end?: number;
}

/** `translate`: into English. */
export type Task = 'transcribe' | 'translate';

/** The text of a whole recording, and its segments. */
export interface Transcript {
	/** `translate`: the text is English, whatever was spoken. */
	readonly task: Task;
	/** Id of the model that made it. */
	readonly model: string;
	/** ISO 639-1 code (or the model's own); null where none was requested and the model reports none. */
	readonly language: string | null;
	/** Seconds of the recording. */
	readonly duration: number;
	/**
	 * All segments joined, trimmed; with `diarize` or `channels: 'split'` a line for each turn, such as `A: Hello.` or
	 * `Channel 0: Hello.`
	 */
	readonly text: string;
	/** In order of time; none for silence. */
	readonly segments: readonly Segment[];
	/** In order of time; absent where there is none. */
	readonly warnings?: readonly Warning[];
	/** Stretches of half a second or more, in order of time; absent if there are none, or without voice activity
	 * detection. */
	readonly untranscribed?: readonly Untranscribed[];
}

/** The events of `transcribe`, in this order: one `started`, any number of `segments`, one `done`. */
export type TranscriptEvent =
	/** The first block was decoded. `duration`: seconds as declared by the container, often wrong except for short
	 * recordings; null if it declares none. */
	| { readonly type: 'started'; readonly duration: number | null }
	/** The next clip has finished; clips arrive in the order of the recording. */
	| {
			readonly type: 'segments';
			readonly segments: readonly Segment[];
			readonly language: string | null;
			/** Seconds of the recording transcribed so far. */
			readonly processed: number;
	  }
	| {
			readonly type: 'done';
			readonly transcript: Transcript;
			readonly timing?: Timing;
			/** Only of a diarization model, whose transcript has no segments. */
			readonly found?: FoundSpeakers;
	  };

export function joinText(segments: readonly Segment[]): string {
	return segments
		.map((segment) => segment.text)
		.join('')
		.trim();
}

/** The label of a segment's speaker or channel; undefined without diarization and separate channels. */
export function labelOf({ speaker, channel }: Segment): string | undefined {
	return speaker ?? (channel === undefined ? undefined : `Channel ${channel}`);
}

/** The text of a transcript: all segments joined, with a line for each turn if speakers or channels are labelled. */
export function textOfAll(segments: readonly Segment[]): string {
	const turns: Segment[][] = [];
	for (const segment of segments) {
		const turn = turns.at(-1);
		if (turn?.[0] && labelOf(turn[0]) === labelOf(segment)) turn.push(segment);
		else turns.push([segment]);
	}
	const lines = turns.map((turn) => {
		const text = joinText(turn);
		const label = turn[0] && labelOf(turn[0]);
		return label === undefined || text === '' ? text : `${label}: ${text}`;
	});
	return lines.filter((line) => line !== '').join('\n');
}
