/**
 * What Earshot knows of each sherpa-onnx model family, as data: the files it needs, the options it takes,
 * how long a clip may be and what its result carries. Sources of the figures: sherpa-onnx 1.13.8's loaders
 * and result code, and its issue tracker for the limits. Pure; imported by the registry and the engine.
 */

/** A field of SherpaOnnxOfflineModelConfig, or of the streaming one, below `model_config.`. */
type Field = string;

export interface OptionRule {
	/** Of SherpaOnnxOfflineRecognizerConfig, by dotted path; '' = not the library's. */
	readonly field: string;
	/** `files` = paths with commas between them. */
	readonly kind: 'boolean' | 'integer' | 'number' | 'string' | 'files';
}

export interface Family {
	/** Role in `files` → field that takes its path. */
	readonly files: Readonly<Record<string, Field>>;
	/** Roles that may be left out. */
	readonly optionalFiles?: readonly string[];
	/** Roles that are folders. */
	readonly folders?: readonly string[];
	/** `model_type` told to the library, which otherwise loads the encoder once more to find out. */
	readonly modelType?: string;
	/** Name in `options` of models.yaml → field. */
	readonly options?: Readonly<Record<string, OptionRule>>;
	/** Codes the family hears; absent = depends on the model file. */
	readonly languages?: readonly string[];
	/** Values of options that are not in models.yaml, where the library's own default will not do. */
	readonly defaults?: Readonly<Record<string, string | number | boolean>>;
	/** Fields that one request may change. */
	readonly changes?: {
		readonly language: string;
		/** Of the text, where it may be another than that of the speech. */
		readonly target?: string;
		/** Takes `transcribe` or `translate`. */
		readonly task?: string;
		/** Changing them spoils how features are made, so a second recognizer decodes. */
		readonly apart?: boolean;
	};
	/** The library decodes one clip at a time without a race. */
	readonly exclusive?: boolean;
	/** The library decodes several clips in one pass, not one after another. */
	readonly batches?: boolean;
	/** Takes phrases to listen for, under beam search. */
	readonly hotwords?: boolean;
	/** The stream option that sets the language of one request, and how it is spelt. */
	readonly languageOption?: { readonly name: string; readonly spelling: 'code' | 'english-name' };
	readonly detectsLanguage?: boolean;
	/** What makes a file multilingual: an input of that name; a file without it takes no language. */
	readonly languageInput?: { readonly role: string; readonly name: string; readonly dictionary: string };
	/** It hears nothing unless it is told the language. */
	readonly needsLanguage?: boolean;
	/** Tokens carry real start times. */
	readonly times: boolean;
	/** Tokens carry log-probabilities. */
	readonly logprobs: boolean;
	/** The stream option that takes `keywords[]` joined by commas. */
	readonly keywordsOption?: string;
	readonly maxClipSeconds: number;
	readonly minClipSeconds?: number;
	/** It hears while somebody speaks, chunk by chunk: frames of 10 ms in one, or the metadata that tells. */
	readonly chunk?: number | { readonly role: string; readonly key: string };
}

const senseVoiceLanguages = ['zh', 'en', 'ja', 'ko', 'yue'] as const;

/** Attention memory grows with the square of the length, and quality falls on long single passes. */
const usualClipSeconds = 20;

const ctc = (field: Field, more: Partial<Family> = {}): Family => ({
	files: { model: field, tokens: 'tokens' },
	times: true,
	logprobs: false,
	maxClipSeconds: usualClipSeconds,
	...more,
});

const transducerFiles = {
	encoder: 'transducer.encoder',
	decoder: 'transducer.decoder',
	joiner: 'transducer.joiner',
	tokens: 'tokens',
} as const;

const beamSearch = {
	decoding_method: { field: 'decoding_method', kind: 'string' },
	max_active_paths: { field: 'max_active_paths', kind: 'integer' },
	hotwords_score: { field: 'hotwords_score', kind: 'number' },
	modeling_unit: { field: 'model_config.modeling_unit', kind: 'string' },
	bpe_vocab: { field: 'model_config.bpe_vocab', kind: 'files' },
	blank_penalty: { field: 'blank_penalty', kind: 'number' },
} as const satisfies Record<string, OptionRule>;

/** Options of every family, but for `punctuation` of the streaming ones. */
const sharedOptions = {
	rule_fsts: { field: 'rule_fsts', kind: 'files' },
	rule_fars: { field: 'rule_fars', kind: 'files' },
	punctuation: { field: '', kind: 'files' },
	provider: { field: '', kind: 'string' },
} as const satisfies Record<string, OptionRule>;

