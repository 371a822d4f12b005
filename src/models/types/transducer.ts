/** Transducer types (RNN-T, TDT): an encoder, a decoder and a joiner. */

import {
	type Family,
	type Mismatch,
	type Networks,
	type OptionRule,
	type TokensRule,
	typicalClipSeconds,
} from './family.js';

export const transducerFiles = {
	encoder: 'transducer.encoder',
	decoder: 'transducer.decoder',
	joiner: 'transducer.joiner',
	tokens: 'tokens',
} as const;

export const beamSearch = {
	decoding_method: { field: 'decoding_method', kind: 'string' },
	max_active_paths: { field: 'max_active_paths', kind: 'integer' },
	hotwords_score: { field: 'hotwords_score', kind: 'number' },
	modeling_unit: { field: 'model_config.modeling_unit', kind: 'string' },
	bpe_vocab: { field: 'model_config.bpe_vocab', kind: 'files' },
	blank_penalty: { field: 'blank_penalty', kind: 'number' },
} as const satisfies Record<string, OptionRule>;

/** Requirements of icefall's stateless decoder and its joiner. */
export const icefallNetworks = {
	decoder: { integers: ['vocab_size', 'context_size'], inputs: ['i2'] },
	joiner: { inputs: ['f2', 'f2'] },
} as const;

/** The blank follows the vocabulary. */
export const nemoTokens: TokensRule = {
	last: '<blk>',
	count: { role: 'encoder', key: 'vocab_size', more: 1 },
};

/** A TDT joiner scores durations too; only the metadata `url` distinguishes it from an RNN-T joiner. */
export function nemoJoinerMismatch(networks: Networks, mayBeTdt: boolean): Mismatch | undefined {
	const [encoder, joiner] = [networks.get('encoder'), networks.get('joiner')];
	if (!encoder || !joiner) return undefined;
	const width = joiner.outputs[0]?.shape?.at(-1);
	const symbols = Number(encoder.metadata.get('vocab_size')) + 1;
	const isTdt = mayBeTdt && (encoder.metadata.get('url') ?? '').includes('tdt');
	if (typeof width !== 'number' || width === symbols || (isTdt && width > symbols)) return undefined;
	return {
		role: 'joiner',
		why: `it scores ${width} symbols, but the encoder's \`vocab_size\` is ${symbols - 1}`,
		cure: mayBeTdt
			? 'the two files are not of the same model, or the metadata `url` lacks `tdt`'
			: 'the two files are not of the same model',
	};
}

export const transducerTypes = {
	nemo_transducer: {
		files: transducerFiles,
		modelType: 'nemo_transducer',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: true,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
			networks: {
				encoder: {
					integers: ['vocab_size', 'subsampling_factor', 'pred_rnn_layers', 'pred_hidden'],
					inputs: ['f3', 'i1'],
					outputs: 2,
				},
				decoder: { inputs: ['i2', 'i1', 'f3', 'f3'], outputs: 4 },
				joiner: { inputs: ['f3', 'f3'] },
			},
			tokens: nemoTokens,
			mismatch: (networks) => nemoJoinerMismatch(networks, true),
		},
		identify: {
			exportedAs: /^EncDec(RNNT|Hybrid)/,
			metadata: (kind, has) => has('pred_rnn_layers') || kind.startsWith('encdec'),
			name: /nemo|parakeet/,
		},
	},
	transducer: {
		files: transducerFiles,
		modelType: 'transducer',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: true,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
			networks: { encoder: { inputs: ['f3', 'i1'], outputs: 2 }, ...icefallNetworks },
			tokens: {},
		},
		identify: {
			exportedAs: /^(zipformer2?|conformer|lstm)$/,
			metadata: (kind) => kind !== '',
			// Any model of three networks that no other type matches.
			name: /(?:)/,
		},
	},
} as const satisfies Record<string, Family>;
