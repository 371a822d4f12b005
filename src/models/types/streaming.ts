/** Streaming types: they recognize live speech chunk by chunk, and carry states from one chunk to the next. */

import type { OnnxFile } from '../../model-files/onnx-file.js';
import { ctc, ctcRequirements } from './ctc.js';
import { type Family, lfr, type Mismatch, type Networks, typicalClipSeconds } from './family.js';
import {
	beamSearch,
	icefallNetworks,
	nemoJoinerMismatch,
	nemoTokens,
	transducerFiles,
} from './transducer.js';

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
	// The frames and the states of at least one layer.
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

/** sherpa-onnx crashes on a Zipformer that returns fewer states than its metadata says. */
function zipformerMismatch(networks: Networks, role: string): Mismatch | undefined {
	const zipformer = networks.get(role);
	if (!zipformer) return undefined;
	const { metadata, inputs, outputs } = zipformer;
	const layers = (metadata.get('num_encoder_layers') ?? '').split(',').map(Number);
	// Six states per layer, one of the frame embedding and a counter; plus the frames in, or the encoder's output.
	const expected = 6 * layers.reduce((sum, each) => sum + each, 0) + 3;
	if (inputs.length === expected && outputs.length === expected) return undefined;
	return {
		role,
		why: `it has ${inputs.length} inputs and ${outputs.length} outputs, but its \`num_encoder_layers\` requires ${expected} of each`,
		cure: 'export it again',
	};
}

/** sherpa-onnx crashes on a decoder that returns fewer states than the encoder's metadata says. */
function paraformerMismatch(networks: Networks): Mismatch | undefined {
	const [encoder, decoder] = [networks.get('encoder'), networks.get('decoder')];
	if (!encoder || !decoder) return undefined;
	const blocks = Number(encoder.metadata.get('decoder_num_blocks'));
	if (decoder.inputs.length === blocks + 4 && decoder.outputs.length === blocks + 2) return undefined;
	return {
		role: 'decoder',
		why: `it has ${decoder.inputs.length - 4} states, but the encoder's \`decoder_num_blocks\` is ${blocks}`,
		cure: 'the two files are not of the same model',
	};
}

/** Every clip fails if the sizes in NeMo's metadata differ from those of the inputs. `role`: of the encoder. */
function nemoSizeMismatch(networks: Networks, role: string): Mismatch | undefined {
	const encoder = networks.get(role);
	if (!encoder) return undefined;
	const dims = (prefix: string) => [1, 2, 3].map((axis) => `${prefix}_dim${axis}`);
	const lists: [role: string, input: number, keys: readonly (string | null)[]][] = [
		[role, 0, [null, null, 'window_size']],
		[role, 2, [null, ...dims('cache_last_channel')]],
		[role, 3, [null, ...dims('cache_last_time')]],
		['decoder', 2, ['pred_rnn_layers', null, 'pred_hidden']],
		['decoder', 3, ['pred_rnn_layers', null, 'pred_hidden']],
	];
	for (const [owner, index, keys] of lists) {
		const input = networks.get(owner)?.inputs[index];
		for (const [axis, key] of keys.entries()) {
			const size = input?.shape?.[axis];
			if (key === null || typeof size !== 'number' || size === Number(encoder.metadata.get(key))) continue;
			return {
				role: owner,
				why: `its input ${input?.name} has size ${size}, but the \`${key}\` of \`${role}\` is ${encoder.metadata.get(key)}`,
				cure: 'export it again, or check that its files are of the same model',
			};
		}
	}
	return undefined;
}

function nemoInputMismatch({ inputs }: OnnxFile): Mismatch | undefined {
	const prompted = inputs.findIndex(({ name }) => name === 'prompt_index');
	if (inputs.length > 5 && prompted !== 5) {
		return {
			role: 'encoder',
			why: `it has ${inputs.length} inputs, but the sixth is not \`prompt_index\``,
			cure: 'export it again',
		};
	}
	if (typeof inputs[0]?.shape?.[1] === 'number') return undefined;
	return {
		role: 'encoder',
		why: `its input ${inputs[0]?.name} does not declare the number of features of a frame`,
		cure: 'export it again with a fixed number of features',
	};
}

