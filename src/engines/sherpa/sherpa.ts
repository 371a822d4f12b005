/** sherpa-onnx behind the Engine interface: one shared recognizer, one thread per lane. */

import path from 'node:path';
import type { Model, RawResult, SherpaClipOptions, SherpaInfo, StreamingModel } from '../../../binding.js';
import { addon, fromNative, guarded, transcribeBatch } from '../../addon/addon.js';
import { EarshotError } from '../../errors.js';
import { languageName } from '../../languages.js';
import type { Family } from '../../models/types/family.js';
import { familyOf, type SherpaType } from '../../models/types/types.js';
import { packageRoot } from '../../paths.js';
import type { Clip, ClipResult, ClipSegment } from '../../speech/clip.js';
import type { ModelFacts } from '../../speech/model-info.js';
import type { RecognizeOptions } from '../../speech/options.js';
import type { Batch, Engine, Limits, SpeechStream, StreamingEngine } from '../engine.js';
import { hasLogprobs, hasTimes, logprobsOf, startsUnspaced, textOf, wordsOf } from '../tokens.js';
import { type Checked, isDynamicallyQuantised, languagesOf, preflight } from './validate/validate.js';

export interface SherpaSettings {
	readonly id: string;
	readonly type: SherpaType;
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	/** As in models.yaml, already checked against the family. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** What the model hears where the family's table cannot know; null = not told. */
	readonly languages: readonly string[] | null;
	readonly libraryDir: string;
	readonly lanes: number;
}

/** Of every clip, Hz. */
const sampleRate = 16_000;

/** Stretches of speech this near to each other are one utterance. */
const mergeGapSeconds = 0.5;

/** Clips decoded in one pass where nothing else is said. */
const usualBatchClips = 8;
/**
 * Longest × count. On a CPU short clips gain by sharing each reading of the weights: of a Zipformer in f32 a third at
 * one second, a fifth at three. At seven that is over, and far past 12 s in one pass they leave the caches.
 */
const maxBatchSeconds = { cpu: 12, other: 30 } as const;

export async function loadSherpa(settings: SherpaSettings): Promise<Engine> {
	const family = familyOf(settings.type);
	const checked = await preflight(settings);
	const provider = providerOf(settings);
	const tailSeconds = tailSecondsOf(family, checked);
	const common = {
		libraryDir: settings.libraryDir,
		// The express lane's too.
		lanes: settings.lanes + 1,
		config: configOf(family, settings),
	};
	const model = await guarded<Model<SherpaClipOptions, SherpaInfo> | StreamingModel>(() =>
		tailSeconds !== undefined
			? addon().loadStreaming({ ...common, tailSeconds })
			: addon().loadSherpa({
					...common,
					changesApart: family.changes?.apart ?? false,
					exclusive: family.exclusive ?? false,
					punctuation: textOption(settings, 'punctuation') ?? '',
				}),
	);
	if (model.info.fallback !== '') {
		await model.close();
		throw new EarshotError(
			'model_load_failed',
			`its option \`provider\` is \`${provider}\`, which this sherpa-onnx does not have (it has ${model.info.providers.join(', ')}); ` +
				'leave it out, or give the folder of a build that has it with --sherpa-dir',
		);
	}
	const told = languagesOf(checked, settings.type);
	const known = {
		languages: settings.languages ?? told,
		quantised: isDynamicallyQuantised(checked, settings.files),
	};
	const fitted = family.languageInput !== undefined && told === null ? withoutLanguage(family) : family;
	if ('stream' in model) return new StreamingSherpaEngine(model, fitted, settings, known);
	return new SherpaEngine(model, fitted, settings, known);
}

/** A family of which some files take a language, for one that takes none. */
function withoutLanguage({ languageOption: _, detectsLanguage: __, ...family }: Family): Family {
	return family;
}

/** Silence that lets a streaming model hear the end of a clip: what is behind it, and the chunk that it is in. */
function tailSecondsOf({ chunk }: Family, { networks }: Checked): number | undefined {
	if (chunk === undefined) return undefined;
	const frames =
		typeof chunk === 'number' ? chunk : Number(networks.get(chunk.role)?.metadata.get(chunk.key));
	return (2 * frames) / 100;
}

/** The recognizer's configuration, field by field. Pure. */
export function configOf(
	family: Family,
	settings: Pick<SherpaSettings, 'files' | 'options'>,
): Record<string, string | number> {
	const provider = providerOf(settings);
	const config: Record<string, string | number> = {
		// One thread per lane: the lanes are the parallelism, and threads of one session would contend.
		'model_config.num_threads': 1,
		'model_config.provider':
			provider === 'cpu' ? `cpu:${path.join(packageRoot, 'native', 'onnxruntime-cpu.conf')}` : provider,
		decoding_method: 'greedy_search',
	};
	// How long silence must be to end what was said, the library knows itself.
	if (family.chunk !== undefined) config.enable_endpoint = 1;
	if (family.modelType !== undefined) config['model_config.model_type'] = family.modelType;
	for (const [role, field] of Object.entries(family.files)) {
		const file = settings.files[role];
		if (file !== undefined) config[`model_config.${field}`] = file;
	}
	for (const [name, value] of Object.entries({ ...family.defaults, ...settings.options })) {
		const rule = family.options?.[name];
		if (rule === undefined || rule.field === '') continue;
		config[rule.field] = typeof value === 'boolean' ? Number(value) : value;
	}
	const { changes } = family;
	if (changes?.target !== undefined) config[changes.target] = config[changes.language] ?? '';
	return config;
}

