/** The public exports of the package `earshot`. */

export { EarshotError, type ErrorCode, type ErrorDetails } from './core/errors.js';
export type { PcmEncoding } from './core/live/live.js';
export type { Capabilities, ModelInfo } from './core/speech/model-info.js';
export type { ChannelMode, ChunkingOptions } from './core/speech/options.js';
export type {
	Segment,
	Stretch,
	Task,
	TokenLogprob,
	Transcript,
	Untranscribed,
	Warning,
	WarningCode,
	Word,
} from './core/speech/transcript.js';
export { type FormatName, formatNames, type RenderOptions, render } from './formats/formats.js';
export type { Include } from './formats/include.js';
export type { SubtitleOptions, SubtitlePreset } from './formats/subtitles/options.js';
export { createTranscriber } from './library/create.js';
export type { ListenEvent, ListenStream, TurnText } from './library/listen.js';
export type { ListenOptions, ListenTurns } from './library/listen-options.js';
export type {
	CallOptions,
	CreateOptions,
	DiarizeOptions,
	RequestOptions,
	TranscriptionProgress,
} from './library/options.js';
export type { Source } from './library/source.js';
export type { NamedTurn, SpeakerTurns } from './library/speaker-turns.js';
export type { Stream } from './library/spool.js';
export type { EarshotTranscriber } from './library/transcriber.js';
export type { Pcm } from './library/wav.js';
