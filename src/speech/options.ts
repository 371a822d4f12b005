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
