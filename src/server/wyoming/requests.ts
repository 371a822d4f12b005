/** Parses the requests of Wyoming's clients. Pure; throws `invalid_request`, which names the field. */

import { expected } from '../../core/errors.js';
import type { Capabilities } from '../../core/speech/model-info.js';
import { isLiveRate, liveRates } from '../../core/speech/pcm.js';
import type { TranscriptionConfig } from '../live/protocol/events.js';
import type { WyomingEvent } from './events.js';

export interface TranscribeRequest {
	/** Id or alias; '' = the server chooses. */
	readonly name: string;
	/** As the client sent it; '' = to be detected. */
	readonly language: string;
	/** Likely words, the likeliest first. */
	readonly words: readonly string[];
}

export const anyRequest: TranscribeRequest = { name: '', language: '', words: [] };

/** Parses `transcribe`. `context` and `vad_sensitivity` have no effect: transcripts are independent, and the audio ends
 * with `audio-stop`. */
export function readTranscribe({ data }: WyomingEvent): TranscribeRequest {
	return {
		name: textOf(data, 'name').trim(),
		language: textOf(data, 'language').trim(),
		words: [...textsOf(data, 'transcript_names'), ...textsOf(data, 'transcript_terms')],
	};
}

/** The rate of `audio-start` and `audio-chunk`, Hz. */
export function readRate({ data }: WyomingEvent): number {
	const { rate, width, channels } = data;
	if (!isLiveRate(rate)) throw expected('rate', liveRates, rate);
	if (width !== 2) throw expected('width', '2 (bytes of a sample)', width);
	if (channels !== 1) throw expected('channels', '1', channels);
	return rate;
}

/** The text of `ping`, if it has one. */
export const readPing = ({ data }: WyomingEvent): string | null => textOf(data, 'text') || null;

/** The name of `select-program`. */
export const readProgram = ({ data }: WyomingEvent): string => textOf(data, 'name');

/**
 * The equivalent options of a live session. Likely words are used only as keywords of a search: Whisper treats words in
 * a prompt as already spoken, and omits them if the audio begins with them.
 */
export function transcriptionOf(
	{ language, words }: TranscribeRequest,
	{ keywords: takesWords, prompt: readsPrompt }: Pick<Capabilities, 'keywords' | 'prompt'>,
): TranscriptionConfig {
	const wanted = takesWords && !readsPrompt ? words : [];
	const keywords = wanted.map((word) => word.trim()).filter((word) => word !== '');
	return { ...(language !== '' && { language }), ...(keywords.length > 0 && { keywords }) };
}

function textOf(data: WyomingEvent['data'], name: string): string {
	const value = data[name] ?? '';
	if (typeof value !== 'string') throw expected(name, 'a string', value);
	return value;
}

function textsOf(data: WyomingEvent['data'], name: string): readonly string[] {
	const value = data[name] ?? [];
	if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
		throw expected(name, 'a list of strings', value);
	return value;
}
