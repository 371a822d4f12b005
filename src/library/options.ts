/** The options of the library and their check, also for callers without TypeScript. Pure. */

import { requestSettingNames } from '../core/config/scopes.js';
import { settings } from '../core/config/settings.js';
import { Expectation } from '../core/config/values.js';
import { EarshotError, expected } from '../core/errors.js';
import { checkOptions } from '../core/speech/check-options.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import {
	type ChannelMode,
	type ChunkingOptions,
	channelModes,
	type DecodingOptions,
	defaultChunking,
	type TranscribeOptions,
} from '../core/speech/options.js';
import type { SpeakerOptions } from '../core/speech/speakers.js';
import type { Task } from '../core/speech/transcript.js';

/** Which model is loaded, and how. Anything else is refused with EarshotError `invalid_request`. */
export interface CreateOptions {
	/** Id or alias of a model in models.yaml; the default model where absent, `demo-digits` on a fresh machine. */
	readonly model?: string;
	/** Path of models.yaml; ~/.config/earshot/models.yaml where absent. */
	readonly config?: string;
	/** Folder that holds the models; where absent, as models.yaml and the environment say. */
	readonly modelDir?: string;
	/** Threads used for recognition, 1 or more; all cores, or the container's CPU quota, where absent. */
	readonly numThreads?: number;
	/**
	 * Load the model in a child process, so that a crash in an engine fails one recording and not your process. Costs
	 * a second Node process; default false.
	 */
	readonly isolated?: boolean;
}

/**
 * Options of one transcription. What the model does not support is refused with EarshotError `unsupported_value` or
 * `invalid_request`, whose `param` names the field; see `info.capabilities`.
 */
export interface RequestOptions {
	/** `translate`: into English; only models with `translates`. Default `transcribe`. */
	readonly task?: Task;
	/** ISO 639-1 code; where absent, detected by models that can. */
	readonly language?: string;
	/** Without `language`: ISO 639-1 codes that the model chooses among; only models with `choosesAmongLanguages`. */
	readonly languages?: readonly string[];
	/** Text assumed to precede the recording; the model follows its spelling and style. Only models with `prompt`. */
	readonly prompt?: string;
	/** Words or phrases that are likely to occur. Only models with `keywords`. */
	readonly keywords?: readonly string[];
	/** 0 to 1; default 0, always the likeliest token. Other values only with models that have `temperature`. */
	readonly temperature?: number;
	/** Beam size, 1 to 8: candidate texts kept during the search; 1 = greedy search, `auto` = 5 for long clips, else 1.
	 * This and the next four options default to the model's settings; only models with `decoding`. */
	readonly beamSize?: number | 'auto';
	/** Temperature increase at each retry of a clip, 0.1 to 1; 0 = no retry. */
	readonly temperatureIncrement?: number;
	/** Average log-probability below which a clip is decoded again, -100 to 0. */
	readonly logprobThreshold?: number;
	/** Compression ratio, 1 to 100, above which a text counts as repetitive and its clip is decoded again. */
	readonly compressionRatioThreshold?: number;
	/** Probability of no speech above which an unlikely text, or that of a rest below 1 s, is dropped, 0 to 1. */
	readonly noSpeechThreshold?: number;
	/** Include word timestamps: `Segment.words`. Default false; with Whisper it costs a second pass of the decoder. */
	readonly words?: boolean;
	/** Include the log-probabilities of tokens: `Segment.logprobs`. Default false. */
	readonly logprobs?: boolean;
	/** How speech is detected in the recording; an absent field has its default. */
	readonly chunking?: Partial<ChunkingOptions>;
	/** `split`: transcribe each channel separately, at most 8, and mark its segments. Default `mix`: all channels as
	 * one. */
	readonly channels?: ChannelMode;
	/**
	 * Identify speakers: `Segment.speaker` and `Word.speaker`, `A`, `B`, … in order of appearance. Needs the models of
	 * `earshot pull diarization`, which the first such call loads. Default false.
	 */
	readonly diarize?: boolean;
	/** With `diarize`: the number of speakers, 1 to 100; absent = detected. */
	readonly numSpeakers?: number;
	/** With `diarize`: the least number of speakers, 1 to 100. */
	readonly minSpeakers?: number;
	/** With `diarize`: the greatest number of speakers, 1 to 100. */
	readonly maxSpeakers?: number;
}