/** Options of families that batch. */
const batchOptions = {
	batch: { field: '', kind: 'integer' },
} as const satisfies Record<string, OptionRule>;

const whisperLanguageOption: OptionRule = { field: 'model_config.whisper.language', kind: 'string' };

export const families = {
	sense_voice: {
		files: { model: 'sense_voice.model', tokens: 'tokens' },
		options: {
			language: { field: 'model_config.sense_voice.language', kind: 'string' },
			use_itn: { field: 'model_config.sense_voice.use_itn', kind: 'boolean' },
		},
		languages: senseVoiceLanguages,
		changes: { language: 'model_config.sense_voice.language', apart: true },
		detectsLanguage: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	paraformer: {
		files: { model: 'paraformer.model', tokens: 'tokens' },
		modelType: 'paraformer',
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	transducer: {
		files: transducerFiles,
		modelType: 'transducer',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: true,
		maxClipSeconds: usualClipSeconds,
	},
	nemo_transducer: {
		files: transducerFiles,
		modelType: 'nemo_transducer',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: true,
		maxClipSeconds: usualClipSeconds,
	},
	whisper: {
		files: { encoder: 'whisper.encoder', decoder: 'whisper.decoder', tokens: 'tokens' },
		modelType: 'whisper',
		options: {
			language: whisperLanguageOption,
			task: { field: 'model_config.whisper.task', kind: 'string' },
			tail_paddings: { field: 'model_config.whisper.tail_paddings', kind: 'integer' },
		},
		changes: { language: 'model_config.whisper.language', task: 'model_config.whisper.task' },
		// Each decode copies its configuration into the decoder that all share.
		exclusive: true,
		detectsLanguage: true,
		times: false,
		logprobs: false,
		// The library cuts at 29.5 s without a word.
		maxClipSeconds: 29,
		minClipSeconds: 1,
	},
	moonshine: {
		files: {
			preprocessor: 'moonshine.preprocessor',
			encoder: 'moonshine.encoder',
			uncached_decoder: 'moonshine.uncached_decoder',
			cached_decoder: 'moonshine.cached_decoder',
			merged_decoder: 'moonshine.merged_decoder',
			tokens: 'tokens',
		},
		// v1 has four files, v2 an encoder and a merged decoder.
		optionalFiles: ['preprocessor', 'uncached_decoder', 'cached_decoder', 'merged_decoder'],
		times: false,
		logprobs: false,
		// v2 is reported to fail without a word on longer clips.
		maxClipSeconds: 9,
		minClipSeconds: 0.5,
	},
	qwen3_asr: {
		files: {
			conv_frontend: 'qwen3_asr.conv_frontend',
			encoder: 'qwen3_asr.encoder',
			decoder: 'qwen3_asr.decoder',
			tokenizer: 'qwen3_asr.tokenizer',
		},
		folders: ['tokenizer'],
		options: {
			max_total_len: { field: 'model_config.qwen3_asr.max_total_len', kind: 'integer' },
			max_new_tokens: { field: 'model_config.qwen3_asr.max_new_tokens', kind: 'integer' },
			hotwords: { field: 'model_config.qwen3_asr.hotwords', kind: 'string' },
		},
		// 20 s of speech are 260 tokens; with the prompt and these it stays below max_total_len's default, 512.
		defaults: { max_new_tokens: 200 },
		languageOption: { name: 'language', spelling: 'english-name' },
		keywordsOption: 'hotwords',
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	canary: {
		files: { encoder: 'canary.encoder', decoder: 'canary.decoder', tokens: 'tokens' },
		options: {
			language: { field: 'model_config.canary.src_lang', kind: 'string' },
			use_pnc: { field: 'model_config.canary.use_pnc', kind: 'boolean' },
		},
		defaults: { language: 'en', use_pnc: true },
		changes: { language: 'model_config.canary.src_lang', target: 'model_config.canary.tgt_lang' },
		languages: ['en', 'de', 'es', 'fr'],
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	fire_red_asr: {
		files: { encoder: 'fire_red_asr.encoder', decoder: 'fire_red_asr.decoder', tokens: 'tokens' },
		languages: ['zh', 'en'],
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
		// It may say six words a second, counted in whole seconds.
		minClipSeconds: 1.1,
	},
	cohere_transcribe: {
		files: {
			encoder: 'cohere_transcribe.encoder',
			decoder: 'cohere_transcribe.decoder',
			tokens: 'tokens',
		},
		options: {
			language: { field: 'model_config.cohere_transcribe.language', kind: 'string' },
			use_punct: { field: 'model_config.cohere_transcribe.use_punct', kind: 'boolean' },
			use_itn: { field: 'model_config.cohere_transcribe.use_itn', kind: 'boolean' },
		},
		defaults: { use_punct: true },
		languages: ['ar', 'de', 'el', 'en', 'es', 'fr', 'it', 'ja', 'ko', 'nl', 'pl', 'pt', 'vi', 'zh'],
		languageOption: { name: 'language', spelling: 'code' },
		needsLanguage: true,
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	funasr_nano: {
		files: {
			encoder_adaptor: 'funasr_nano.encoder_adaptor',
			llm: 'funasr_nano.llm',
			embedding: 'funasr_nano.embedding',
			tokenizer: 'funasr_nano.tokenizer',
		},
		folders: ['tokenizer'],
		options: {
			language: { field: 'model_config.funasr_nano.language', kind: 'string' },
			use_itn: { field: 'model_config.funasr_nano.itn', kind: 'boolean' },
			hotwords: { field: 'model_config.funasr_nano.hotwords', kind: 'string' },
			system_prompt: { field: 'model_config.funasr_nano.system_prompt', kind: 'string' },
			user_prompt: { field: 'model_config.funasr_nano.user_prompt', kind: 'string' },
			max_new_tokens: { field: 'model_config.funasr_nano.max_new_tokens', kind: 'integer' },
		},
		// Four lanes at once gave 6 of 300 clips another text (test/bench/sherpa-long-run.mjs).
		exclusive: true,
		// The library spreads made-up times evenly over the clip.
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
	},
	nemo_ctc: ctc('nemo_ctc.model', { batches: true }),
	zipformer_ctc: ctc('zipformer_ctc.model', { batches: true }),
	wenet_ctc: ctc('wenet_ctc.model'),
	telespeech_ctc: ctc('telespeech_ctc'),
	tdnn: ctc('tdnn.model', { batches: true }),
	dolphin: ctc('dolphin.model', { batches: true }),
	fire_red_asr_ctc: ctc('fire_red_asr_ctc.model', { batches: true }),
	omnilingual: ctc('omnilingual.model'),
	medasr: ctc('medasr.model', { languages: ['en'], batches: true }),
	streaming_transducer: {
		files: transducerFiles,
		modelType: 'zipformer2',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
		chunk: { role: 'encoder', key: 'T' },
	},
	streaming_zipformer_ctc: ctc('zipformer2_ctc.model', {
		batches: true,
		chunk: { role: 'model', key: 'T' },
	}),
	streaming_nemo_transducer: {
		files: transducerFiles,
		// For any other search than the greedy one the library ends the process.
		options: { blank_penalty: beamSearch.blank_penalty },
		languageInput: { role: 'encoder', name: 'prompt_index', dictionary: 'prompt_dictionary' },
		languageOption: { name: 'language', spelling: 'code' },
		detectsLanguage: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
		chunk: { role: 'encoder', key: 'window_size' },
	},
	// The library counts its frames as half as long as they are.
	streaming_nemo_ctc: ctc('nemo_ctc.model', {
		batches: true,
		times: false,
		chunk: { role: 'model', key: 'window_size' },
	}),
	streaming_paraformer: {
		files: { encoder: 'paraformer.encoder', decoder: 'paraformer.decoder', tokens: 'tokens' },
		times: false,
		logprobs: false,
		maxClipSeconds: usualClipSeconds,
		chunk: 61,
	},
} as const satisfies Record<string, Family>;

export type SherpaType = keyof typeof families;

export function isSherpaType(type: string): type is SherpaType {
	return Object.hasOwn(families, type);
}

export function familyOf(type: SherpaType): Family {
	const family: Family = families[type];
	const { punctuation, ...others } = sharedOptions;
	const options = {
		...family.options,
		...others,
		// What is punctuated are whole clips.
		...(family.chunk === undefined ? { punctuation } : {}),
		...(family.batches === true ? batchOptions : {}),
	};
	return { ...family, options };
}

/** The `type` of models.yaml for ggml files of Whisper. */
export const whisperType = 'whisper_cpp';
/** And for those of Parakeet, which whisper.cpp runs as well. */
export const parakeetType = 'parakeet_cpp';

export type GgmlType = typeof whisperType | typeof parakeetType;

export function isGgmlType(type: string): type is GgmlType {
	return type === whisperType || type === parakeetType;
}

export const modelTypes: readonly string[] = [whisperType, parakeetType, ...Object.keys(families)];
