/**
 * Live transcription: what goes into a live stream and what comes out of it. A stream is audio without an end, cut into
 * turns; each turn becomes one text. The same interface holds for a loaded model in this process, for one in a runner
 * process, and for whatever speaks to clients: a realtime session, the library, another protocol.
 */

import type { EarshotError } from '../errors.js';
import type { RecognizeOptions } from '../speech/options.js';
import type { TokenLogprob } from '../speech/transcript.js';

/** `pcm16`: signed, little-endian; the other two are G.711. All mono. */
export type PcmEncoding = 'pcm16' | 'pcmu' | 'pcma';

export interface LiveFormat {
	readonly encoding: PcmEncoding;
	/** Hz: a multiple of 25 from 8000 to 96,000. */
	readonly rate: number;
}

/** How voice activity cuts the audio into turns. */
export interface TurnRules {
	/** Speech probability above which a window counts as speech, above 0, at most 1. */
	readonly threshold: number;
	/** Audio kept before the speech of a turn, milliseconds. */
	readonly prefixPaddingMs: number;
	/** Silence that ends a turn, milliseconds. */
	readonly silenceDurationMs: number;
	/** Shorter silence that ends a turn whose text so far ends like a sentence, milliseconds; absent = the text plays no part. */
	readonly sentenceSilenceMs?: number;
}

export interface LiveOptions {
	readonly format: LiveFormat;
	/** null = turns end by `commit` alone. */
	readonly turns: TurnRules | null;
	readonly recognize: RecognizeOptions;
	/** Models that hear whole turns: transcribe a growing turn again and again while a slot is free, and tell what stays. */
	readonly partials: boolean;
}

/** Taken in order, each after the audio before it. */
export type LiveCommand =
	/** Bytes in the stream's format, any number of them. */
	| { readonly type: 'audio'; readonly bytes: Uint8Array }
	/** Ends the turn here. Answered by `committed` or `empty` with this number. */
	| { readonly type: 'commit'; readonly commit: number }
	/** Drops the audio of the turn that has not ended. Answered by `cleared` with this number. */
	| { readonly type: 'clear'; readonly clear: number }
	/** For the audio from here on; of a turn that has begun, `recognize` stays as it is. */
	| { readonly type: 'configure'; readonly options: LiveOptions }
	/** No more audio comes: ends the turn. Answered by `ended` after the last text. */
	| { readonly type: 'end' };

/**
 * Times are milliseconds of the stream's audio. Turns are numbered from 0, and are committed in this order; each committed
 * turn gets exactly one `completed` or `failed`, in the order of the turns, and no `delta` after that.
 */
export type LiveEvent =
	/** Everything up to here was taken in. `busyMs`: for how long the stream has kept all of the model busy since the last. */
	| { readonly type: 'heard'; readonly atMs: number; readonly busyMs?: number }
	/** By voice activity: a turn begins. */
	| { readonly type: 'started'; readonly turn: number; readonly atMs: number }
	/** By voice activity: its speech is over. `committed` follows. */
	| { readonly type: 'stopped'; readonly turn: number; readonly atMs: number }
	/** The turn has ended. `commit`: the number of the command that ended it. */
	| {
			readonly type: 'committed';
			readonly turn: number;
			readonly seconds: number;
			readonly commit?: number;
	  }
	/** There was nothing to commit: less than `minTurnSeconds`, or with voice activity no speech. */
	| { readonly type: 'empty'; readonly commit: number; readonly why: 'short' | 'silent' }
	/** `turn`: the one that was dropped, if any. */
	| { readonly type: 'cleared'; readonly clear: number; readonly turn?: number }
	/** More of the turn's text; also while somebody speaks. All of a turn joined are its text. */
	| { readonly type: 'delta'; readonly turn: number; readonly text: string }
	| ({ readonly type: 'completed'; readonly turn: number } & LiveText)
	| { readonly type: 'failed'; readonly turn: number; readonly error: EarshotError }
	/** What was asked for cannot be done, such as voice activity without a detector; the stream goes on without. */
	| { readonly type: 'refused'; readonly error: EarshotError }
	/** After `end`: nothing follows. */
	| { readonly type: 'ended' }
	/** The model's process is replaced, and this stream has nothing unfinished: nothing follows. Another is to be opened. */
	| { readonly type: 'moved' }
	/** The model's process has ended: nothing follows, and turns without a text get none. Another stream may be opened. */
	| { readonly type: 'lost'; readonly error: EarshotError };

export interface LiveText {
	readonly text: string;
	/** ISO 639-1 code (or the model's own); null where none is known. */
	readonly language: string | null;
	/** Of the turn's audio. */
	readonly seconds: number;
	/** Where they were asked for. */
	readonly logprobs?: readonly TokenLogprob[];
	/** Text that was told while speaking turned out otherwise, and was kept. */
	readonly revised: boolean;
}

export interface LiveStream {
	send(command: LiveCommand): void;
	/** Cancels what runs; no event follows. Safe to call twice. */
	close(): void;
}

/** A loaded model that hears live audio. */
export interface LiveTranscriber {
	/** Opens a stream; any number may be open. `take` gets its events in order, none before this returns. */
	listen(options: LiveOptions, take: (event: LiveEvent) => void): LiveStream;
}

/** Less audio is no turn, as with OpenAI. */
export const minTurnSeconds = 0.1;

/** Seconds that so many bytes last. */
export function secondsOfBytes(bytes: number, { encoding, rate }: LiveFormat): number {
	return bytes / (encoding === 'pcm16' ? 2 : 1) / rate;
}
