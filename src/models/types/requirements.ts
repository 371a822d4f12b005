/**
 * What the files of each family must say of themselves, as data. What each loader of sherpa-onnx 1.13.8 needs was
 * found by taking it away: each key below, missing, ends the process, kills it, or makes every clip fail. Pure.
 */

import type { SherpaType } from './types.js';

/** What one network must say of itself. */
export interface Network {
	/** Metadata that must be a whole number. */
	readonly integers?: readonly string[];
	/** Metadata that must be numbers with commas between them. */
	readonly lists?: readonly string[];
	/** Metadata that must be there. */
	readonly texts?: readonly string[];
	/** What its `model_type` must contain. */
	readonly modelType?: RegExp;
	/** Its first inputs: f = float, i = integer, b = boolean, * = any; then the number of dimensions, or *. */
	readonly inputs: readonly string[];
	/** At least so many. */
	readonly outputs?: number;
}

export interface TokensRule {
	/** At least one of them. */
	readonly blank?: readonly string[];
	/** Every one of them. */
	readonly all?: readonly string[];
	/** Lines hold base64. */
	readonly base64?: boolean;
	/** Exactly as many as this key of this role's metadata says, and so many more. */
	readonly count?: { readonly role: string; readonly key: string; readonly more: number };
	/** The last one. */
	readonly last?: string;
}

export interface Needs {
	readonly networks: Readonly<Record<string, Network>>;
	readonly tokens?: TokensRule;
	/** Files of the tokenizer's folder; JSON where the name says so. */
	readonly tokenizer?: readonly string[];
}

const ctcBlank: TokensRule = { blank: ['<blk>', '<eps>', '<blank>'] };
const ctcNeeds = (network: Omit<Network, 'inputs'> & { readonly inputs?: readonly string[] }): Needs => ({
	networks: { model: { inputs: ['f3', 'i1'], ...network } },
	tokens: ctcBlank,
});

const lfr = ['lfr_window_size', 'lfr_window_shift'] as const;
const promptFlags = [
	'<|noitn|>',
	'<|notimestamp|>',
	'<|nodiarize|>',
	'<|endoftext|>',
	'<|pnc|>',
	'<|nopnc|>',
];
const promptStart = ['<|startofcontext|>', '<|startoftranscript|>', '<|emo:undefined|>'];

const zipformerStates = {
	integers: ['T', 'decode_chunk_len'],
	lists: [
		'encoder_dims',
		'query_head_dims',
		'value_head_dims',
		'num_heads',
		'num_encoder_layers',
		'cnn_module_kernels',
		'left_context_len',
	],
	// With the states of one layer at least.
	inputs: ['f3', 'f3', 'f4', 'f3', 'f3', 'f3', 'f3'],
	outputs: 9,
} as const;

const nemoStates = {
	integers: [
		'window_size',
		'chunk_shift',
		'subsampling_factor',
		'vocab_size',
		'cache_last_channel_dim1',
		'cache_last_channel_dim2',
		'cache_last_channel_dim3',
		'cache_last_time_dim1',
		'cache_last_time_dim2',
		'cache_last_time_dim3',
	],
	inputs: ['f3', 'i1', 'f4', 'f4', 'i1'],
	outputs: 5,
} as const;

