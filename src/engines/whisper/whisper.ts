/** whisper.cpp as an Engine: one read-only context, one state per slot. */

import type { RawResult, WhisperModel } from '../../../binding.js';
import { addon, guarded, transcribeBatch } from '../../addon/addon.js';
import type { ModelOptions } from '../../core/config/resolve.js';
import { EarshotError } from '../../core/errors.js';
import type { Clip, ClipResult, ClipSegment } from '../../core/speech/clip.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { compressionRatios } from '../../core/speech/text.js';
import type { Word } from '../../core/speech/transcript.js';
import { parakeetCapabilities, whisperCapabilities } from '../../models/types/capabilities.js';
import type { Batch, Engine, Limits } from '../engine.js';
import { hasLogprobs, hasTimes, logprobsOf, textOf, wordsOf } from '../tokens.js';
import { contextFor, missesSound } from './audio-context.js';
import { beamSizeFor } from './beam-size.js';
import { type EncoderSettings, loadWithEncoder } from './encoder.js';
import { weightsFolder } from './weights-folder.js';

export interface WhisperSettings extends ModelOptions {
	readonly id: string;
	readonly path: string;
	readonly slots: number;
	/** Maximum number of threads for a single clip. */
	readonly maxThreads: number;
	readonly useGpu: boolean;
	readonly gpuDevice: number;
	/** Ids of text tokens that are never generated. */
	readonly suppress: readonly number[];
	/** Layer and head alternating; empty = OpenAI's heads, for models of the shapes that OpenAI published. */
	readonly alignmentHeads: readonly number[];
	/** See EncoderSettings; for the encoder `onnx-int8`. */
	readonly int8Weights: EncoderSettings['int8Weights'];
	/** Folder of the sherpa-onnx libraries, which include ONNX Runtime; undefined = not installed. */
	readonly libraryDir: string | undefined;
}

/** Whisper always encodes windows of 30 s, so short spans of speech are merged into one clip. */
const limits = {
	maxBatchClips: 1,
	// No clip of a batch gets its first token before all are encoded: long clips would delay short ones.
	maxBatchSeconds: 40,
	padded: false,
	maxClipSeconds: 30,
	// Whisper is known to be weak on clips under a second, so they are padded with silence.
	minClipSeconds: 1.1,
	mergeGapSeconds: 2,
} as const;

/** Parakeet's encoder costs in proportion to the clip's length, so there is less merging and padding. */
const parakeetLimits = { ...limits, minClipSeconds: 0.5, mergeGapSeconds: 0.5 } as const;

type ParakeetSettings = Pick<
	WhisperSettings,
	'id' | 'path' | 'slots' | 'maxThreads' | 'useGpu' | 'gpuDevice'
>;

/** whisper.cpp's own Parakeet: it has no options and reports no language. */
export async function loadParakeet(settings: ParakeetSettings): Promise<Engine> {
	const whole = {
		...settings,
		beamSize: 1,
		temperatureIncrement: 0,
		logprobThreshold: -1,
		compressionRatioThreshold: 100,
		noSpeechThreshold: 0.6,
		suppressNonSpeech: false,
		suppress: [],
		alignmentHeads: [],
		encoder: 'ggml',
		decoderWeights: 'as-is',
		weightsDir: '',
		audioContext: 'full',
		libraryDir: undefined,
	} as const;
	const model = await guarded(() => addon().loadParakeet({ ...whole, slots: settings.slots + 1 }));
	return new WhisperEngine(model, whole, {
		type: 'parakeet_cpp',
		limits: parakeetLimits,
		capabilities: parakeetCapabilities,
	});
}

export async function loadWhisper(settings: WhisperSettings): Promise<Engine> {
	const weightsDir = await weightsFolder(settings.weightsDir);
	const encoderSettings = { ...settings, requested: settings.encoder };
	const { model, encoder, reason } = await loadWithEncoder(encoderSettings, ({ encoders, encoderBits }) =>
		guarded(() =>
			addon().loadWhisper({
				path: settings.path,
				// One more for the priority slot.
				slots: settings.slots + 1,
				maxThreads: settings.maxThreads,
				useGpu: settings.useGpu,
				gpuDevice: settings.gpuDevice,
				alignmentHeads: settings.alignmentHeads,
				encoders,
				...(encoderBits === undefined ? {} : { encoderBits }),
				quantiseDecoder: settings.decoderWeights === 'q8_0',
				...(weightsDir === undefined ? {} : { weightsDir }),
			}),
		),
	);
	const name = encoder === 'onnx-int8' ? `${model.info.encoder} (${encoder})` : model.info.encoder;
	return new WhisperEngine(model, settings, {
		type: 'whisper_cpp',
		encoder: reason === '' ? name : `${name}: ${reason}`,
		decoder: model.info.decoder,
		limits: { ...limits, maxBatchClips: model.info.maxBatchedClips },
		capabilities: whisperCapabilities(model.info.languages, model.info.multilingual),
	});
}

