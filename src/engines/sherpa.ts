/** sherpa-onnx behind the Engine interface: one shared recognizer, one thread per lane. */

import path from 'node:path';
import type { Model, RawResult, SherpaClipOptions, SherpaInfo } from '../../binding.js';
import { EarshotError } from '../errors.js';
import { languageName } from '../languages.js';
import type {
	Batch,
	Capabilities,
	Clip,
	ClipResult,
	ClipSegment,
	Engine,
	Limits,
	ModelFacts,
	RecognizeOptions,
} from './engine.js';
import { type Family, familyOf, type SherpaType } from './families.js';
import { addon, guarded, packageRoot } from './native.js';
import { preflight } from './preflight.js';
import { hasLogprobs, hasTimes, logprobsOf, startsUnspaced, textOf, wordsOf } from './tokens.js';

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

/** Stretches of speech this near to each other are one utterance. */
const mergeGapSeconds = 0.5;

export async function loadSherpa(settings: SherpaSettings): Promise<Engine> {
	const family = familyOf(settings.type);
	await preflight(settings);
	const model = await guarded(() =>
		addon().loadSherpa({
			libraryDir: settings.libraryDir,
			lanes: settings.lanes,
			config: configOf(family, settings),
		}),
	);
	return new SherpaEngine(model, family, settings);
}

/** The recognizer's configuration, field by field. Pure. */
export function configOf(
	family: Family,
	settings: Pick<SherpaSettings, 'files' | 'options'>,
): Record<string, string | number> {
	const config: Record<string, string | number> = {
		// One thread per lane: the lanes are the parallelism, and threads of one session would contend.
		'model_config.num_threads': 1,
		'model_config.provider': `cpu:${path.join(packageRoot, 'native', 'onnxruntime-cpu.conf')}`,
		decoding_method: 'greedy_search',
	};
	if (family.modelType !== undefined) config['model_config.model_type'] = family.modelType;
	for (const [role, field] of Object.entries(family.files)) {
		const file = settings.files[role];
		if (file !== undefined) config[`model_config.${field}`] = file;
	}
	for (const [name, value] of Object.entries(settings.options)) {
		const rule = family.options?.[name];
		if (rule) config[`model_config.${rule.field}`] = typeof value === 'boolean' ? Number(value) : value;
	}
	return config;
}

class SherpaEngine implements Engine {
	readonly facts: ModelFacts;
	readonly limits: Limits;
	readonly #model: Model<SherpaClipOptions, SherpaInfo>;
	readonly #family: Family;
	/** The one it hears, where it is configured for one or knows no other. */
	readonly #onlyLanguage: string | null;
	#nextClip = 1;

	constructor(model: Model<SherpaClipOptions, SherpaInfo>, family: Family, settings: SherpaSettings) {
		this.#model = model;
		this.#family = family;
		this.#onlyLanguage = onlyLanguage(settings);
		this.limits = {
			lanes: settings.lanes,
			maxBatchClips: 1,
			maxBatchSeconds: family.maxClipSeconds,
			padded: true,
			maxClipSeconds: family.maxClipSeconds,
			minClipSeconds: family.minClipSeconds ?? 0.2,
			mergeGapSeconds,
		};
		this.facts = {
			id: settings.id,
			engine: 'sherpa-onnx',
			type: settings.type,
			device: 'CPU',
			capabilities: capabilitiesOf(family, this.#onlyLanguage, settings.languages),
		};
	}

	async run(batch: Batch, signal: AbortSignal): Promise<ClipResult[]> {
		const results: ClipResult[] = [];
		for (const clip of batch.clips) {
			const raw = await this.#transcribe(clip, batch.options, signal);
			results.push(resultOf(raw, clip, batch.options, this.#family, this.#onlyLanguage));
		}
		return results;
	}

	async #transcribe(clip: Clip, options: RecognizeOptions, signal: AbortSignal): Promise<RawResult> {
		if (signal.aborted) throw new EarshotError('cancelled', 'the clip was cancelled');
		const number = this.#nextClip++;
		const cancel = () => this.#model.cancel(number);
		signal.addEventListener('abort', cancel, { once: true });
		try {
			return await guarded(() =>
				this.#model.transcribe(clip.samples, {
					clip: number,
					stream: streamOptions(this.#family, options),
					hotwords: '',
				}),
			);
		} finally {
			signal.removeEventListener('abort', cancel);
		}
	}

	close(): Promise<void> {
		return guarded(() => this.#model.close());
	}
}

function onlyLanguage({ options, languages }: SherpaSettings): string | null {
	const { language } = options;
	if (typeof language === 'string' && language !== '' && language !== 'auto') return language;
	return languages?.length === 1 ? (languages[0] ?? null) : null;
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

function capabilitiesOf(
	family: Family,
	onlyLanguage: string | null,
	declared: readonly string[] | null,
): Capabilities {
	return {
		languages: onlyLanguage === null ? (declared ?? family.languages ?? null) : [onlyLanguage],
		choosesLanguage: family.languageOption !== undefined,
		choosesAmongLanguages: false,
		detectsLanguage: family.detectsLanguage ?? false,
		translates: false,
		prompt: false,
		keywords: family.keywordsOption !== undefined,
		temperature: false,
		words: family.times,
		logprobs: family.logprobs,
		noSpeechProb: false,
	};
}

function resultOf(
	raw: RawResult,
	clip: Clip,
	options: RecognizeOptions,
	family: Family,
	onlyLanguage: string | null,
): ClipResult {
	const language =
		raw.language !== '' ? raw.language : (onlyLanguage ?? (family.languageOption ? options.language : null));
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