export const needs: Readonly<Record<SherpaType, Needs>> = {
	sense_voice: {
		networks: {
			model: {
				integers: [
					'vocab_size',
					...lfr,
					'normalize_samples',
					'with_itn',
					'without_itn',
					'lang_auto',
					'lang_zh',
					'lang_en',
					'lang_ja',
					'lang_ko',
					'lang_yue',
				],
				lists: ['neg_mean', 'inv_stddev'],
				inputs: ['f3', 'i1', 'i1', 'i1'],
			},
		},
		tokens: {},
	},
	paraformer: {
		networks: {
			model: {
				integers: ['vocab_size', ...lfr],
				lists: ['neg_mean', 'inv_stddev'],
				inputs: ['f3', 'i1'],
				outputs: 2,
			},
		},
		tokens: { all: ['</s>'] },
	},
	transducer: {
		networks: {
			encoder: { inputs: ['f3', 'i1'], outputs: 2 },
			decoder: { integers: ['vocab_size', 'context_size'], inputs: ['i2'] },
			joiner: { inputs: ['f2', 'f2'] },
		},
		tokens: {},
	},
	nemo_transducer: {
		networks: {
			encoder: {
				integers: ['vocab_size', 'subsampling_factor', 'pred_rnn_layers', 'pred_hidden'],
				inputs: ['f3', 'i1'],
				outputs: 2,
			},
			decoder: { inputs: ['i2', 'i1', 'f3', 'f3'], outputs: 4 },
			joiner: { inputs: ['f3', 'f3'] },
		},
		tokens: { last: '<blk>', count: { role: 'encoder', key: 'vocab_size', more: 1 } },
	},
	whisper: {
		networks: {
			encoder: {
				integers: [
					'n_mels',
					'n_text_layer',
					'n_text_ctx',
					'n_text_state',
					'n_vocab',
					'sot',
					'eot',
					'blank_id',
					'translate',
					'transcribe',
					'is_multilingual',
					'no_timestamps',
					'no_speech',
				],
				lists: ['sot_sequence', 'all_language_tokens'],
				texts: ['all_language_codes'],
				inputs: ['f3'],
				outputs: 2,
			},
			decoder: { inputs: ['i2', 'f4', 'f4', 'f4', 'f4', 'i1'], outputs: 3 },
		},
		tokens: { base64: true },
	},
	moonshine: {
		networks: {
			preprocessor: { inputs: ['f2'] },
			encoder: { inputs: ['f*'] },
			uncached_decoder: { inputs: ['i2', 'f3', 'i1'] },
			cached_decoder: { inputs: ['i2', 'f3', 'i1'] },
			merged_decoder: { inputs: ['i2'], outputs: 5 },
		},
		tokens: {},
	},
	canary: {
		networks: {
			encoder: {
				integers: ['vocab_size', 'subsampling_factor', 'feat_dim'],
				modelType: /^EncDecMultiTaskModel$/,
				inputs: ['f3', 'i1'],
				outputs: 3,
			},
			decoder: { inputs: ['i2', 'f3'], outputs: 2 },
		},
		tokens: {
			all: [...promptStart, '<|en|>', '<|es|>', '<|de|>', '<|fr|>', ...promptFlags],
			count: { role: 'encoder', key: 'vocab_size', more: 0 },
		},
	},
	fire_red_asr: {
		networks: {
			encoder: {
				integers: ['num_decoder_layers', 'num_head', 'head_dim', 'sos', 'eos', 'max_len'],
				lists: ['cmvn_mean', 'cmvn_inv_stddev'],
				inputs: ['f3', 'i1'],
				outputs: 2,
			},
			decoder: { inputs: ['i2', 'f5', 'f5', 'f4', 'f4', 'i1'], outputs: 3 },
		},
		tokens: {},
	},
	cohere_transcribe: {
		networks: {
			encoder: { modelType: /cohere-transcribe/, inputs: ['f3'], outputs: 2 },
			decoder: { inputs: ['i2', 'f5', 'f5', 'f4', 'f4', 'i*'], outputs: 3 },
		},
		tokens: { all: [...promptStart, '<|en|>', '<|itn|>', ...promptFlags] },
	},
	funasr_nano: {
		networks: {
			encoder_adaptor: { integers: [...lfr, 'llm_dim'], inputs: ['f3'] },
			llm: {
				integers: ['vocab_size', 'max_total_len'],
				modelType: /kv_delta/,
				inputs: ['f3', 'i2', 'i1'],
				outputs: 3,
			},
			embedding: { inputs: ['i2'] },
		},
		tokenizer: ['vocab.json', 'merges.txt', 'tokenizer.json'],
	},
	qwen3_asr: {
		networks: {
			conv_frontend: { inputs: ['f3'] },
			encoder: { inputs: ['f3', 'b2'] },
			decoder: { inputs: ['i2', 'f3', 'i2', 'i1'], outputs: 3 },
		},
		tokenizer: ['vocab.json', 'merges.txt', 'tokenizer_config.json'],
	},
	nemo_ctc: ctcNeeds({ integers: ['vocab_size', 'subsampling_factor'] }),
	zipformer_ctc: ctcNeeds({}),
	wenet_ctc: ctcNeeds({ integers: ['vocab_size', 'subsampling_factor'] }),
	telespeech_ctc: ctcNeeds({ modelType: /^telespeech_ctc$/, inputs: ['f3'] }),
	tdnn: ctcNeeds({ integers: ['vocab_size'], inputs: ['f3'] }),
	dolphin: ctcNeeds({ integers: ['vocab_size'], lists: ['mean', 'invstd'] }),
	fire_red_asr_ctc: ctcNeeds({ lists: ['cmvn_mean', 'cmvn_inv_stddev'], texts: ['model_type'] }),
	// Its blank is symbol 0, whatever it is called.
	omnilingual: { ...ctcNeeds({ inputs: ['f2'] }), tokens: {} },
	medasr: ctcNeeds({ integers: ['vocab_size'], texts: ['model_type'], inputs: ['f3', '*2'] }),
	streaming_transducer: {
		networks: {
			encoder: { modelType: /^zipformer2$/, ...zipformerStates },
			decoder: { integers: ['vocab_size', 'context_size'], inputs: ['i2'] },
			joiner: { inputs: ['f2', 'f2'] },
		},
		tokens: {},
	},
	streaming_zipformer_ctc: ctcNeeds(zipformerStates),
	streaming_nemo_transducer: {
		networks: {
			encoder: { ...nemoStates, integers: [...nemoStates.integers, 'pred_rnn_layers', 'pred_hidden'] },
			decoder: { inputs: ['i2', 'i1', 'f3', 'f3'], outputs: 4 },
			joiner: { inputs: ['f3', 'f3'] },
		},
		tokens: { last: '<blk>', count: { role: 'encoder', key: 'vocab_size', more: 1 } },
	},
	streaming_nemo_ctc: ctcNeeds(nemoStates),
	streaming_paraformer: {
		networks: {
			encoder: {
				integers: ['vocab_size', ...lfr, 'encoder_output_size', 'decoder_num_blocks', 'decoder_kernel_size'],
				lists: ['neg_mean', 'inv_stddev'],
				inputs: ['f3', 'i1'],
				outputs: 3,
			},
			decoder: { inputs: ['f3', 'i1', 'f3', 'i1', 'f3'], outputs: 3 },
		},
		tokens: {},
	},
};

