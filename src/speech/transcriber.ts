/** What everyone above the engines speaks to: a loaded model that turns recordings into transcripts. */

import type { ModelFacts, RecognizeOptions } from '../engines/engine.js';
import type { TranscriptEvent } from './transcript.js';

/** Bytes in any container, or a file that stays in place until the call ends. */
export type Recording = { readonly bytes: Uint8Array } | { readonly path: string };

/** How a recording is searched for speech and cut; the defaults are OpenAI's `server_vad` names with our values. */
export interface ChunkingOptions {
	/** Speech probability above which a window counts as speech, 0..1. */
	readonly threshold: number;
	/** Kept before and after each stretch of speech. */
	readonly prefixPaddingMs: number;
	/** Silence that ends a stretch of speech. */
	readonly silenceDurationMs: number;
}

export const defaultChunking: ChunkingOptions = {
	threshold: 0.5,
	prefixPaddingMs: 300,
	silenceDurationMs: 200,
};

export interface TranscribeOptions extends RecognizeOptions {
	readonly chunking: ChunkingOptions;
}

export interface Transcriber {
	readonly facts: ModelFacts;
	/** Throws EarshotError. Ending the iteration, or `signal`, cancels what is left and frees its lanes. */
	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
	): AsyncIterable<TranscriptEvent>;
}