/** The settings that are still needed once the model is loaded. */
type EngineSettings = Omit<WhisperSettings, 'int8Weights'>;

/** A clip of a batch. */
interface Part {
	readonly clip: Clip;
	readonly signal: AbortSignal | undefined;
	/** Audio context for it, in positions of 20 ms; 0 = the whole window. */
	readonly context: number;
}

class WhisperEngine implements Engine {
	readonly info: ModelInfo;
	readonly limits: Limits;
	readonly #model: WhisperModel;
	readonly #settings: EngineSettings;
	#nextClip = 1;

	constructor(
		model: WhisperModel,
		settings: EngineSettings,
		kind: Pick<ModelInfo, 'type' | 'encoder' | 'decoder' | 'capabilities'> & {
			readonly limits: Omit<Limits, 'slots' | 'prioritySlot' | 'maxClipThreads'>;
		},
	) {
		this.#model = model;
		this.#settings = settings;
		this.limits = {
			...kind.limits,
			slots: settings.slots,
			prioritySlot: true,
			maxClipThreads: settings.maxThreads,
		};
		this.info = {
			id: settings.id,
			engine: 'whisper.cpp',
			type: kind.type,
			device: model.info.device,
			...(kind.encoder === undefined ? {} : { encoder: kind.encoder }),
			...(kind.decoder === undefined ? {} : { decoder: kind.decoder }),
			capabilities: kind.capabilities,
		};
	}

	/**
	 * Uses the shortest audio context for each clip, and transcribes a clip again with the whole window where the result
	 * repeats itself or leaves sound out. A decode that only fails Whisper's checks is retried at higher temperatures on
	 * the existing encoder output: measured, that makes fewer word errors than a retry on the whole window. A clip whose
	 * text is too repetitive is retried at the next temperature.
	 */
	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[] {
		const parts = batch.clips.map((clip, at) => ({
			clip,
			signal: signals[at],
			context: this.#settings.audioContext === 'full' ? 0 : contextFor(clip.end - clip.start, this.#step),
		}));
		const short = parts.filter(({ context }) => context > 0);
		const rest = parts.filter(({ context }) => context === 0);
		const raws = this.#transcribe(short, batch);
		const attempts = short.map(async (part, at) => {
			const result = resultOf(await raws[at], part.clip, batch.options);
			const doubtful =
				result.removedRepetitions !== undefined || missesSound(part.clip.samples, result.segments);
			if (doubtful) rest.push(part);
			return doubtful ? undefined : result;
		});
		// They use the same slot, so they start after the others have finished.
		const whole = Promise.allSettled(attempts).then(() =>
			this.#transcribe(
				rest.map((part) => ({ ...part, context: 0 })),
				batch,
			),
		);
		let free: Promise<unknown> = whole;
		return parts.map(async (part) => {
			let result = await attempts[short.indexOf(part)];
			const context = result === undefined ? 0 : part.context;
			result ??= resultOf(await (await whole)[rest.indexOf(part)], part.clip, batch.options);
			for (;;) {
				const temperature = this.#nextTemperature(result, batch.options);
				if (temperature === undefined) return result;
				const options = { ...batch.options, temperature };
				// One after the other, in the slot of the batch.
				const raw = free.then(() => this.#transcribe([{ ...part, context }], { ...batch, options })[0]);
				free = raw.catch(() => undefined);
				result = resultOf(await raw, part.clip, options);
			}
		});
	}

	/** The temperature at which a repetitive text is decoded again; undefined if it is not repetitive, or no temperature
	 * is left. */
	#nextTemperature({ segments }: ClipResult, options: RecognizeOptions): number | undefined {
		const { compressionRatioThreshold, temperatureIncrement } = { ...this.#settings, ...options.decoding };
		const tried = Math.max(options.temperature, ...segments.map((segment) => segment.temperature ?? 0));
		const next = tried + temperatureIncrement;
		const rounding = 1e-6;
		if (temperatureIncrement === 0 || next > 1 + rounding) return undefined;
		const ratios = [...compressionRatios(segments).values()];
		return ratios.some((ratio) => ratio > compressionRatioThreshold) ? Math.min(1, next) : undefined;
	}