/** `cpu`, `cuda` or `coreml`. */
function providerOf(settings: Pick<SherpaSettings, 'options'>): string {
	return textOption(settings, 'provider') ?? 'cpu';
}

function textOption({ options }: Pick<SherpaSettings, 'options'>, name: string): string | undefined {
	const value = options[name];
	return typeof value === 'string' && value !== '' ? value : undefined;
}

interface Known {
	/** Codes the model may be asked for; null = not told. */
	readonly languages: readonly string[] | null;
	/** Its results depend on what they are batched with. */
	readonly quantised: boolean;
}

class SherpaEngine implements Engine {
	readonly facts: ModelFacts;
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
			lanes: settings.lanes,
			// A family that runs one clip at a time would only wait inside the library.
			expressLane: family.exclusive !== true,
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
		this.facts = {
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
		const { languages } = this.facts.capabilities;
		return new EarshotError(
			'invalid_request',
			`Expected \`language\` to be one of ${languages?.join(', ')}, got nothing: the model \`${this.facts.id}\` cannot detect it`,
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

class StreamingSherpaEngine extends SherpaEngine implements StreamingEngine {
	readonly #streaming: StreamingModel;

	constructor(model: StreamingModel, family: Family, settings: SherpaSettings, known: Known) {
		super(model, family, settings, known);
		this.#streaming = model;
	}

	/** Throws `closed`. */
	stream(options: RecognizeOptions): SpeechStream {
		const stream = this.#openStream(options);
		let heard = 0;
		return {
			feed: async (samples, last) => {
				heard += samples.length / sampleRate;
				try {
					const { result, endpoint } = await guarded(() => stream.feed(samples, last));
					const clip = { samples, start: 0, end: heard };
					return { result: this.resultOf(result, clip, options), endpoint };
				} catch (thrown) {
					throw asRefusal(thrown);
				}
			},
			close: () => guarded(() => stream.close()),
		};
	}

	#openStream(options: RecognizeOptions) {
		try {
			return this.#streaming.stream(this.hearingOf(options));
		} catch (thrown) {
			throw fromNative(thrown);
		}
	}
}

/** Words that the model has no tokens for are the request's fault. */
function asRefusal(thrown: unknown): unknown {
	if (!(thrown instanceof EarshotError) || !thrown.message.includes('hotwords cannot be written'))
		return thrown;
	return new EarshotError(
		'unsupported_value',
		'Expected `keywords` to be words that the tokens of the model can write; if it is a BPE model, ' +
			'its options `modeling_unit` and `bpe_vocab` must be set',
		{ param: 'keywords', cause: thrown },
	);
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

function resultOf(
	raw: RawResult,
	clip: Clip,
	options: RecognizeOptions,
	family: Family,
	usual: string | null,
): ClipResult {
	const asked = family.languageOption || family.changes ? options.language : null;
	const language = raw.language !== '' ? raw.language : (asked ?? usual);
	const range = { from: 0, to: raw.tokenEnds.length };
	const text = (raw.text !== '' ? raw.text : textOf(raw, range)).trim();
	if (text === '') return { language, segments: [] };
	if (options.words && !(family.times && hasTimes(raw, range))) {
		// The family has times, this export of it (Paraformer's have two forms) does not; or they are made up.
		throw new EarshotError('unsupported_value', 'This model file gives no times for words', {
			param: 'timestamp_granularities',
		});
	}
	const clipSeconds = clip.end - clip.start;
	const withLogprobs = family.logprobs && hasLogprobs(raw, range);
	const segment: ClipSegment = {
		...boundsOf(raw, clipSeconds, family.times),
		// The leading space joins it to the segment before, where the script has spaces at all.
		text: startsUnspaced(text) ? text : ` ${text}`,
		tokens: [...raw.tokenIds].filter((id) => id >= 0),
		temperature: 0,
		avgLogprob: withLogprobs ? mean(raw.tokenLogprobs) : null,
		noSpeechProb: null,
		...(options.words ? { words: wordsOf(raw, range, clipSeconds) } : {}),
		...(options.logprobs && withLogprobs ? { logprobs: logprobsOf(raw, range) } : {}),
		...(raw.emotion !== '' ? { emotion: raw.emotion } : {}),
		...(raw.event !== '' ? { event: raw.event } : {}),
	};
	return { language, segments: [segment] };
}

/** The stretch of the clip that was spoken, as far as the tokens tell; else the whole clip. */
function boundsOf(raw: RawResult, clipSeconds: number, times: boolean): { start: number; end: number } {
	const tokens = raw.tokenEnds.length;
	if (!times || !hasTimes(raw, { from: 0, to: tokens })) return { start: 0, end: clipSeconds };
	const words = wordsOf(raw, { from: 0, to: tokens }, clipSeconds);
	return { start: words[0]?.start ?? 0, end: words.at(-1)?.end ?? clipSeconds };
}

function mean(values: Float32Array): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}
