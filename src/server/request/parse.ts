/** Parses and validates the form fields of a transcription request. */

import { expected } from '../../core/errors.js';
import { fittingLanguage, languageCandidates } from '../../core/languages.js';
import { checkOptions, chunkingRanges } from '../../core/speech/check-options.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import {
	type ChannelMode,
	type ChunkingOptions,
	channelModes,
	chunkingWithoutVad,
	defaultChunking,
	type TranscribeOptions,
} from '../../core/speech/options.js';
import type { Task } from '../../core/speech/transcript.js';
import { type FormatName, formatNames, formats } from '../../formats/formats.js';
import type { Include } from '../../formats/include.js';
import { type SubtitleOptions, wantsWordTimes } from '../../formats/subtitles/options.js';
import { type GivenDecoding, parseDecoding } from './fields/decoding-fields.js';
import { type FieldName, Fields, type FormFields, inRange, listed, unsupported } from './fields/fields.js';
import { parseSpeakers, type SpeakerRequest } from './fields/speaker-fields.js';
import { parseSubtitles, subtitleSpelling } from './fields/subtitle-fields.js';

export interface TranscriptionRequest {
	readonly task: Task;
	/** null = the server's default model. */
	readonly model: string | null;
	/** Codes that `language` may mean, the most specific first; null = let the model detect. */
	readonly language: readonly string[] | null;
	/** The same for each of `languages[]`. */
	readonly languages: readonly (readonly string[])[];
	readonly prompt: string;
	/** The field that contained the prompt. */
	readonly promptField: FieldName;
	readonly keywords: readonly string[];
	/** As `keywords`, but ignored by models that cannot use them. */
	readonly hotwords: readonly string[];
	readonly temperature: number;
	readonly decoding: GivenDecoding;
	readonly format: FormatName;
	readonly include: Include;
	/** Include word times if the model supports them: `word_timestamps`. */
	readonly wordsIfPossible: boolean;
	readonly subtitles: SubtitleOptions;
	readonly stream: boolean;
	readonly chunking: ChunkingOptions;
	readonly channels: ChannelMode;
	/** null = no diarization. */
	readonly speakers: SpeakerRequest | null;
	/** Fields that have no effect, whatever the model. */
	readonly ignored: readonly FieldName[];
}

/** A request adapted to one model. */
export interface FittedRequest {
	readonly options: TranscribeOptions;
	readonly include: Include;
	/** Fields of the request that have no effect. */
	readonly ignored: readonly FieldName[];
}

/** Response header with the fields of the request that have no effect. */
export const ignoredHeader = 'x-earshot-ignored';

/** The same as OpenAI's limit. */
export const defaultMaxKnownSpeakers = 4;

export interface RequestRules {
	/** The model in the path, which overrides the field. */
	readonly deployment?: string | undefined;
	readonly maxKnownSpeakers?: number;
}

/** Validates everything that does not depend on the model. */
export function parseRequest(
	form: FormFields,
	task: Task,
	{ deployment, maxKnownSpeakers = defaultMaxKnownSpeakers }: RequestRules = {},
): TranscriptionRequest {
	const fields = new Fields(form);
	const model = deployment ?? (fields.text('model')?.trim() || null);
	const format = parseFormat(fields);
	const ignored: FieldName[] = [];
	const ignore = (name: FieldName, isIgnored: boolean): void => {
		if (isIgnored) ignored.push(name);
	};
	const include = parseInclude(fields, format);
	const subtitles = parseSubtitles(fields, format);
	const wordsIfPossible = fields.flag('word_timestamps') === true && !include.words;
	ignore('word_timestamps', wordsIfPossible && format !== 'verbose_json');
	const wantsStream = fields.flag('stream') === true;
	const stream = wantsStream && canStream(format, model);
	ignore('stream', wantsStream && !stream);
	const channels = fields.choice('channels', channelModes) ?? 'mix';
	if (stream && channels === 'split') {
		throw unsupported('stream', '`stream` needs `channels` to be `mix`, got `split`');
	}
	const prompt = fields.text('prompt')?.trim() ?? '';
	const initialPrompt = fields.text('initial_prompt')?.trim() ?? '';
	ignore('initial_prompt', prompt !== '' && initialPrompt !== '' && initialPrompt !== prompt);
	const vadFilter = fields.flag('vad_filter');
	const chunking = parseChunking(fields);
	ignore('vad_filter', vadFilter === false && chunking !== defaultChunking);
	return {
		task,
		model,
		language: parseLanguage(fields),
		languages: fields.list('languages').map((given) => knownLanguage('languages', given)),
		prompt: prompt === '' ? initialPrompt : prompt,
		promptField: prompt === '' ? 'initial_prompt' : 'prompt',
		keywords: fields.list('keywords').map((keyword) => keyword.trim()),
		hotwords: fields
			.list('hotwords')
			.flatMap((words) => words.split(/[,\n]/).flatMap((word) => word.trim() || [])),
		temperature: fields.number('temperature', { min: 0, max: 1 }) ?? 0,
		decoding: parseDecoding(fields),
		format,
		include,
		subtitles,
		wordsIfPossible: wordsIfPossible && format === 'verbose_json',
		stream,
		channels,
		speakers: parseSpeakers(fields, { format, model, channels, maxKnown: maxKnownSpeakers }),
		chunking: vadFilter === false && chunking === defaultChunking ? chunkingWithoutVad : chunking,
		ignored,
	};
}

