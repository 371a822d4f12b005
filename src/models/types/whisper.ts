/** Whisper as ONNX files, run by sherpa-onnx. For ggml files see `whisper_cpp` in types.ts. */

import type { Family } from './family.js';

export const whisperTypes = {
	whisper: {
		files: { encoder: 'whisper.encoder', decoder: 'whisper.decoder', tokens: 'tokens' },
		modelType: 'whisper',
		options: {
			language: { field: 'model_config.whisper.language', kind: 'string' },
			task: { field: 'model_config.whisper.task', kind: 'string' },
			tail_paddings: { field: 'model_config.whisper.tail_paddings', kind: 'integer' },
		},
		changes: { language: 'model_config.whisper.language', task: 'model_config.whisper.task' },
		languageKeys: { role: 'encoder', multilingual: 'is_multilingual', codes: 'all_language_codes' },
		// Each decode copies its configuration into a decoder shared by all.
		exclusive: true,
		detectsLanguage: true,
		times: false,
		logprobs: false,
		// The library silently truncates clips at 29.5 s.
		maxClipSeconds: 29,
		minClipSeconds: 1,
		requirements: {
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
					unevenLists: true,
					texts: ['all_language_codes'],
					inputs: ['f3'],
					outputs: 2,
				},
				decoder: { inputs: ['i2', 'f4', 'f4', 'f4', 'f4', 'i1'], outputs: 3 },
			},
			tokens: { base64: true },
		},
		identify: {
			exportedAs: /^whisper/,
			metadata: (kind, has) => kind.startsWith('whisper') || has('n_text_layer'),
			name: /whisper/,
		},
	},
} as const satisfies Record<string, Family>;
