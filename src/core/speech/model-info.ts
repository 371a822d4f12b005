/** Information about a loaded model, independent of its library. */

/** What the model supports. A request that asks for more is refused with an error that names the field. */
export interface Capabilities {
	/** Codes that `language` accepts; null = any, because the model ignores it or has no list. */
	readonly languages: readonly string[] | null;
	/** Whether `language` in the request has an effect. */
	readonly choosesLanguage: boolean;
	/** Whether language detection can be limited to several languages. */
	readonly choosesAmongLanguages: boolean;
	/** Whether the result reports the detected language. */
	readonly detectsLanguage: boolean;
	/** Whether it can translate into English. */
	readonly translates: boolean;
	/** Whether `prompt` is supported. */
	readonly prompt: boolean;
	/** Whether `keywords` are supported. */
	readonly keywords: boolean;
	/** Whether a temperature other than 0 is supported. */
	readonly temperature: boolean;
	/** Whether the options of decoding (`beamSize` and those beside it) are supported. */
	readonly decoding: boolean;
	/** Whether word timestamps are supported. */
	readonly words: boolean;
	/** Whether log-probabilities of tokens are available. */
	readonly logprobs: boolean;
	/** Whether `Segment.noSpeechProb` is computed. */
	readonly noSpeechProb: boolean;
}

/** A loaded model: what runs it and what it can do. */
export interface ModelInfo {
	/** The id in models.yaml. */
	readonly id: string;
	/** The library: `whisper.cpp` or `sherpa-onnx`. */
	readonly engine: string;
	/** The `type` in models.yaml, e.g. `sense_voice`, `whisper_cpp`. */
	readonly type: string;
	/** The device that the model runs on, e.g. `CPU`. */
	readonly device: string;
	/** Whisper models: the encoder in use and, if it is not the requested or fastest one, why. */
	readonly encoder?: string;
	/** Whisper models: the type of the decoder's weights, e.g. `f16`. */
	readonly decoder?: string;
	/** What requests to it may ask for. */
	readonly capabilities: Capabilities;
}

/** The `type` of models that only diarize: they find who speaks when and do not transcribe. */
export const diarizationType = 'diarization';

/** `backoff`: its process crashed too often, and loading it is paused for a while. */
export type LoadState = 'unloaded' | 'loading' | 'loaded' | 'backoff';
