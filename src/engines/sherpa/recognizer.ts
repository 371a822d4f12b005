/** sherpa-onnx behind the Engine interface: one shared recognizer, one thread per slot. */

import type { Model, RawResult, SherpaClipOptions, SherpaInfo } from '../../../binding.js';
import { guarded, transcribeBatch } from '../../addon/addon.js';
import { EarshotError } from '../../errors.js';
import { languageName } from '../../languages.js';
import type { Family } from '../../models/types/family.js';
import type { Clip, ClipResult } from '../../speech/clip.js';
import type { ModelInfo } from '../../speech/model-info.js';
import type { RecognizeOptions } from '../../speech/options.js';
import type { Batch, Engine, Limits } from '../engine.js';
import { providerOf, type SherpaSettings } from './config.js';
import { asRefusal, resultOf } from './result.js';

/** Stretches of speech this near to each other are one utterance. */
const mergeGapSeconds = 0.5;

/** Clips decoded in one pass where nothing else is said. */
const usualBatchClips = 8;
/**
 * Longest × count. On a CPU short clips gain by sharing each reading of the weights: of a Zipformer in f32 a third at
 * one second, a fifth at three. At seven that is over, and far past 12 s in one pass they leave the caches.
 */
const maxBatchSeconds = { cpu: 12, other: 30 } as const;

export interface Known {
	/** Codes the model may be asked for; null = not told. */
	readonly languages: readonly string[] | null;
	/** Its results depend on what they are batched with. */
	readonly quantised: boolean;
}

export class SherpaEngine implements Engine {
	readonly info: ModelInfo;
	readonly limits: Limits;
	readonly #model: Model<SherpaClipOptions, SherpaInfo>;
	readonly #family: Family;
	/** What it hears when nobody says: the one it is configured for, or its only one. */
	readonly #usualLanguage: string | null;
	readonly #takesHotwords: boolean;
	#nextClip = 1;

	constructor(
		model: Model<SherpaClipOptions, SherpaInfo>,
		family: Family,
		settings: SherpaSettings,
		known: Known,
	) {
		this.#model = model;
		this.#family = family;
		this.#usualLanguage = usualLanguage(settings, family);
		this.#takesHotwords =
			family.hotwords === true && settings.options.decoding_method === 'modified_beam_search';
		const { batch } = settings.options;
		const batchClips = typeof batch === 'number' ? Math.max(1, batch) : known.quantised ? 1 : usualBatchClips;
		this.limits = {
			slots: settings.slots,
			// A family that runs one clip at a time would only wait inside the library.
			prioritySlot: family.exclusive !== true,
			maxClipThreads: 1,
			maxBatchClips: family.batches === true ? batchClips : 1,
			maxBatchSeconds: maxBatchSeconds[providerOf(settings) === 'cpu' ? 'cpu' : 'other'],
			padded: true,
			maxClipSeconds: family.maxClipSeconds,
			minClipSeconds: family.minClipSeconds ?? 0.2,
			mergeGapSeconds,
		};
		const chooses = family.languageOption !== undefined || family.changes !== undefined;
		const translates = family.changes?.target !== undefined || family.changes?.task !== undefined;
		this.info = {
			id: settings.id,
			engine: 'sherpa-onnx',
			type: settings.type,
			device: providerOf(settings).toUpperCase(),
			capabilities: {
				languages: chooses || this.#usualLanguage === null ? known.languages : [this.#usualLanguage],
				choosesLanguage: chooses,
				choosesAmongLanguages: false,
				detectsLanguage: family.detectsLanguage ?? false,
				translates: translates && (known.languages?.length ?? 2) > 1,
				prompt: false,
				keywords: family.keywordsOption !== undefined || this.#takesHotwords,
				temperature: false,
				words: family.times,
				logprobs: family.logprobs,
				noSpeechProb: false,
			},
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
				...this.hearingOf(options),
				changes: changesOf(this.#family, options, this.#usualLanguage),
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
		if (this.#family.needsLanguage !== true || language !== null || this.#usualLanguage !== null)
			return undefined;
		const { languages } = this.info.capabilities;
		return new EarshotError(
			'invalid_request',
			`Expected \`language\` to be one of ${languages?.join(', ')}, got nothing: the model \`${this.info.id}\` cannot detect it`,
			{ param: 'language' },
		);
	}

	protected hearingOf(options: RecognizeOptions): Pick<SherpaClipOptions, 'stream' | 'hotwords'> {
		return {
			stream: streamOptions(this.#family, options),
			hotwords: this.#takesHotwords ? options.keywords.map(asHotword).join('/') : '',
		};
	}

	protected resultOf(raw: RawResult, clip: Clip, options: RecognizeOptions): ClipResult {
		return resultOf(raw, clip, options, this.#family, this.#usualLanguage);
	}

	close(): Promise<void> {
		return guarded(() => this.#model.close());
	}
}

/** '/' stands between phrases, and ':' before a score. */
function asHotword(keyword: string): string {
	return keyword.replaceAll(/[/:#@]/g, ' ').trim();
}

function usualLanguage({ options, languages }: SherpaSettings, { defaults }: Family): string | null {
	const language = options.language ?? defaults?.language;
	if (typeof language === 'string' && language !== '' && language !== 'auto') return language;
	return languages?.length === 1 ? (languages[0] ?? null) : null;
}

/** What this request changes of the configuration loaded; nothing where it asks for what is the usual. */
function changesOf(
	{ changes }: Family,
	{ language, task }: RecognizeOptions,
	usual: string | null,
): Record<string, string | number> {
	if (!changes) return {};
	const wanted: Record<string, string | number> = {};
	if (language !== null && language !== usual) {
		wanted[changes.language] = language;
		if (changes.target !== undefined) wanted[changes.target] = language;
	}
	if (task === 'translate' && changes.task !== undefined) wanted[changes.task] = 'translate';
	if (task === 'translate' && changes.target !== undefined) wanted[changes.target] = 'en';
	return wanted;
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
