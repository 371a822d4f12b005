/** The options of `listen` and their check, also for callers without TypeScript. Pure. */

import { expected } from '../core/errors.js';
import {
	defaultTurns,
	type LiveOptions,
	minVoiceThreshold,
	type PcmEncoding,
	type TurnRules,
} from '../core/live/live.js';
import { checkOptions } from '../core/speech/check-options.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import { defaultChunking } from '../core/speech/options.js';
import { isLiveRate, liveRates } from '../core/speech/pcm.js';
import { checked, type Rules, requestRules } from './options.js';

/** How voice activity detection divides the audio into turns. */
export interface ListenTurns {
	/** Speech probability above which a window counts as speech, above 0, at most 1; default 0.5. */
	readonly threshold?: number;
	/** Audio kept before the speech of a turn, milliseconds, 0 to 10,000; default 300. */
	readonly prefixPaddingMs?: number;
	/** Silence that ends a turn, milliseconds, 100 to 60,000; default 500. */
	readonly silenceDurationMs?: number;
}

/** Options of a live transcription. Options that the model does not support are refused, as with RequestOptions. */
export interface ListenOptions {
	/** `pcm16` (default): 16 bits, signed, little-endian; `pcmu` and `pcma`: G.711. All mono. */
	readonly encoding?: PcmEncoding;
	/** Hz: a multiple of 25 from 8000 to 96,000; default 16,000, with G.711 8000. */
	readonly sampleRate?: number;
	/** null: turns end only by `commit`. */
	readonly turns?: ListenTurns | null;
	/** Partial text during a turn also from models that transcribe whole turns, while a slot is free. Default false. */
	readonly partials?: boolean;
	/** ISO 639-1 code; where absent, detected by models that can. */
	readonly language?: string;
	/** Without `language`: ISO 639-1 codes that the model chooses among; only models with `choosesAmongLanguages`. */
	readonly languages?: readonly string[];
	/** Text assumed to precede each turn. Only models with `prompt`. */
	readonly prompt?: string;
	/** Words or phrases that are likely to occur. Only models with `keywords`. */
	readonly keywords?: readonly string[];
	/** Include the log-probabilities of tokens. Default false. */
	readonly logprobs?: boolean;
}

const encodings: readonly PcmEncoding[] = ['pcm16', 'pcmu', 'pcma'];

const within = (low: number, high: number) => (value: unknown) =>
	typeof value === 'number' && value >= low && value <= high;

const { language, languages, prompt, keywords, logprobs } = requestRules;

const listenRules: Rules<ListenOptions> = {
	encoding: ['`pcm16`, `pcmu` or `pcma`', (value) => encodings.some((each) => each === value)],
	sampleRate: [liveRates, isLiveRate],
	turns: ['an object or null', (value) => typeof value === 'object'],
	partials: ['true or false', (value) => typeof value === 'boolean'],
	language,
	languages,
	prompt,
	keywords,
	logprobs,
};

const turnRules: Rules<ListenTurns> = {
	threshold: [`a number from ${minVoiceThreshold} to 1`, within(minVoiceThreshold, 1)],
	prefixPaddingMs: ['a number from 0 to 10000', within(0, 10_000)],
	silenceDurationMs: ['a number from 100 to 60000', within(100, 60_000)],
};

/** Fills in defaults and checks the options against their types and the model's capabilities. Throws EarshotError. */
export function listenOptions(options: ListenOptions, info: ModelInfo): LiveOptions {
	const given = checked(options, listenRules, 'options');
	const encoding = given.encoding ?? 'pcm16';
	const rate = given.sampleRate ?? (encoding === 'pcm16' ? 16_000 : 8000);
	if (encoding !== 'pcm16' && rate !== 8000)
		throw expected('sampleRate', `8000 with the encoding \`${encoding}\``, rate);
	const { chunking: _, ...recognize } = checkOptions(
		{
			task: 'transcribe',
			language: given.language ?? null,
			...(given.languages === undefined ? {} : { languages: [...given.languages] }),
			prompt: given.prompt ?? '',
			keywords: [...(given.keywords ?? [])],
			temperature: 0,
			words: false,
			logprobs: given.logprobs ?? false,
			chunking: defaultChunking,
		},
		info,
	);
	return {
		format: { encoding, rate },
		turns: given.turns === null ? null : rulesOf(given.turns ?? {}),
		recognize,
		partials: given.partials ?? false,
	};
}

function rulesOf(turns: ListenTurns): TurnRules {
	return { ...defaultTurns, ...checked(turns, turnRules, 'turns') };
}
