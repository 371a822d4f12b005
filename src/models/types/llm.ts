/** Types whose decoder is a language model, prompted by text. */

import { type Family, lfr, typicalClipSeconds } from './family.js';

export const llmTypes = {
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
		// 20 s of speech are 260 tokens; with the prompt and 200 new tokens the total stays below max_total_len's default, 512.
		defaults: { max_new_tokens: 200 },
		languageOption: { name: 'language', spelling: 'english-name' },
		keywordsOption: 'hotwords',
		times: false,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
			networks: {
				conv_frontend: { inputs: ['f3'] },
				encoder: { inputs: ['f3', 'b2'] },
				decoder: { inputs: ['i2', 'f3', 'i2', 'i1'], outputs: 3 },
			},
			tokenizer: ['vocab.json', 'merges.txt', 'tokenizer_config.json'],
		},
		identify: { roles: [['conv_frontend', 'encoder', 'decoder']] },
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
		// With four clips at once, 6 of 300 clips got a different text (test/bench/sherpa-long-run.mjs).
		exclusive: true,
		// The library's times are not real: it spreads them evenly over the clip.
		times: false,
		logprobs: false,
		maxClipSeconds: typicalClipSeconds,
		requirements: {
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
		identify: { roles: [['llm', 'embedding']] },
	},
} as const satisfies Record<string, Family>;
