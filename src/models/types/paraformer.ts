/** Paraformer: one network that emits all tokens in a single step. */

import { type Family, lfr, typicalClipSeconds } from './family.js';

export const paraformerTypes = {
	paraformer: {
		files: { model: 'paraformer.model', tokens: 'tokens' },
		// The key in sherpa-onnx's Python API, which asr2clip uses too.
		otherKeys: { paraformer: 'model' },
		modelType: 'paraformer',
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
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
		identify: {
			exportedAs: /^paraformer/,
			metadata: (kind, has) => kind.includes('paraformer') || has('lfr_window_size'),
			name: /paraformer/,
		},
	},
} as const satisfies Record<string, Family>;