function nemoTransducerMismatch(networks: Networks): Mismatch | undefined {
	const encoder = networks.get('encoder');
	return (
		nemoSizeMismatch(networks, 'encoder') ??
		(encoder && nemoInputMismatch(encoder)) ??
		nemoJoinerMismatch(networks, false)
	);
}

export const streamingTypes = {
	streaming_transducer: {
		files: transducerFiles,
		modelType: 'zipformer2',
		options: beamSearch,
		hotwords: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		chunk: { role: 'encoder', key: 'T' },
		requirements: {
			networks: { encoder: { modelType: /^zipformer2$/, ...zipformerStates }, ...icefallNetworks },
			tokens: {},
			mismatch: (networks) => zipformerMismatch(networks, 'encoder'),
		},
		identify: {
			exportedAs: /^(zipformer2?|conformer|lstm)$/,
			metadata: (kind, has) => kind === 'zipformer2' && !has('streaming_model_type'),
		},
	},
	streaming_nemo_transducer: {
		files: transducerFiles,
		// The library exits the process for any decoding method but greedy search.
		options: { blank_penalty: beamSearch.blank_penalty },
		languageInput: { role: 'encoder', name: 'prompt_index', dictionary: 'prompt_dictionary' },
		languageOption: { name: 'language', spelling: 'code' },
		detectsLanguage: true,
		batches: true,
		times: true,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		chunk: { role: 'encoder', key: 'window_size' },
		requirements: {
			networks: {
				encoder: { ...nemoStates, integers: [...nemoStates.integers, 'pred_rnn_layers', 'pred_hidden'] },
				decoder: { inputs: ['i2', 'i1', 'f3', 'f3'], outputs: 4 },
				joiner: { inputs: ['f3', 'f3'] },
			},
			tokens: nemoTokens,
			mismatch: nemoTransducerMismatch,
		},
		identify: {
			exportedAs: /^EncDec(RNNT|Hybrid)/,
			metadata: (kind, has) => kind.startsWith('encdec') && !has('streaming_model_type'),
		},
	},
	// No times: the library assumes half of the real frame length.
	streaming_nemo_ctc: ctc(
		'nemo_ctc.model',
		{
			exportedAs: /^EncDec(RNNT|Hybrid|CTC)/,
			metadata: (_, has) => has('cache_last_channel_dim1') && !has('streaming_model_type'),
		},
		{},
		{
			batches: true,
			times: false,
			chunk: { role: 'model', key: 'window_size' },
			requirements: {
				...ctcRequirements(nemoStates),
				mismatch: (networks) => nemoSizeMismatch(networks, 'model'),
			},
		},
	),
	streaming_zipformer_ctc: ctc(
		'zipformer2_ctc.model',
		{
			exportedAs: /^(zipformer2?|conformer|lstm)$/,
			metadata: (_, has) => has('cnn_module_kernels') && !has('streaming_model_type'),
		},
		{},
		{
			batches: true,
			chunk: { role: 'model', key: 'T' },
			requirements: {
				...ctcRequirements(zipformerStates),
				mismatch: (networks) => zipformerMismatch(networks, 'model'),
			},
		},
	),
	streaming_paraformer: {
		files: { encoder: 'paraformer.encoder', decoder: 'paraformer.decoder', tokens: 'tokens' },
		times: false,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		chunk: 61,
		requirements: {
			networks: {
				encoder: {
					integers: [
						'vocab_size',
						...lfr,
						'encoder_output_size',
						'decoder_num_blocks',
						'decoder_kernel_size',
					],
					lists: ['neg_mean', 'inv_stddev'],
					inputs: ['f3', 'i1'],
					outputs: 3,
				},
				decoder: { inputs: ['f3', 'i1', 'f3', 'i1', 'f3'], outputs: 3 },
			},
			tokens: {},
			mismatch: paraformerMismatch,
		},
		identify: {
			exportedAs: /^paraformer/,
			metadata: (_, has) => has('decoder_num_blocks'),
		},
	},
} as const satisfies Record<string, Family>;
