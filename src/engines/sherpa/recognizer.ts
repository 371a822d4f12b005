/** sherpa-onnx as an Engine: one shared recognizer, one thread per slot. */

import type { Model, RawResult, SherpaClipOptions, SherpaInfo } from '../../../binding.js';
import { guarded, transcribeBatch } from '../../addon/addon.js';
import { EarshotError } from '../../core/errors.js';
import { languageName } from '../../core/languages.js';
import type { Clip, ClipResult } from '../../core/speech/clip.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { defaultLanguage, sherpaCapabilities, takesHotwords } from '../../models/types/capabilities.js';
import type { Family } from '../../models/types/family.js';
import type { Batch, Engine, Limits } from '../engine.js';
import { providerOf, type SherpaSettings } from './config.js';
import { asRefusal, resultOf } from './result.js';

/** Spans of speech separated by at most this are one utterance. */
const mergeGapSeconds = 0.5;

/**
 * Longest × count, audio seconds. On a CPU short clips gain because the weights are read once per batch: with a
 * Zipformer in f32, a third at 1 s per clip and a fifth at 3 s. At 7 s the gain is gone, and batches far above 12 s no
 * longer fit into the caches.
 */
const maxBatchSeconds = { cpu: 12, other: 30 } as const;

export interface ModelTraits {
	/** Codes that a request may give; null = unknown. */
	readonly languages: readonly string[] | null;
	/** Clips that may be decoded at once. */
	readonly batch: number;
}

export class SherpaEngine implements Engine {
	readonly info: ModelInfo;
	readonly limits: Limits;
	readonly #model: Model<SherpaClipOptions, SherpaInfo>;
	readonly #family: Family;
	/** Language when a request gives none: the configured one, or the model's only one. */
	readonly #defaultLanguage: string | null;
	readonly #takesHotwords: boolean;
	#nextClip = 1;

	constructor(
		model: Model<SherpaClipOptions, SherpaInfo>,
		family: Family,
		settings: SherpaSettings,
		traits: ModelTraits,
	) {
		this.#model = model;
		this.#family = family;
		this.#defaultLanguage = defaultLanguage(family, settings.options, settings.languages);
		this.#takesHotwords = takesHotwords(family, settings.options);
		this.limits = {
			slots: settings.slots,
			// Clips of a family that runs one at a time would only wait inside the library.
			prioritySlot: family.exclusive !== true,
			maxClipThreads: 1,
			maxBatchClips: traits.batch,
			maxBatchSeconds: maxBatchSeconds[providerOf(settings) === 'cpu' ? 'cpu' : 'other'],
			padded: true,
			maxClipSeconds: family.maxClipSeconds,
			minClipSeconds: family.minClipSeconds ?? 0.2,
			mergeGapSeconds,
		};
		this.info = {
			id: settings.id,
			engine: 'sherpa-onnx',
			type: settings.type,
			device: providerOf(settings).toUpperCase(),
			capabilities: sherpaCapabilities(family, {
				options: settings.options,
				configured: settings.languages,
				languages: traits.languages,
			}),
		};
	}

	run({ clips, options }: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[] {
		const missing = this.#missingLanguage(options);
		if (missing) return clips.map(() => Promise.reject(missing));
		const raws = transcribeBatch(
			this.#model,
			clips.map(({ samples }) => samples),
			{
				clip: this.#nextClip++,
				...this.streamOptionsOf(options),
				changes: changesOf(this.#family, options, this.#defaultLanguage),
			},
			signals,
		);
		return clips.map(async (clip, at) => {
			const raw = await raws[at]?.catch((thrown: unknown) => {
				throw asRefusal(thrown);
			});
			if (raw === undefined) throw new EarshotError('engine_failed', 'the engine gave no result for a clip');
			return this.resultOf(raw, clip, options);
		});
	}

	#missingLanguage({ language }: RecognizeOptions): EarshotError | undefined {
		if (this.#family.needsLanguage !== true || language !== null || this.#defaultLanguage !== null)
			return undefined;
		const { languages } = this.info.capabilities;
		return new EarshotError(
			'invalid_request',
			`Expected \`language\` to be one of ${languages?.join(', ')}, got nothing: the model \`${this.info.id}\` cannot detect it`,
			{ param: 'language' },
		);
	}

	protected streamOptionsOf(options: RecognizeOptions): Pick<SherpaClipOptions, 'stream' | 'hotwords'> {
		return {
			stream: streamOptions(this.#family, options),
			hotwords: this.#takesHotwords ? options.keywords.map(asHotword).join('/') : '',
		};
	}

	protected resultOf(raw: RawResult, clip: Clip, options: RecognizeOptions): ClipResult {
		return resultOf(raw, clip, options, this.#family, this.#defaultLanguage);
	}

	close(): Promise<void> {
		return guarded(() => this.#model.close());
	}
}

/** Replaces characters with a meaning: '/' separates phrases, ':' precedes a score. */
function asHotword(keyword: string): string {
	return keyword.replaceAll(/[/:#@]/g, ' ').trim();
}

/** The configuration fields that differ for this request; empty if it uses the defaults. */
function changesOf(
	{ changes }: Family,
	{ language, task }: RecognizeOptions,
	configured: string | null,
): Record<string, string | number> {
	if (!changes) return {};
	const changed: Record<string, string | number> = {};
	if (language !== null && language !== configured) {
		changed[changes.language] = language;
		if (changes.target !== undefined) changed[changes.target] = language;
	}
	if (task === 'translate' && changes.task !== undefined) changed[changes.task] = 'translate';
	if (task === 'translate' && changes.target !== undefined) changed[changes.target] = 'en';
	return changed;
}

function streamOptions(family: Family, options: RecognizeOptions): Record<string, string> {
	const stream: Record<string, string> = {};
	if (family.languageOption && options.language !== null) {
		const { name, spelling } = family.languageOption;
		stream[name] = spelling === 'code' ? options.language : languageName(options.language);
	}
	if (family.keywordsOption !== undefined && options.keywords.length > 0) {
		stream[family.keywordsOption] = options.keywords.join(',');
	}
	return stream;
}
