/** The record of a sherpa-onnx model type: everything that Earshot knows about the type. */

import type { OnnxFile } from '../../model-files/onnx-file.js';

/** A field of SherpaOnnxOfflineModelConfig or SherpaOnnxOnlineModelConfig, below `model_config.`. */
type Field = string;

/** Role → metadata of its file; without files that are not ONNX (`.ort`). */
export type Networks = ReadonlyMap<string, OnnxFile>;

export interface OptionRule {
	/** Dotted path in SherpaOnnxOfflineRecognizerConfig; '' = handled by Earshot, not the library. */
	readonly field: string;
	/** `files` = comma-separated paths. */
	readonly kind: 'boolean' | 'integer' | 'number' | 'string' | 'files';
}

export interface Family {
	/** Role in `files` → field for its path. */
	readonly files: Readonly<Record<string, Field>>;
	/** Keys of `files` in other programs' models.yaml → role. */
	readonly otherKeys?: Readonly<Record<string, string>>;
	/** Roles that may be absent. */
	readonly optionalFiles?: readonly string[];
	/** For types whose versions have different files: a model has exactly the roles of one set. */
	readonly fileSets?: readonly FileSet[];
	/** Roles that are folders. */
	readonly folders?: readonly string[];
	/** `model_type` for the library, which without it loads the encoder twice to find out. */
	readonly modelType?: string;
	/** Name in `options` of models.yaml → field. */
	readonly options?: Readonly<Record<string, OptionRule>>;
	/** Language codes that the type recognizes; absent = depends on the model file. */
	readonly languages?: readonly string[];
	/** Values for options absent from models.yaml, where the library's own default is unsuitable. */
	readonly defaults?: Readonly<Record<string, string | number | boolean>>;
	/** Configuration fields that a request may change. */
	readonly changes?: {
		readonly language: string;
		/** Language of the text, where it may differ from that of the speech. */
		readonly target?: string;
		/** Takes `transcribe` or `translate`. */
		readonly task?: string;
		/** Changing them breaks feature extraction, so a second recognizer decodes. */
		readonly apart?: boolean;
	};
	/** Decoding is not thread-safe: one clip at a time. */
	readonly exclusive?: boolean;
	/** The library decodes several clips in one pass, not one after another. */
	readonly batches?: boolean;
	/** Supports hotwords, with beam search. */
	readonly hotwords?: boolean;
	/** The stream option that sets the language of one request, and its spelling. */
	readonly languageOption?: { readonly name: string; readonly spelling: 'code' | 'english-name' };
	readonly detectsLanguage?: boolean;
	/** The input that makes a file multilingual; a file without it takes no language. `dictionary`: metadata key. */
	readonly languageInput?: { readonly role: string; readonly name: string; readonly dictionary: string };
	/** Metadata keys: `multilingual` is `1` for several languages, `codes` lists them comma-separated. */
	readonly languageKeys?: { readonly role: string; readonly multilingual: string; readonly codes: string };
	/** A request must give the language, or nothing is recognized. */
	readonly needsLanguage?: boolean;
	/** Tokens have real start times. */
	readonly times: boolean;
	/** Tokens have log-probabilities. */
	readonly logprobs: boolean;
	/** The stream option that takes `keywords[]` joined by commas. */
	readonly keywordsOption?: string;
	readonly maxClipSeconds: number;
	readonly minClipSeconds?: number;
	/** Streaming types only: 10 ms frames per chunk, or the metadata key that holds that number. */
	readonly chunk?: number | { readonly role: string; readonly key: string };
	/** What its files must contain. */
	readonly requirements: Requirements;
	/** How a model of this type is identified. */
	readonly identify: IdentifyRule;
}

export interface FileSet {
	/** As error messages call it. */
	readonly name: string;
	readonly roles: readonly string[];
}

/**
 * What each loader of sherpa-onnx 1.13.8 requires, found by removing it: without any one of these keys the process
 * exits or crashes, or every clip fails.
 */
export interface Requirements {
	readonly networks: Readonly<Record<string, NetworkRule>>;
	readonly tokens?: TokensRule;
	/** Files in the tokenizer's folder; those named .json must be JSON. */
	readonly tokenizer?: readonly string[];
	/** Finds files that are each valid but do not fit together. */
	readonly mismatch?: (networks: Networks) => Mismatch | undefined;
}

/** What the metadata, inputs and outputs of one network must be. */
export interface NetworkRule {
	/** Metadata keys whose value must be a whole number. */
	readonly integers?: readonly string[];
	/** Metadata keys whose value must be comma-separated numbers. */
	readonly lists?: readonly string[];
	/** The first two lists need not be equally long. */
	readonly unevenLists?: boolean;
	/** Metadata keys that must exist. */
	readonly texts?: readonly string[];
	/** If the metadata `comment` contains this, only the matching keys are required. */
	readonly fewerKeys?: { readonly comment: string; readonly keys: RegExp };
	/** Pattern that its `model_type` must match. */
	readonly modelType?: RegExp;
	/** Its first inputs: f = float, i = integer, b = boolean, * = any; then the number of dimensions, or *. */
	readonly inputs: readonly string[];
	/** Minimum number of outputs. */
	readonly outputs?: number;
}

export interface TokensRule {
	/** At least one of these tokens must exist. */
	readonly blank?: readonly string[];
	/** All of these tokens must exist. */
	readonly all?: readonly string[];
	/** Tokens are base64: always, or if the model has a file of that role. */
	readonly base64?: boolean | { readonly with: string };
	/** The exact number of tokens: the value of this metadata key of this role, plus `more`. */
	readonly count?: { readonly role: string; readonly key: string; readonly more: number };
	/** The last token. */
	readonly last?: string;
}

export interface Mismatch {
	/** Role of the faulty file. */
	readonly role: string;
	readonly why: string;
	/** What to do about it. */
	readonly cure: string;
}

/** How to identify a type. Types are tried in the order of `families`; the first match wins. */
export interface IdentifyRule {
	/** Sets of roles that no other type has. */
	readonly roles?: readonly (readonly string[])[];
	/** `model_type` in the metadata as exporters write it; a file whose value matches only other types is refused. */
	readonly exportedAs?: RegExp;
	/**
	 * Whether the metadata of the encoder, or of the only network, is that of this type. The keys are those that
	 * sherpa-onnx's own loaders read. `kind`: `model_type` in lower case with `_` for `-`; '' = none.
	 */
	readonly metadata?: (kind: string, has: (key: string) => boolean) => boolean;
	/** Matches the published folder name, in lower case with `-` for `_`; used where the metadata is not conclusive. */
	readonly name?: RegExp;
}

/** Longer clips cost more: attention memory grows with the square of the length, and quality falls. */
export const typicalClipSeconds = 20;

/** Metadata keys of low frame rate features: frames stacked into one, and the step between them. */
export const lfr = ['lfr_window_size', 'lfr_window_shift'] as const;

/** Metadata keys of streaming models: of Zipformer, NeMo and Paraformer. */
export const streamingKeys: readonly string[] = [
	'decode_chunk_len',
	'chunk_shift',
	'decoder_num_blocks',
	'streaming_model_type',
];