/** Which types a `model_type` in the metadata belongs to, where an exporter writes it. */
export const typesByModelType: readonly (readonly [RegExp, readonly SherpaType[]])[] = [
	[/^sense_voice_ctc/, ['sense_voice']],
	[/^paraformer/, ['paraformer', 'streaming_paraformer']],
	[/^(zipformer2?|conformer|lstm)$/, ['transducer', 'streaming_transducer', 'streaming_zipformer_ctc']],
	[
		/^EncDec(RNNT|Hybrid)/,
		['nemo_transducer', 'nemo_ctc', 'streaming_nemo_transducer', 'streaming_nemo_ctc'],
	],
	[/^EncDecCTC/, ['nemo_ctc', 'streaming_nemo_ctc']],
	[/^EncDecMultiTask/, ['canary']],
	[/^zipformer2_ctc$/, ['zipformer_ctc']],
	[/^wenet_ctc$/, ['wenet_ctc']],
	[/^telespeech_ctc$/, ['telespeech_ctc']],
	[/^tdnn$/, ['tdnn']],
	[/^dolphin/, ['dolphin']],
	[/^whisper/, ['whisper']],
	[/^cohere-transcribe/, ['cohere_transcribe']],
	[/^medasr/, ['medasr']],
	[/^fire-red-asr/, ['fire_red_asr_ctc', 'fire_red_asr']],
];
