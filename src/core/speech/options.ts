/** The options of a transcription request. */

import type { SpeakerOptions } from './speakers.js';

/** Options for the model, the same for all clips of a request. Already checked against Capabilities. */
export interface RecognizeOptions {
	readonly task: 'transcribe' | 'translate';
	/** null = the model detects it, or uses its only one. */
	readonly language: string | null;
	/** Candidates for language detection; absent = all. */
	readonly languages?: readonly string[];
	readonly prompt: string;
	readonly keywords: readonly string[];
	/** 0..1. */
	readonly temperature: number;
	/** Absent = as the model is set. */
	readonly decoding?: DecodingOptions;
	readonly words: boolean;
	/** With `words`: do not fail if the model gives no word timestamps. */
	readonly wordsOptional?: boolean;
	readonly logprobs: boolean;
}

/** How a Whisper model searches for the text, and when it retries or drops an unlikely one; absent fields use the
 * model's settings. */
export interface DecodingOptions {
	/** Beam size: candidate texts kept during the search; 1 = greedy search, `auto` = chosen for each clip. */
	readonly beamSize?: number | 'auto';
	/** Temperature increase at each retry of a clip; 0 = no retry. */
	readonly temperatureIncrement?: number;
	/** A clip is decoded again if the average log-probability of its text is below this, -100 to 0. */
	readonly logprobThreshold?: number;
	/** A clip is decoded again if the compression ratio of its text is above this, 1 to 100. */
	readonly compressionRatioThreshold?: number;
	/** Above this probability of no speech, 0 to 1, an unlikely text is dropped instead. */
	readonly noSpeechThreshold?: number;
}

/** Voice activity detection, which decides where a recording is split. Named like OpenAI's `server_vad`. */
export interface ChunkingOptions {
	/** Speech probability above which a window counts as speech, 0..1; default 0.5; 0 = everything is speech. */
	readonly threshold: number;
	/** Audio kept before and after each stretch of speech, milliseconds, 0 or more; default 300. */
	readonly prefixPaddingMs: number;
	/** Silence that ends a stretch of speech, milliseconds, 0 or more; default 200. */
	readonly silenceDurationMs: number;
}

export const defaultChunking: ChunkingOptions = {
	threshold: 0.5,
	prefixPaddingMs: 300,
	silenceDurationMs: 200,
};

/** Disables voice activity detection: everything counts as speech. */
export const chunkingWithoutVad: ChunkingOptions = { ...defaultChunking, threshold: 0 };

export const channelModes = ['mix', 'split'] as const;

/** `mix`: all channels as one; `split`: each by itself, with its segments marked. */
export type ChannelMode = (typeof channelModes)[number];

/** Recordings with more channels are refused where each is transcribed by itself. */
export const maxSplitChannels = 8;

/** How a recording is cut into groups. Where clips begin and end depends only on the recording, its options and the
 * model. */
export interface CutOptions {
	/** Folder that the files of groups are written to, under unique names. */
	readonly folder: string;
	/** A group ends with the clip that brings it to at least this much audio. */
	readonly seconds: number;
	/** Groups with a lower index are reported without a file. */
	readonly first: number;
}

/** A part of the work on a recording: cutting it into groups, or transcribing the file of one group. */
export type PieceOfWork = ({ readonly kind: 'cut' } & CutOptions) | { readonly kind: 'group' };

export interface TranscribeOptions extends RecognizeOptions {
	readonly chunking: ChunkingOptions;
	/** Times that no clip may span, seconds of the recording, in order; absent = none. */
	readonly breaks?: readonly number[];
	/** Absent = `mix`. */
	readonly channels?: ChannelMode;
	/** The recording has background priority from its first clip, not only after `interactiveSeconds` of it. */
	readonly background?: boolean;
	/** The only options that diarization models use. */
	readonly speakers?: SpeakerOptions;
	/** Absent = the whole recording is transcribed. */
	readonly piece?: PieceOfWork;
}

/** Defaults, for models that use none of the options. */
export const noOptions: TranscribeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
	chunking: defaultChunking,
};
