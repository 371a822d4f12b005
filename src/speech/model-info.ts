/** What is known of a loaded model, whichever library runs it. */

/** What the model can do. A request that asks for more is refused, naming the field. */
export interface Capabilities {
	/** Codes that `language` may have; null = any, the model takes no notice or knows no list. */
	readonly languages: readonly string[] | null;
	/** Whether `language` in the request makes a difference. */
	readonly choosesLanguage: boolean;
	/** Whether detection can be limited to several languages. */
	readonly choosesAmongLanguages: boolean;
	/** Whether the result tells the language. */
	readonly detectsLanguage: boolean;
	/** Into English. */
	readonly translates: boolean;
	/** Whether `prompt` is taken. */
	readonly prompt: boolean;
	/** Whether `keywords` are taken. */
	readonly keywords: boolean;
	/** Whether a temperature other than 0 means anything. */
	readonly temperature: boolean;
	/** Real times for words. */
	readonly words: boolean;
	/** Log-probabilities of tokens. */
	readonly logprobs: boolean;
	/** `Segment.noSpeechProb`. */
	readonly noSpeechProb: boolean;
}

export interface ModelInfo {
	/** As models.yaml has it. */
	readonly id: string;
	/** The library: `whisper.cpp` or `sherpa-onnx`. */
	readonly engine: string;
	/** The `type` of models.yaml, e.g. `sense_voice`, `whisper_cpp`. */
	readonly type: string;
	/** What the weights run on, e.g. `CPU`. */
	readonly device: string;
	/** Of Whisper models: what encodes, and if need be why. */
	readonly encoder?: string;
	/** Of Whisper models: the type of the decoder's weights, e.g. `f16`. */
	readonly decoder?: string;
	readonly capabilities: Capabilities;
}

/** `backoff`: its process died too often, and it is left alone for a while. */
export type LoadState = 'unloaded' | 'loading' | 'loaded' | 'backoff';