/** OpenAI ignores `stream` for this model, so clients that send both expect a single document. */
const neverStreamed = /^(openai\/)?whisper-1$/i;

/** `stream` is ignored for single-document formats and for the name `whisper-1`, whichever model it selects. */
function canStream(format: FormatName, model: string | null): boolean {
	return formats[format].streams && !neverStreamed.test(model ?? '');
}

function parseInclude(fields: Fields, format: FormatName): Include {
	const logprobs = fields.choices('include', ['logprobs']).length > 0;
	if (logprobs && format !== 'json') {
		throw unsupported('include', '`include[]=logprobs` needs `response_format` to be `json`');
	}
	const granularities = fields.choices('timestamp_granularities', ['word', 'segment']);
	const words = granularities.includes('word');
	// `segment` is the default, so it is accepted with every format.
	if (words && format !== 'verbose_json') {
		throw unsupported(
			'timestamp_granularities',
			'`timestamp_granularities[]=word` needs `response_format` to be `verbose_json`',
		);
	}
	return { words, segments: !words || granularities.includes('segment'), logprobs };
}

/**
 * Adapts a request to a model. Fields that clients send with any model (`prompt`, `temperature`) and those of other
 * servers are ignored if the model does not support them. For other unsupported fields, throws `unsupported_value` or
 * `invalid_request`, with the field as `param`.
 */
export function fitToModel(request: TranscriptionRequest, info: ModelInfo): FittedRequest {
	const { prompt, keywords, hotwords, temperature, decoding, wordsIfPossible, task, chunking, subtitles } =
		request;
	const can = info.capabilities;
	const ignored = [...request.ignored];
	const usable = <T>(name: FieldName, value: T, nothing: T, isPossible: boolean): T => {
		if (isPossible || value === nothing) return value;
		ignored.push(name);
		return nothing;
	};
	const words = usable('word_timestamps', wordsIfPossible, false, can.words) || request.include.words;
	const wordsForCues = wantsWordTimes(subtitles, info, subtitleSpelling);
	const noWords: readonly string[] = [];
	if (!can.decoding) ignored.push(...decoding.fields);
	const wordsForSpeakers = request.speakers !== null && can.words;
	const areWordsOptional = !words && (!subtitles.highlightWords || !wordsForCues);
	const options = checkOptions(
		{
			task,
			...fitLanguages(request, info),
			prompt: usable(request.promptField, prompt, '', can.prompt),
			keywords: [
				...keywords,
				...usable('hotwords', hotwords.length === 0 ? noWords : hotwords, noWords, can.keywords),
			],
			temperature: usable('temperature', temperature, 0, can.temperature),
			...(decoding.fields.length > 0 && can.decoding && { decoding: decoding.options }),
			words: words || wordsForCues || wordsForSpeakers,
			...((wordsForCues || wordsForSpeakers) && areWordsOptional && { wordsOptional: true }),
			logprobs: request.include.logprobs,
			chunking,
			...(request.channels === 'split' && { channels: request.channels }),
		},
		info,
	);
	return { options, include: { ...request.include, words }, ignored };
}

/** `language`, or the only entry of `languages`; of several, the model detects one. */
function fitLanguages(
	{ language, languages }: TranscriptionRequest,
	{ capabilities: { languages: known } }: ModelInfo,
): Pick<TranscribeOptions, 'language' | 'languages'> {
	const given = language === null ? languages : [language];
	const fitted = [...new Set(given.flatMap((one) => fittingLanguage(one, known) ?? []))];
	return fitted.length > 1 ? { language: null, languages: fitted } : { language: fitted[0] ?? null };
}

function parseFormat(fields: Fields): FormatName {
	const given = fields.text('response_format') || 'json';
	const format = formatNames.find((name) => name === given);
	if (format === undefined) throw expected('response_format', listed(formatNames), given);
	return format;
}

function parseLanguage(fields: Fields): readonly string[] | null {
	const given = fields.text('language')?.trim() ?? '';
	// Many local servers accept `auto` for detection.
	return given === '' || given.toLowerCase() === 'auto' ? null : knownLanguage('language', given);
}

function knownLanguage(field: FieldName, given: string): readonly string[] {
	const candidates = languageCandidates(given);
	if (candidates.length === 0) {
		throw expected(field, 'an ISO 639-1 code such as `en`, or the English name of a language', given);
	}
	return candidates;
}

function parseChunking(fields: Fields): ChunkingOptions {
	const given = fields.object('chunking_strategy');
	if (given === null) return defaultChunking;
	if (given.type !== 'server_vad') {
		throw expected('chunking_strategy', '`auto` or an object whose `type` is `server_vad`', given.type);
	}
	const part = (key: keyof ChunkingOptions): number => {
		const { name, min, max } = chunkingRanges[key];
		return (
			inRange('chunking_strategy', `chunking_strategy[${name}]`, given[name], { min, max }) ??
			defaultChunking[key]
		);
	};
	return {
		threshold: part('threshold'),
		prefixPaddingMs: part('prefixPaddingMs'),
		silenceDurationMs: part('silenceDurationMs'),
	};
}