	batchesContinuously(options: RecognizeOptions): boolean {
		return this.limits.maxBatchClips > 1 && promptOf(options) === '';
	}

	#transcribe(
		parts: readonly Part[],
		{ options, threads, slot = 0, background = false }: Batch,
	): Promise<RawResult>[] {
		if (parts.length === 0) return [];
		const { multilingual } = this.#model.info;
		const decoding = { ...this.#settings, ...options.decoding };
		return transcribeBatch(
			this.#model,
			parts.map(({ clip }) => clip.samples),
			{
				audioContexts: parts.map(({ context }) => context),
				audioContext: 0,
				beamSizes: parts.map(({ clip }) => beamSizeFor(clip.end - clip.start, decoding.beamSize)),
				beamSize: 1,
				slot,
				background,
				clip: this.#nextClip++,
				threads: Math.min(threads, this.#settings.maxThreads),
				language: options.language ?? (multilingual ? '' : 'en'),
				languages: multilingual ? (options.languages ?? []) : [],
				translate: options.task === 'translate',
				prompt: promptOf(options),
				temperature: options.temperature,
				temperatureIncrement: decoding.temperatureIncrement,
				logprobThreshold: decoding.logprobThreshold,
				noSpeechThreshold: decoding.noSpeechThreshold,
				tokenTimestamps: options.words,
				suppress: this.#settings.suppress,
				suppressNonSpeech: this.#settings.suppressNonSpeech,
			},
			parts.map(({ signal }) => signal),
		);
	}

	/** Audio contexts are multiples of this: on a GPU whisper.cpp also attends to the rows that pad to a multiple of 256. */
	get #step(): number {
		return this.#model.info.device === 'CPU' ? 16 : 256;
	}

	close(): Promise<void> {
		return guarded(() => this.#model.close());
	}
}

/** Whisper has no keyword biasing, so keywords are added to the prompt. */
function promptOf({ prompt, keywords }: RecognizeOptions): string {
	if (keywords.length === 0) return prompt;
	const list = keywords.join(', ');
	return prompt === '' ? list : `${list}. ${prompt}`;
}

function resultOf(raw: RawResult | undefined, clip: Clip, options: RecognizeOptions): ClipResult {
	if (raw === undefined) throw new EarshotError('engine_failed', 'whisper.cpp gave no result for a clip');
	const clipSeconds = clip.end - clip.start;
	const segments: ClipSegment[] = [];
	const { SEGMENT_FIELDS: segmentFields } = addon();
	let from = 0;
	for (let at = 0; at + segmentFields <= raw.segments.length; at += segmentFields) {
		const [to = from, start = 0, end = 0, avgLogprob, noSpeechProb, temperature, seek = 0, begin, finish] =
			raw.segments.subarray(at, at + segmentFields);
		const range = { from, to };
		from = to;
		const text = textOf(raw, range);
		if (text.trim() === '') continue;
		const words = options.words && hasTimes(raw, range) ? wordsOf(raw, range, clipSeconds) : undefined;
		segments.push({
			...(extentOf(words) ?? {
				start: Math.min(start, clipSeconds),
				end: Math.min(Math.max(start, end), clipSeconds),
			}),
			text,
			seek,
			tokens: [begin, ...raw.tokenIds.subarray(range.from, range.to), finish].filter(isKnown),
			temperature: known(temperature) ?? options.temperature,
			avgLogprob: known(avgLogprob),
			noSpeechProb: known(noSpeechProb),
			...(words === undefined ? {} : { words }),
			...(options.logprobs && hasLogprobs(raw, range) ? { logprobs: logprobsOf(raw, range) } : {}),
		});
	}
	const removedRepetitions = Array.from({ length: raw.removedRepetitions.length / 2 }, (_, index) => ({
		start: raw.removedRepetitions[2 * index] ?? 0,
		end: raw.removedRepetitions[2 * index + 1] ?? 0,
	}));
	const language = raw.language === '' ? options.language : raw.language;
	return { language, segments, ...(removedRepetitions.length > 0 ? { removedRepetitions } : {}) };
}

/** Start and end of a segment from its words, if it has any: Whisper's own times of segments are up to a second off. */
function extentOf(words: readonly Word[] | undefined): { start: number; end: number } | undefined {
	const [first, last] = [words?.at(0), words?.at(-1)];
	return first && last && { start: first.start, end: last.end };
}

function isKnown(value: number | undefined): value is number {
	return value !== undefined && !Number.isNaN(value);
}

function known(value: number | undefined): number | null {
	return isKnown(value) ? value : null;
}
