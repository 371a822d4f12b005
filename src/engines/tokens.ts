/** Converts the addon's raw results into texts, words and log-probabilities. Pure. */

import type { RawResult } from '../../binding.js';
import { startsUnspaced, unspacedCharacter } from '../core/speech/text.js';
import type { TokenLogprob, Word } from '../core/speech/transcript.js';

const decoder = new TextDecoder('utf-8');

/** One or more tokens that together form whole characters. */
interface Unit {
	text: string;
	start: number;
	end: number;
	/** Sum and count of the tokens' known log-probabilities. */
	logprobSum: number;
	logprobCount: number;
}

export interface TokenRange {
	readonly from: number;
	readonly to: number;
}

/**
 * If a model gives only the start of a token, the token ends at the start of the next, but at most this long after its
 * own: a token does not include the pause that follows it.
 */
const maxTokenSeconds = 0.4;

export function textOf(raw: RawResult, { from, to }: TokenRange): string {
	return decoder.decode(bytesOf(raw, { from, to }));
}

export function hasTimes(raw: RawResult, { from, to }: TokenRange): boolean {
	for (let token = from; token < to; token++) {
		if (Number.isNaN(raw.tokenTimes[2 * token])) return false;
	}
	return to > from;
}

export function hasLogprobs(raw: RawResult, { from, to }: TokenRange): boolean {
	for (let token = from; token < to; token++) {
		if (Number.isNaN(raw.tokenLogprobs[token])) return false;
	}
	return to > from;
}

export function logprobsOf(raw: RawResult, { from, to }: TokenRange): TokenLogprob[] {
	const list: TokenLogprob[] = [];
	for (let token = from; token < to; token++) {
		const bytes = bytesOf(raw, { from: token, to: token + 1 });
		list.push({
			token: decoder.decode(bytes),
			logprob: raw.tokenLogprobs[token] ?? Number.NaN,
			bytes: [...bytes],
		});
	}
	return list;
}

/**
 * Joins tokens into words. A word begins at a space or at a character of a script written without spaces;
 * punctuation belongs to the word before it. Times are seconds from the start of the clip, at most `clipSeconds`.
 */
export function wordsOf(raw: RawResult, range: TokenRange, clipSeconds: number): Word[] {
	const words: Unit[] = [];
	for (const unit of unitsOf(raw, range, clipSeconds)) {
		const last = words.at(-1);
		if (last && !beginsWord(unit.text, last.text)) {
			last.text += unit.text;
			last.end = unit.end;
			last.logprobSum += unit.logprobSum;
			last.logprobCount += unit.logprobCount;
		} else {
			words.push({ ...unit });
		}
	}
	return words
		.map((word) => ({ ...word, text: word.text.trim() }))
		.filter((word) => word.text !== '')
		.map((word) => ({
			word: word.text,
			start: word.start,
			end: word.end,
			...(word.logprobCount > 0 ? { probability: Math.exp(word.logprobSum / word.logprobCount) } : {}),
		}));
}

function* unitsOf(raw: RawResult, { from, to }: TokenRange, clipSeconds: number): Generator<Unit> {
	let first = from;
	let previousEnd = 0;
	for (let token = from; token < to; token++) {
		if (!endsCharacter(bytesOf(raw, { from: first, to: token + 1 })) && token + 1 < to) continue;
		const start = clamp(raw.tokenTimes[2 * first] ?? 0, previousEnd, clipSeconds);
		const end = clamp(endOfToken(raw, token, to, clipSeconds), start, clipSeconds);
		let logprobSum = 0;
		let logprobCount = 0;
		for (let part = first; part <= token; part++) {
			const logprob = raw.tokenLogprobs[part] ?? Number.NaN;
			if (Number.isNaN(logprob)) continue;
			logprobSum += logprob;
			logprobCount++;
		}
		yield { text: textOf(raw, { from: first, to: token + 1 }), start, end, logprobSum, logprobCount };
		previousEnd = start;
		first = token + 1;
	}
}

function endOfToken(raw: RawResult, token: number, to: number, clipSeconds: number): number {
	const known = raw.tokenTimes[2 * token + 1] ?? Number.NaN;
	if (!Number.isNaN(known)) return known;
	const start = raw.tokenTimes[2 * token] ?? 0;
	const next = token + 1 < to ? (raw.tokenTimes[2 * (token + 1)] ?? clipSeconds) : clipSeconds;
	return Math.min(next, start + maxTokenSeconds);
}

function bytesOf(raw: RawResult, { from, to }: TokenRange): Uint8Array {
	return raw.bytes.subarray(from === 0 ? 0 : raw.tokenEnds[from - 1], to === 0 ? 0 : raw.tokenEnds[to - 1]);
}

/** False while the last UTF-8 sequence of `bytes` still lacks continuation bytes. */
function endsCharacter(bytes: Uint8Array): boolean {
	for (let back = 1; back <= Math.min(4, bytes.length); back++) {
		const byte = bytes[bytes.length - back] ?? 0;
		if ((byte & 0xc0) === 0x80) continue;
		return back >= sequenceLength(byte);
	}
	return true;
}

/** Length in bytes of the UTF-8 sequence that begins with `byte`; 1 if it cannot begin one. */
function sequenceLength(byte: number): number {
	if (byte >= 0xf8) return 1;
	if (byte >= 0xf0) return 4;
	if (byte >= 0xe0) return 3;
	return byte >= 0xc0 ? 2 : 1;
}

const endsInUnspaced = new RegExp(`${unspacedCharacter.source}[\\s\\p{P}\\p{S}]*$`, 'u');
const onlyPunctuation = /^[\s\p{P}\p{S}]*$/u;

function beginsWord(text: string, before: string): boolean {
	if (/^\s/u.test(text)) return true;
	if (onlyPunctuation.test(text)) return false;
	return startsUnspaced(text) || endsInUnspaced.test(before);
}

function clamp(value: number, low: number, high: number): number {
	return Math.min(Math.max(value, low), Math.max(low, high));
}
