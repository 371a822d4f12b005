/** Moonshine: an encoder, and a decoder that is one network or two. */

import type { Family } from './family.js';

export const moonshineTypes = {
	moonshine: {
		files: {
			preprocessor: 'moonshine.preprocessor',
			encoder: 'moonshine.encoder',
			uncached_decoder: 'moonshine.uncached_decoder',
			cached_decoder: 'moonshine.cached_decoder',
			merged_decoder: 'moonshine.merged_decoder',
			tokens: 'tokens',
		},
		optionalFiles: ['preprocessor', 'uncached_decoder', 'cached_decoder', 'merged_decoder'],
		// The library does not refuse a mixture of the two versions.
		fileSets: [
			{
				name: "Moonshine's first version",
				roles: ['preprocessor', 'encoder', 'uncached_decoder', 'cached_decoder', 'tokens'],
			},
			{ name: 'its second', roles: ['encoder', 'merged_decoder', 'tokens'] },
		],
		times: false,
		logprobs: false,
		// v2 is reported to fail silently on longer clips.
		maxClipSeconds: 9,
		minClipSeconds: 0.5,
		requirements: {
			networks: {
				preprocessor: { inputs: ['f2'] },
				encoder: { inputs: ['f*'] },
				uncached_decoder: { inputs: ['i2', 'f3', 'i1'] },
				cached_decoder: { inputs: ['i2', 'f3', 'i1'] },
				merged_decoder: { inputs: ['i2'], outputs: 5 },
			},
			tokens: { base64: { with: 'merged_decoder' } },
		},
		identify: { roles: [['uncached_decoder'], ['merged_decoder']] },
	},
} as const satisfies Record<string, Family>;
