/** The capabilities of each model type. Engines report them for a loaded model, `models/capabilities.ts` for others. */

import type { Capabilities } from '../../core/speech/model-info.js';
import type { Family } from './family.js';

/** `languages`: codes, in the model's order; only `en` for an English-only model. */
export function whisperCapabilities(languages: readonly string[], isMultilingual: boolean): Capabilities {
	return {
		languages,
		choosesLanguage: isMultilingual,
		choosesAmongLanguages: isMultilingual,
		detectsLanguage: isMultilingual,
		translates: isMultilingual,
		prompt: true,
		keywords: true,
		temperature: true,
		decoding: true,
		words: true,
		logprobs: true,
		noSpeechProb: true,
	};
}

/** whisper.cpp's own Parakeet: it has no options and reports no language. */
export const parakeetCapabilities: Capabilities = {
	languages: null,
	choosesLanguage: false,
	choosesAmongLanguages: false,
	detectsLanguage: false,
	translates: false,
	prompt: false,
	keywords: false,
	temperature: false,
	decoding: false,
	words: true,
	logprobs: true,
	noSpeechProb: false,
};

/** A diarization model, which does not transcribe. */
export const diarizationCapabilities: Capabilities = {
	...parakeetCapabilities,
	words: false,
	logprobs: false,
};

export interface SherpaTraits {
	/** `options` of its entry. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Languages that its entry lists; null = none. */
	readonly configured: readonly string[] | null;
	/** The configured languages, else those that its files declare; null = unknown. */
	readonly languages: readonly string[] | null;
}

export function sherpaCapabilities(
	family: Family,
	{ options, configured, languages }: SherpaTraits,
): Capabilities {
	const only = defaultLanguage(family, options, configured);
	const chooses = family.languageOption !== undefined || family.changes !== undefined;
	const translates = family.changes?.target !== undefined || family.changes?.task !== undefined;
	return {
		languages: chooses || only === null ? languages : [only],
		choosesLanguage: chooses,
		choosesAmongLanguages: false,
		detectsLanguage: family.detectsLanguage ?? false,
		translates: translates && (languages?.length ?? 2) > 1,
		prompt: false,
		keywords: family.keywordsOption !== undefined || takesHotwords(family, options),
		temperature: false,
		decoding: false,
		words: family.times,
		logprobs: family.logprobs,
		noSpeechProb: false,
	};
}

/** Language when a request gives none: the configured one, or the model's only one; null = neither. */
export function defaultLanguage(
	{ defaults }: Family,
	options: SherpaTraits['options'],
	configured: readonly string[] | null,
): string | null {
	const language = options.language ?? defaults?.language;
	if (typeof language === 'string' && language !== '' && language !== 'auto') return language;
	return configured?.length === 1 ? (configured[0] ?? null) : null;
}

export function takesHotwords({ hotwords }: Family, options: SherpaTraits['options']): boolean {
	return hotwords === true && options.decoding_method === 'modified_beam_search';
}