/** Options of `diarize`, as in RequestOptions. */
export type DiarizeOptions = Pick<RequestOptions, 'numSpeakers' | 'minSpeakers' | 'maxSpeakers'>;

/** The progress of a transcription. */
export interface TranscriptionProgress {
	/** Seconds of the recording that are transcribed. */
	readonly processed: number;
	/** Seconds of the recording as its container declares them, often wrong before the end; null if it declares none. */
	readonly duration: number | null;
}

/** How a call ends early and reports its progress. */
export interface CallOptions {
	/**
	 * Ends the call, which then fails with EarshotError `cancelled`, or with `deadline_exceeded` where the signal is one of
	 * `AbortSignal.timeout`; its `cause` is the signal's `reason`.
	 */
	readonly signal?: AbortSignal;
	/** Called when the recording has been opened, after each of its clips, and at its end. If it throws, the call fails;
	 * a promise that it returns is awaited. */
	readonly onProgress?: (progress: TranscriptionProgress) => void;
}

/** A description of the valid values, for messages, and the test. */
type Rule = readonly [what: string, test: (value: unknown) => boolean];
export type Rules<T> = { readonly [K in keyof Required<T>]: Rule };

const string: Rule = ['a string', (value) => typeof value === 'string'];
const number: Rule = ['a number', (value) => typeof value === 'number'];
const boolean: Rule = ['true or false', (value) => typeof value === 'boolean'];
const strings: Rule = [
	'an array of strings',
	(value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
];
const object: Rule = ['an object', (value) => typeof value === 'object' && value !== null];

const createRules: Rules<CreateOptions> = {
	model: string,
	config: string,
	modelDir: string,
	numThreads: ['a whole number, 1 or more', (value) => Number.isInteger(value) && Number(value) >= 1],
	isolated: boolean,
};

const decodingRules = Object.fromEntries(
	requestSettingNames.map((name) => [name, ruleOf(name)]),
) as Rules<DecodingOptions>;

/** The rule of a setting, applied to typed values: a string of digits is not a number. */
function ruleOf(name: (typeof requestSettingNames)[number]): Rule {
	const problem = (value: unknown): string | undefined => {
		try {
			settings[name].parse(typeof value === 'number' || value === 'auto' ? String(value) : '');
			return undefined;
		} catch (thrown) {
			if (thrown instanceof Expectation) return thrown.message;
			throw thrown;
		}
	};
	return [problem(undefined) ?? '', (value) => problem(value) === undefined];
}

const count: Rule = [
	'a whole number from 1 to 100',
	(value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 100,
];

const countRules: Rules<DiarizeOptions> = { numSpeakers: count, minSpeakers: count, maxSpeakers: count };

export const requestRules: Rules<RequestOptions> = {
	task: ['`transcribe` or `translate`', (value) => value === 'transcribe' || value === 'translate'],
	language: string,
	languages: strings,
	prompt: string,
	keywords: strings,
	temperature: number,
	words: boolean,
	logprobs: boolean,
	chunking: object,
	channels: ['`mix` or `split`', (value) => channelModes.some((mode) => mode === value)],
	diarize: boolean,
	...countRules,
	...decodingRules,
};

const chunkingRules: Rules<ChunkingOptions> = {
	threshold: number,
	prefixPaddingMs: number,
	silenceDurationMs: number,
};

const callRules: Rules<CallOptions> = {
	signal: [
		'an AbortSignal',
		// Not `instanceof`: test environments and other realms have signals of their own.
		(value) =>
			typeof value === 'object' &&
			value !== null &&
			'aborted' in value &&
			'addEventListener' in value &&
			typeof value.addEventListener === 'function' &&
			'removeEventListener' in value &&
			typeof value.removeEventListener === 'function',
	],
	onProgress: ['a function', (value) => typeof value === 'function'],
};

/** Throws `invalid_request` naming the option. */
export const checkedCreateOptions = (options: CreateOptions): CreateOptions =>
	checked(options, createRules, 'options');

/** Throws like `checkedCreateOptions`. */
export const checkedCallOptions = (options: CallOptions): CallOptions => checked(options, callRules, 'call');

/** Fills in defaults and checks the options against their types and the model's capabilities. */
export function fullOptions(options: RequestOptions, info: ModelInfo): TranscribeOptions {
	const { chunking, ...given } = checked(options, requestRules, 'options');
	const decoding = requestSettingNames.flatMap((name) =>
		given[name] === undefined ? [] : [[name, given[name]] as const],
	);
	const speakers = speakersWanted(given);
	return checkOptions(
		{
			task: given.task ?? 'transcribe',
			language: given.language ?? null,
			...(given.languages === undefined ? {} : { languages: [...given.languages] }),
			prompt: given.prompt ?? '',
			keywords: [...(given.keywords ?? [])],
			temperature: given.temperature ?? 0,
			...(decoding.length > 0 && { decoding: Object.fromEntries(decoding) }),
			words: (given.words ?? false) || (speakers !== undefined && info.capabilities.words),
			...(speakers !== undefined && given.words !== true && { wordsOptional: true }),
			logprobs: given.logprobs ?? false,
			chunking: { ...defaultChunking, ...checked(chunking ?? {}, chunkingRules, 'chunking') },
			...(given.channels === undefined ? {} : { channels: given.channels }),
			...(speakers && { speakers }),
		},
		info,
	);
}

function speakersWanted(given: RequestOptions): SpeakerOptions | undefined {
	const { diarize = false, channels } = given;
	const idle = (['numSpeakers', 'minSpeakers', 'maxSpeakers'] as const).find(
		(name) => given[name] !== undefined,
	);
	if (!diarize && idle !== undefined)
		throw new EarshotError('unsupported_value', `\`${idle}\` needs \`diarize\` to be true`, { param: idle });
	if (diarize && channels === 'split')
		throw new EarshotError('unsupported_value', '`diarize` needs `channels` to be `mix`', {
			param: 'channels',
		});
	return diarize ? speakerOptionsOf(given) : undefined;
}

/** Throws `invalid_request` and `unsupported_value`. */
export function speakerOptionsOf({ numSpeakers, minSpeakers, maxSpeakers }: DiarizeOptions): SpeakerOptions {
	if (numSpeakers !== undefined && (minSpeakers ?? maxSpeakers) !== undefined)
		throw new EarshotError(
			'unsupported_value',
			'`numSpeakers` needs `minSpeakers` and `maxSpeakers` to be absent',
			{ param: 'numSpeakers' },
		);
	if (minSpeakers !== undefined && maxSpeakers !== undefined && minSpeakers > maxSpeakers)
		throw expected('maxSpeakers', `\`minSpeakers\` (${minSpeakers}) or more`, maxSpeakers);
	const [min, max] = [numSpeakers ?? minSpeakers, numSpeakers ?? maxSpeakers];
	return { known: [], ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

/** Throws as `checkedCreateOptions`. */
export const checkedDiarizeOptions = (options: DiarizeOptions): SpeakerOptions =>
	speakerOptionsOf(checked(options, countRules, 'options'));

/** A copy of the options, each read once; undefined ones are absent. `name`: the argument's. */
export function checked<T extends object>(options: T, rules: Rules<T>, name: string): T {
	if (!object[1](options)) throw expected(name, object[0], options);
	const names = Object.keys(rules) as (keyof T & string)[];
	const unknown = Object.keys(options).find((key) => !(names as readonly string[]).includes(key));
	if (unknown !== undefined) {
		throw new EarshotError(
			'invalid_request',
			`Expected \`${name}\` to have no options but ${names.join(', ')}, got \`${unknown}\``,
			{ param: unknown },
		);
	}
	const copy: Partial<T> = {};
	for (const key of names) {
		const value = options[key];
		if (value === undefined) continue;
		const [what, test] = rules[key];
		if (!test(value)) throw expected(key, what, value);
		copy[key] = value;
	}
	return copy as T;
}
