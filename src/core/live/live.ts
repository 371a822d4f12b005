/**
 * The interface of live transcription: the commands of a live stream and its events. A stream is continuous audio,
 * divided into turns; each turn yields one text. A model in this process and one in a runner process implement the same
 * interface; realtime sessions, the library and other protocols use it.
 */

import type { EarshotError } from '../errors.js';
import { defaultChunking, type RecognizeOptions } from '../speech/options.js';
import type { TokenLogprob } from '../speech/transcript.js';

/** `pcm16`: 16 bits, signed, little-endian; `pcmu`, `pcma`: G.711. All are mono. */
export type PcmEncoding = 'pcm16' | 'pcmu' | 'pcma';

export interface LiveFormat {
	readonly encoding: PcmEncoding;
	/** Hz, one of `liveRates`. */
	readonly rate: number;
}

/** How voice activity detection divides the audio into turns. */
export interface TurnRules {
	/** Speech probability above which a window counts as speech, above 0, at most 1. */
	readonly threshold: number;
	/** Audio kept before the speech of a turn, milliseconds. */
	readonly prefixPaddingMs: number;
	/** Silence that ends a turn, milliseconds. */
	readonly silenceDurationMs: number;
	/** Shorter silence that ends a turn whose text so far ends like a sentence, ms; absent = the text is ignored. */
	readonly sentenceSilenceMs?: number;
}

/** At a threshold of 0, voice activity detectors classify everything as speech, so turns would never end. */
export const minVoiceThreshold = 0.01;

/** OpenAI's, too. */
export const defaultTurns: TurnRules = { ...defaultChunking, silenceDurationMs: 500 };

export interface LiveOptions {
	readonly format: LiveFormat;
	/** null = only `commit` ends turns. */
	readonly turns: TurnRules | null;
	readonly recognize: RecognizeOptions;
	/** Models without streaming: transcribe a growing turn repeatedly while a slot is free, and publish stable text. */
	readonly partials: boolean;
}

/** Commands are processed in order, each after the audio before it. */
export type LiveCommand =
	/** Any number of bytes in the stream's format. */
	| { readonly type: 'audio'; readonly bytes: Uint8Array }
	/** Ends the turn here. The response is `committed` or `empty` with this number. */
	| { readonly type: 'commit'; readonly commit: number }
	/** Discards the audio of the open turn. The response is `cleared` with this number. */
	| { readonly type: 'clear'; readonly clear: number }
	/** Applies to the audio from here on; an open turn keeps its `recognize` options. The response is
	 * `configured` with this number. */
	| { readonly type: 'configure'; readonly configure: number; readonly options: LiveOptions }
	/** Ends the audio and the open turn. The response is `ended`, after the last text. */
	| { readonly type: 'end' };

/**
 * Times are milliseconds of the stream's audio. Turns are numbered from 0 and committed in this order. Each committed
 * turn has exactly one `completed` or `failed`, in the order of the turns, and no `delta` after that.
 */
export type LiveEvent =
	/** The audio up to `atMs` was processed. `busyMs`: model time that the stream has used since the previous `processed`, as
	 * milliseconds of the whole model. */
	| { readonly type: 'processed'; readonly atMs: number; readonly busyMs?: number }
	/** Voice activity detection has started a turn. */
	| { readonly type: 'started'; readonly turn: number; readonly atMs: number }
	/** Voice activity detection has found the end of the turn's speech. `committed` follows. */
	| { readonly type: 'stopped'; readonly turn: number; readonly atMs: number }
	/** The turn has ended. `commit`: the number of the command that ended it. */
	| {
			readonly type: 'committed';
			readonly turn: number;
			readonly seconds: number;
			readonly commit?: number;
	  }
	/** There was nothing to commit: less than `minTurnSeconds` of audio, or no speech was detected. */
	| { readonly type: 'empty'; readonly commit: number; readonly why: 'short' | 'silent' }
	/** `turn`: the discarded one, if any. `clear` is absent if `configure` caused it: when voice activity detection is
	 * turned on, the audio before counts as silence. */
	| { readonly type: 'cleared'; readonly clear?: number; readonly turn?: number }
	/** The options apply. */
	| { readonly type: 'configured'; readonly configure: number }
	/** More of the turn's text, possibly during speech. The deltas of a turn joined are its text. */
	| { readonly type: 'delta'; readonly turn: number; readonly text: string }
	| ({ readonly type: 'completed'; readonly turn: number } & LiveText)
	| { readonly type: 'failed'; readonly turn: number; readonly error: EarshotError }
	/** An option is not supported, such as turn detection without a detector; the stream continues without it. */
	| { readonly type: 'refused'; readonly error: EarshotError }
	/** The response to `end`. It is the last event. */
	| { readonly type: 'ended' }
	/** The last event: the model's process is being replaced, and this stream has no unfinished turn. The caller opens a
	 * new stream. */
	| { readonly type: 'moved' }
	/** The last event: the model's process has ended, and unfinished turns get no text. The caller may open a stream. */
	| { readonly type: 'lost'; readonly error: EarshotError };

export interface LiveText {
	readonly text: string;
	/** ISO 639-1 code, or the model's own code; null if unknown. */
	readonly language: string | null;
	/** Length of the turn's audio. */
	readonly seconds: number;
	/** Present if the options request them. */
	readonly logprobs?: readonly TokenLogprob[];
	/** The final transcription contradicts deltas published during speech; `text` keeps those deltas. */
	readonly revised: boolean;
}

export interface LiveStream {
	send(command: LiveCommand): void;
	/** Cancels the stream's work; no event follows. Safe to call twice. */
	close(): void;
}

/** A loaded model that accepts live audio. */
export interface LiveTranscriber {
	/** Opens a stream; any number may be open. `take` receives its events in order, after this call has returned. */
	listen(options: LiveOptions, take: (event: LiveEvent) => void): LiveStream;
}

/** Minimum length of a turn, the same as OpenAI's. */
export const minTurnSeconds = 0.1;

/** Duration of this many bytes of audio, seconds. */
export function secondsOfBytes(bytes: number, { encoding, rate }: LiveFormat): number {
	return bytes / (encoding === 'pcm16' ? 2 : 1) / rate;
}
