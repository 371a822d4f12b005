/** What a request asks for. */

/** What one request asks of the model; the same for all its clips. Already checked against Capabilities. */
export interface RecognizeOptions {
	readonly task: 'transcribe' | 'translate';
	/** null = let the model detect, or use its only one. */
	readonly language: string | null;
	/** What detection chooses among; absent = all. */
	readonly languages?: readonly string[];
	readonly prompt: string;
	readonly keywords: readonly string[];
	/** 0..1. */
	readonly temperature: number;
	readonly words: boolean;
	readonly logprobs: boolean;
}

/** How speech is detected in a recording, which is split between its stretches: OpenAI's `server_vad` names. */
export interface ChunkingOptions {
	/** Speech probability above which a window counts as speech, 0..1; default 0.5. */
	readonly threshold: number;
	/** Kept before and after each stretch of speech, milliseconds, 0 or more; default 300. */
	readonly prefixPaddingMs: number;
	/** Silence that ends a stretch of speech, milliseconds, 0 or more; default 200. */
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
