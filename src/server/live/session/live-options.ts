/** Adapts a session's configuration to one model. Pure. */

import { expected } from '../../../core/errors.js';
import { fittingLanguage, languageCandidates } from '../../../core/languages.js';
import {
	defaultTurns,
	type LiveFormat,
	type LiveOptions,
	minVoiceThreshold,
	type TurnRules,
} from '../../../core/live/live.js';
import { checkOptions } from '../../../core/speech/check-options.js';
import type { ModelInfo } from '../../../core/speech/model-info.js';
import { defaultChunking, type RecognizeOptions } from '../../../core/speech/options.js';
import type {
	AudioFormat,
	Eagerness,
	SessionConfig,
	TranscriptionConfig,
	TurnDetection,
} from '../protocol/events.js';

export interface Fitted {
	readonly options: LiveOptions;
	/** Without fields that have no effect. */
	readonly config: SessionConfig;
}

/** Throws EarshotError if the model does not support the configuration. */
export function fitSession(config: SessionConfig, info: ModelInfo): Fitted {
	const { prompt = '', keywords = [], ...rest } = config.transcription ?? {};
	const takesPrompt = info.capabilities.prompt && prompt !== '';
	const { chunking: _, ...recognize } = checkOptions(
		{
			task: 'transcribe',
			...languagesOf(config.transcription ?? {}, info),
			// Clients send a prompt with any model, so it is ignored if not supported.
			prompt: takesPrompt ? prompt : '',
			keywords: keywords.map((keyword) => keyword.trim()).filter((keyword) => keyword !== ''),
			temperature: 0,
			words: false,
			logprobs: config.logprobs,
			chunking: defaultChunking,
		},
		info,
	);
	const transcription = config.transcription && {
		...rest,
		...(keywords.length > 0 && { keywords }),
		...(takesPrompt && { prompt }),
	};
	return {
		config: { ...config, transcription },
		options: {
			format: formatOf(config.format),
			turns: rulesOf(config.turnDetection),
			recognize,
			partials: config.partials,
		},
	};
}

function languagesOf(
	{ language, languages = [] }: TranscriptionConfig,
	{ capabilities: { languages: known } }: ModelInfo,
): Pick<RecognizeOptions, 'language' | 'languages'> {
	const isDetected = language === undefined || ['', 'auto'].includes(language.trim().toLowerCase());
	const given = isDetected ? languages : [language];
	const fitted = given.map((name) => {
		const candidates = languageCandidates(name);
		const field = isDetected ? 'languages' : 'language';
		if (candidates.length === 0)
			throw expected(field, 'an ISO 639-1 code such as `en`, or the English name of a language', name);
		return fittingLanguage(candidates, known) ?? name;
	});
	const different = [...new Set(fitted)];
	return different.length > 1 ? { language: null, languages: different } : { language: different[0] ?? null };
}

function formatOf(format: AudioFormat): LiveFormat {
	switch (format.type) {
		case 'audio/pcm':
			return { encoding: 'pcm16', rate: format.rate };
		case 'audio/pcmu':
			return { encoding: 'pcmu', rate: 8000 };
		case 'audio/pcma':
			return { encoding: 'pcma', rate: 8000 };
	}
}

/** Maximum silence before a turn ends, the same as OpenAI's. */
const eagernessMs: Readonly<Record<Eagerness, number>> = { low: 8000, medium: 4000, auto: 4000, high: 2000 };

/** Silence that ends a turn after a complete sentence. */
const sentenceSilenceMs = 300;

function rulesOf(detection: TurnDetection | null): TurnRules | null {
	if (detection === null) return null;
	if (detection.type === 'semantic_vad') {
		return {
			...defaultTurns,
			silenceDurationMs: eagernessMs[detection.eagerness],
			sentenceSilenceMs,
		};
	}
	return {
		threshold: Math.max(detection.threshold, minVoiceThreshold),
		prefixPaddingMs: detection.prefix_padding_ms,
		silenceDurationMs: detection.silence_duration_ms,
	};
}
