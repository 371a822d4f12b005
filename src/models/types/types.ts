/** All model types that Earshot can run: one record per type of sherpa-onnx, and those of whisper.cpp. */

import { attentionTypes } from './attention.js';
import { ctcTypes } from './ctc.js';
import type { Family, OptionRule } from './family.js';
import { llmTypes } from './llm.js';
import { moonshineTypes } from './moonshine.js';
import { paraformerTypes } from './paraformer.js';
import { streamingTypes } from './streaming.js';
import { transducerTypes } from './transducer.js';
import { whisperTypes } from './whisper.js';

/** In the order in which types are tried for identification. */
const families = {
	...llmTypes,
	...moonshineTypes,
	...transducerTypes,
	...ctcTypes,
	...paraformerTypes,
	...attentionTypes,
	...whisperTypes,
	...streamingTypes,
} as const satisfies Record<string, Family>;

export type SherpaType = keyof typeof families;

/** In the order in which types are tried for identification. */
export const sherpaTypes = Object.keys(families) as readonly SherpaType[];

export function isSherpaType(type: string): type is SherpaType {
	return Object.hasOwn(families, type);
}

/** Options of every type; streaming types have no `punctuation`. */
const sharedOptions = {
	rule_fsts: { field: 'rule_fsts', kind: 'files' },
	rule_fars: { field: 'rule_fars', kind: 'files' },
	punctuation: { field: '', kind: 'files' },
	provider: { field: '', kind: 'string' },
} as const satisfies Record<string, OptionRule>;

/** Options of types that batch. */
const batchOptions = {
	batch: { field: '', kind: 'integer' },
} as const satisfies Record<string, OptionRule>;

/** The record of a type, with the shared options added. */
export function familyOf(type: SherpaType): Family {
	const family: Family = families[type];
	const { punctuation, ...others } = sharedOptions;
	const options = {
		...family.options,
		...others,
		// Punctuation is added to whole clips, which streaming types do not have.
		...(family.chunk === undefined ? { punctuation } : {}),
		...(family.batches === true ? batchOptions : {}),
	};
	return { ...family, options };
}

/** The `type` of models.yaml for ggml files of Whisper. */
export const whisperType = 'whisper_cpp';
/** The `type` of models.yaml for ggml files of Parakeet, which whisper.cpp runs too. */
export const parakeetType = 'parakeet_cpp';

export type GgmlType = typeof whisperType | typeof parakeetType;

export function isGgmlType(type: string): type is GgmlType {
	return type === whisperType || type === parakeetType;
}

export const modelTypes: readonly string[] = [whisperType, parakeetType, ...sherpaTypes];
