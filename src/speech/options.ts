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
	/** With `words`: a model file that gives none is no failure. */
	readonly wordsOptional?: boolean;
	readonly logprobs: boolean;
}

/** How a Whisper model searches for the text, and what it makes of an unlikely one; an absent field is as the model is set. */
export interface DecodingOptions {
	/** Texts that are followed at once; 1 = greedy search, `auto` = as many as are worth their time for each clip. */
	readonly beamSize?: number | 'auto';
	/** Temperature increase at each retry of a clip; 0 = no retry. */
	readonly temperatureIncrement?: number;
	/** A clip is decoded again below this average log-probability, -100 to 0, */
	readonly logprobThreshold?: number;
	/** or where length and compressed length of its text have more than this ratio, 1 to 100. */
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

/** `mix`: all channels as one; `split`: each by itself, with its segments marked. */
export const channelModes = ['mix', 'split'] as const;

export type ChannelMode = (typeof channelModes)[number];

/** Recordings with more channels are refused where each is transcribed by itself. */
export const maxSplitChannels = 8;

/** How a recording is cut. Where clips begin and end depends on the recording, its options and the model alone. */
export interface CutOptions {
	/** Where the files of groups are written; their names are new. */
	readonly folder: string;
	/** A group ends with the clip that makes it at least so long, of audio. */
	readonly seconds: number;
	/** Groups before this one are told without a file. */
	readonly first: number;
}

/** What is done of a recording where that is not all of it: it is cut, or it is the file of a group. */
export type PieceOfWork = ({ readonly kind: 'cut' } & CutOptions) | { readonly kind: 'group' };

export interface TranscribeOptions extends RecognizeOptions {
	readonly chunking: ChunkingOptions;
	/** Seconds of the recording, in order, that no clip goes across; absent = none. */
	readonly breaks?: readonly number[];
	/** Absent = `mix`. */
	readonly channels?: ChannelMode;
	/** Waits for recordings of others from its first clip, not only after `interactiveSeconds` of it. */
	readonly background?: boolean;
	/** Of diarization models, which use nothing else. */
	readonly speakers?: SpeakerOptions;
	/** Absent = the recording is transcribed, all of it. */
	readonly piece?: PieceOfWork;
}

/** For models that use none of them. */
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
