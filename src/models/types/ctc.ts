/** CTC types: one network that scores the symbols for each frame. Includes SenseVoice. */

import {
	type Family,
	type IdentifyRule,
	lfr,
	type NetworkRule,
	type Requirements,
	typicalClipSeconds,
} from './family.js';

/** `rule`: requirements besides those of every CTC network; `more`: other fields of the record. */
export function ctc(
	field: string,
	identify: IdentifyRule,
	rule: Partial<NetworkRule> = {},
	more: Partial<Family> = {},
): Family {
	return {
		files: { model: field, tokens: 'tokens' },
		times: true,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		requirements: ctcRequirements(rule),
		identify,
		...more,
	};
}

export function ctcRequirements(rule: Partial<NetworkRule>): Requirements {
	return {
		networks: { model: { inputs: ['f3', 'i1'], ...rule } },
		tokens: { blank: ['<blk>', '<eps>', '<blank>'] },
	};
}

/** The blank is always symbol 0, whatever its name. */
const omnilingualRequirements: Requirements = { networks: { model: { inputs: ['f2'] } }, tokens: {} };

export const ctcTypes = {
	sense_voice: {
		files: { model: 'sense_voice.model', tokens: 'tokens' },
		options: {
			language: { field: 'model_config.sense_voice.language', kind: 'string' },
			use_itn: { field: 'model_config.sense_voice.use_itn', kind: 'boolean' },
		},
		languages: ['zh', 'en', 'ja', 'ko', 'yue'],
		changes: { language: 'model_config.sense_voice.language', apart: true },
		detectsLanguage: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
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
					// The CTC half of Fun-ASR-Nano is exported under SenseVoice's name, without its languages.
					fewerKeys: { comment: 'Nano', keys: /^(vocab_size|lfr_)/ },
					inputs: ['f3', 'i1', 'i1', 'i1'],
				},
			},
			tokens: {},
		},
		identify: {
			exportedAs: /^sense_voice_ctc/,
			metadata: (kind, has) => kind.startsWith('sense_voice') || has('lang_auto'),
			name: /sense-?voice/,
		},
	},
	omnilingual: ctc(
		'omnilingual.model',
		{ metadata: (kind) => kind.includes('omnilingual'), name: /omnilingual/ },
		{},
		{ requirements: omnilingualRequirements },
	),
	medasr: ctc(
		'medasr.model',
		{ exportedAs: /^medasr/, metadata: (kind) => kind.includes('medasr'), name: /medasr/ },
		{ integers: ['vocab_size'], texts: ['model_type'], inputs: ['f3', '*2'] },
		{ languages: ['en'], batches: true },
	),
	fire_red_asr_ctc: ctc(
		'fire_red_asr_ctc.model',
		{ exportedAs: /^fire-red-asr/, metadata: (kind) => kind.includes('fire_red'), name: /fire-red/ },
		{ lists: ['cmvn_mean', 'cmvn_inv_stddev'], texts: ['model_type'] },
		{ batches: true },
	),
	dolphin: ctc(
		'dolphin.model',
		{ exportedAs: /^dolphin/, metadata: (kind) => kind.includes('dolphin'), name: /dolphin/ },
		{ integers: ['vocab_size'], lists: ['mean', 'invstd'] },
		{ batches: true },
	),
	telespeech_ctc: ctc(
		'telespeech_ctc',
		{ exportedAs: /^telespeech_ctc$/, metadata: (kind) => kind.includes('telespeech'), name: /telespeech/ },
		{ modelType: /^telespeech_ctc$/, inputs: ['f3'] },
	),
	wenet_ctc: ctc(
		'wenet_ctc.model',
		{ exportedAs: /^wenet_ctc$/, metadata: (kind) => kind.includes('wenet'), name: /wenet|u2pp/ },
		{ integers: ['vocab_size', 'subsampling_factor'] },
	),
	zipformer_ctc: ctc(
		'zipformer_ctc.model',
		{ exportedAs: /^zipformer2_ctc$/, metadata: (kind) => kind.includes('zipformer'), name: /zipformer/ },
		{},
		{ batches: true },
	),
	tdnn: ctc(
		'tdnn.model',
		{ exportedAs: /^tdnn$/, metadata: (kind) => kind.includes('tdnn'), name: /tdnn/ },
		{ integers: ['vocab_size'], inputs: ['f3'] },
		{ batches: true },
	),
	nemo_ctc: ctc(
		'nemo_ctc.model',
		{
			exportedAs: /^EncDec(RNNT|Hybrid|CTC)/,
			metadata: (kind, has) => /encdec.*ctc|nemo/.test(kind) || has('normalize_type'),
			name: /nemo|parakeet/,
		},
		{ integers: ['vocab_size', 'subsampling_factor'] },
		{ batches: true },
	),
} as const satisfies Record<string, Family>;
