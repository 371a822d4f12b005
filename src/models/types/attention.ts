/** Attention encoder-decoder types, prompted by tokens for language and task. */

import { type Family, type Mismatch, type Networks, typicalClipSeconds } from './family.js';

const promptFlags = [
	'<|noitn|>',
	'<|notimestamp|>',
	'<|nodiarize|>',
	'<|endoftext|>',
	'<|pnc|>',
	'<|nopnc|>',
];
const promptStart = ['<|startofcontext|>', '<|startoftranscript|>', '<|emo:undefined|>'];

/** The decoder's inputs are its tokens, the encoder's two outputs, and a state per layer. */
function canaryMismatch(networks: Networks): Mismatch | undefined {
	const [encoder, decoder] = [networks.get('encoder'), networks.get('decoder')];
	if (!encoder || !decoder) return undefined;
	const layers = Number(encoder.metadata.get('num_decoder_layers') ?? 6);
	const states = decoder.inputs.length - 3;
	if (states === layers) return undefined;
	return {
		role: 'decoder',
		why: `it has ${states} states, but the encoder's \`num_decoder_layers\` is ${layers}`,
		cure: 'the two files are not of the same model',
	};
}

export const attentionTypes = {
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
		maxClipSeconds: typicalClipSeconds,
		requirements: {
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
			mismatch: canaryMismatch,
		},
		identify: {
			exportedAs: /^EncDecMultiTask/,
			metadata: (kind) => /multitask|canary/.test(kind),
			name: /canary/,
		},
	},
	fire_red_asr: {
		files: { encoder: 'fire_red_asr.encoder', decoder: 'fire_red_asr.decoder', tokens: 'tokens' },
		languages: ['zh', 'en'],
		times: false,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		// The library limits the output to six words per second of audio, in whole seconds.
		minClipSeconds: 1.1,
		requirements: {
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
		identify: {
			exportedAs: /^fire-red-asr/,
			metadata: (kind) => kind.includes('fire_red'),
			name: /fire-red/,
		},
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
		maxClipSeconds: typicalClipSeconds,
		requirements: {
			networks: {
				encoder: { modelType: /cohere-transcribe/, inputs: ['f3'], outputs: 2 },
				decoder: { inputs: ['i2', 'f5', 'f5', 'f4', 'f4', 'i*'], outputs: 3 },
			},
			tokens: { all: [...promptStart, '<|en|>', '<|itn|>', ...promptFlags] },
		},
		identify: {
			exportedAs: /^cohere-transcribe/,
			metadata: (kind) => kind.includes('cohere'),
			name: /cohere/,
		},
	},
} as const satisfies Record<string, Family>;
