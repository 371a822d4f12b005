/** What a record of a sherpa-onnx model type says: one record per type holds all that Earshot knows of it. */

import type { OnnxFile } from '../../model-files/onnx-file.js';

/** A field of SherpaOnnxOfflineModelConfig, or of the streaming one, below `model_config.`. */
type Field = string;

/** Role → what its file says of itself; without those that are not ONNX (`.ort`). */
export type Networks = ReadonlyMap<string, OnnxFile>;

export interface OptionRule {
	/** Of SherpaOnnxOfflineRecognizerConfig, by dotted path; '' = not the library's. */
	readonly field: string;
	/** `files` = paths with commas between them. */
	readonly kind: 'boolean' | 'integer' | 'number' | 'string' | 'files';
}

export interface Family {
	/** Role in `files` → field that takes its path. */
	readonly files: Readonly<Record<string, Field>>;
	/** Roles that may be left out. */
	readonly optionalFiles?: readonly string[];
	/** Where the type has versions with other files: a model has exactly the roles of one of them. */
	readonly fileSets?: readonly FileSet[];
	/** Roles that are folders. */
	readonly folders?: readonly string[];
	/** `model_type` given to the library, which otherwise loads the encoder once more to find out. */
	readonly modelType?: string;
	/** Name in `options` of models.yaml → field. */
	readonly options?: Readonly<Record<string, OptionRule>>;
	/** Codes of the languages that the type recognizes; absent = depends on the model file. */
	readonly languages?: readonly string[];
	/** Values of options that are not in models.yaml, where the library's own default will not do. */
	readonly defaults?: Readonly<Record<string, string | number | boolean>>;
	/** Fields that one request may change. */
	readonly changes?: {
		readonly language: string;
		/** Of the text, where it may be another than that of the speech. */
		readonly target?: string;
		/** Takes `transcribe` or `translate`. */
		readonly task?: string;
		/** Changing them spoils how features are made, so a second recognizer decodes. */
		readonly apart?: boolean;
	};
	/** The library decodes one clip at a time without a race. */
	readonly exclusive?: boolean;
	/** The library decodes several clips in one pass, not one after another. */
	readonly batches?: boolean;
	/** Takes phrases to listen for, under beam search. */
	readonly hotwords?: boolean;
	/** The stream option that sets the language of one request, and how it is spelt. */
	readonly languageOption?: { readonly name: string; readonly spelling: 'code' | 'english-name' };
	readonly detectsLanguage?: boolean;
	/** What makes a file multilingual: an input of that name; a file without it takes no language. */
	readonly languageInput?: { readonly role: string; readonly name: string; readonly dictionary: string };
	/** Metadata with the languages of a file: `1` where there are several, and their codes with commas between. */
	readonly languageKeys?: { readonly role: string; readonly multilingual: string; readonly codes: string };
	/** It recognizes nothing unless it is given the language. */
	readonly needsLanguage?: boolean;
	/** Tokens carry real start times. */
	readonly times: boolean;
	/** Tokens carry log-probabilities. */
	readonly logprobs: boolean;
	/** The stream option that takes `keywords[]` joined by commas. */
	readonly keywordsOption?: string;
	readonly maxClipSeconds: number;
	readonly minClipSeconds?: number;
	/** It recognizes live speech, chunk by chunk: frames of 10 ms in one, or the metadata that says so. */
	readonly chunk?: number | { readonly role: string; readonly key: string };
	/** What its files must say of themselves. */
	readonly requirements: Requirements;
	/** What a model of this type is known by. */
	readonly identify: IdentifyRule;
}

export interface FileSet {
	/** As a refusal names it. */
	readonly name: string;
	readonly roles: readonly string[];
}

/**
 * What each loader of sherpa-onnx 1.13.8 needs, found by taking it away: each key, missing, ends the process,
 * kills it, or makes every clip fail.
 */
export interface Requirements {
	readonly networks: Readonly<Record<string, NetworkRule>>;
	readonly tokens?: TokensRule;
	/** Files of the tokenizer's folder; JSON where the name says so. */
	readonly tokenizer?: readonly string[];
	/** What is wrong between the files, each of which is right by itself. */
	readonly mismatch?: (networks: Networks) => Mismatch | undefined;
}

/** What one network must say of itself. */
export interface NetworkRule {
	/** Metadata that must be a whole number. */
	readonly integers?: readonly string[];
	/** Metadata that must be numbers with commas between them. */
	readonly lists?: readonly string[];
	/** The first two lists need not be equally long. */
	readonly unevenLists?: boolean;
	/** Metadata that must be there. */
	readonly texts?: readonly string[];
	/** Where the metadata `comment` contains this, only the keys that match are needed. */
	readonly fewerKeys?: { readonly comment: string; readonly keys: RegExp };
	/** What its `model_type` must contain. */
	readonly modelType?: RegExp;
	/** Its first inputs: f = float, i = integer, b = boolean, * = any; then the number of dimensions, or *. */
	readonly inputs: readonly string[];
	/** At least so many. */
	readonly outputs?: number;
}

export interface TokensRule {
	/** At least one of them. */
	readonly blank?: readonly string[];
	/** Every one of them. */
	readonly all?: readonly string[];
	/** Lines hold base64: always, or where the model has a file of that role. */
	readonly base64?: boolean | { readonly with: string };
	/** Exactly as many as this key of this role's metadata says, and so many more. */
	readonly count?: { readonly role: string; readonly key: string; readonly more: number };
	/** The last one. */
	readonly last?: string;
}

export interface Mismatch {
	/** Of the file to blame. */
	readonly role: string;
	readonly why: string;
	readonly cure: string;
}

/** Types are asked in the order of `families`; the first that claims the files has them. */
export interface IdentifyRule {
	/** Sets of roles that no other type has. */
	readonly roles?: readonly (readonly string[])[];
	/** `model_type` in the metadata as exporters write it; where it fits other types alone, a file is refused. */
	readonly exportedAs?: RegExp;
	/**
	 * Whether the metadata of the encoder, or of the only network, is of this type. The keys are those that
	 * sherpa-onnx's own loaders look for. `kind`: `model_type` in lower case with `_` for `-`; '' = none.
	 */
	readonly metadata?: (kind: string, has: (key: string) => boolean) => boolean;
	/** What its publisher's name contains, in lower case with `-` for `_`: asked where the metadata says nothing. */
	readonly name?: RegExp;
}

/** Attention memory grows with the square of the length, and quality falls on long single passes. */
export const usualClipSeconds = 20;

/** Metadata of low frame rate features: frames in one, and the step between them. */
export const lfr = ['lfr_window_size', 'lfr_window_shift'] as const;

/** Metadata of models that decode chunk by chunk: Zipformer's, NeMo's, Paraformer's. */
export const streamingKeys: readonly string[] = [
	'decode_chunk_len',
	'chunk_shift',
	'decoder_num_blocks',
	'streaming_model_type',
];
