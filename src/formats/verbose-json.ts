/** OpenAI's verbose_json, from a transcript. */

import { languageName } from '../core/languages.js';
import type { Segment, Transcript } from '../core/speech/transcript.js';
import type { Include } from './include.js';

interface VerboseJson {
	readonly segments?: readonly object[];
	readonly not_computed?: readonly string[];
	readonly [field: string]: unknown;
}

/** OpenAI's verbose_json. Clients require a value in every field, so fields that the model does not compute are 0 or
 * [], and `not_computed` lists their names. */
export function verboseJson(transcript: Transcript, include: Include): VerboseJson {
	const { segments } = transcript;
	const missing = [
		transcript.language === null && 'language',
		include.segments && segments.some((segment) => segment.tokens.length === 0) && 'tokens',
		include.segments && segments.some((segment) => segment.avgLogprob === null) && 'avg_logprob',
		include.segments && segments.some((segment) => segment.noSpeechProb === null) && 'no_speech_prob',
	].filter((name) => name !== false);
	return {
		task: transcript.task,
		language: verboseLanguage(transcript),
		duration: round(transcript.duration),
		text: transcript.text,
		...(include.segments && { segments: segments.map(verboseSegment) }),
		...(include.words && { words: segments.flatMap(verboseWords) }),
		usage: usage(transcript.duration),
		...(missing.length > 0 && { not_computed: missing }),
		...warningsField(transcript),
		...(transcript.untranscribed && {
			untranscribed: transcript.untranscribed.map(({ start, end, ...channel }) => ({
				start: round(start),
				end: round(end),
				...channel,
			})),
		}),
	};
}

/** The field `warnings`, the same in every JSON body; absent if there are none. */
export function warningsField({ warnings }: Transcript): object {
	if (warnings === undefined) return {};
	return {
		warnings: warnings.map(({ code, message, start, end }) => ({
			code,
			message,
			...(start !== undefined && { start: round(start) }),
			...(end !== undefined && { end: round(end) }),
		})),
	};
}

function verboseLanguage({ task, language }: Transcript): string {
	if (task === 'translate') return 'english';
	return language === null ? 'unknown' : languageName(language);
}

/** The field `languages`: empty for silence; absent if the model reports no language. */
export function spokenLanguages({ text, language }: Transcript): { readonly languages?: readonly object[] } {
	if (text === '') return { languages: [] };
	return language === null ? {} : { languages: [{ code: language }] };
}

export function verboseSegment(segment: Segment): object {
	return {
		id: segment.id,
		seek: segment.seek,
		start: round(segment.start),
		end: round(segment.end),
		text: segment.text,
		tokens: segment.tokens,
		temperature: round(segment.temperature),
		avg_logprob: round(segment.avgLogprob ?? 0, 6),
		compression_ratio: round(segment.compressionRatio, 6),
		no_speech_prob: round(segment.noSpeechProb ?? 0, 6),
		...(segment.speaker !== undefined && { speaker: segment.speaker }),
		...(segment.channel !== undefined && { channel: segment.channel }),
		...(segment.emotion !== undefined && { emotion: segment.emotion }),
		...(segment.event !== undefined && { event: segment.event }),
	};
}

export function verboseWords(segment: Segment): object[] {
	return (segment.words ?? []).map(({ word, start, end, speaker }) => ({
		word,
		start: round(start),
		end: round(end),
		...(speaker !== undefined && { speaker }),
		...(segment.channel !== undefined && { channel: segment.channel }),
	}));
}

/** Whole seconds, rounded up, as OpenAI bills them. */
export function usage(durationSeconds: number): object {
	return { type: 'duration', seconds: Math.ceil(round(durationSeconds)) };
}

/** OpenAI counts a token for each tenth of a second of audio. */
const audioTokensPerSecond = 10;

/** Token counts of a recording and its text, as stream events require them. Counts the model's own tokens, 0 if it
 * reports none; tokens of a prompt are not known. */
export function tokenUsage({ duration, segments }: Transcript): object {
	const audio = Math.ceil(round(duration) * audioTokensPerSecond);
	const text = segments.reduce((sum, { tokens }) => sum + tokens.length, 0);
	return {
		type: 'tokens',
		input_tokens: audio,
		input_token_details: { text_tokens: 0, audio_tokens: audio },
		output_tokens: text,
		total_tokens: audio + text,
	};
}

/** Rounds to `digits` decimals, by default to the millisecond, since 32-bit floats print meaningless digits. */
export function round(value: number, digits = 3): number {
	return Number(value.toFixed(digits));
}
