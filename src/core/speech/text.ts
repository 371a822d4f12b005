/** Properties of a text: scripts without spaces, full stops, compression ratio. Pure. */

import { deflateSync } from 'node:zlib';

/** One character of a script that is written without spaces between words. */
export const unspacedCharacter =
	/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Whether the first character belongs to a script written without spaces between words. */
export function startsUnspaced(text: string): boolean {
	const [first] = text;
	return first !== undefined && unspacedCharacter.test(first);
}

/** A full stop after a word, but not an ellipsis, `e.g.`, `U.S.`, `J.`, or an abbreviation used inside sentences. */
const fullStop = /[^\s.][^\s.]\.$/u;
const abbreviation =
	/(?:^|\s)(?:\S*\.\S+|etc|vs|no|st|mr|mrs|ms|dr|jr|sr|prof|co|inc|ltd|approx|bzw|usw|ca|nr|mme|sra|sig|np|tzw)\.$/iu;
const sentenceStart = /^\s*["'“‘(]?\p{Lu}/u;
const wordInside = /^\s*\p{Ll}+(?![\p{Lu}\d])/u;

/** Whether the text begins with a capital. */
export function startsCapital(text: string): boolean {
	return sentenceStart.test(text);
}

/** Whether the text ends with a full stop although `next` continues the sentence. Only for models that write
 * capitals. */
export function stopsFalsely(text: string, next: string): boolean {
	return fullStop.test(text) && !abbreviation.test(text) && wordInside.test(next);
}

/** openai/whisper utils.py: len(utf8) / len(zlib.compress(utf8)). */
export function compressionRatio(text: string): number {
	const bytes = Buffer.from(text, 'utf8');
	const isShort = bytes.length <= shortBytes;
	return bytes.length / (isShort ? deflateSync(bytes, forShortTexts) : deflateSync(bytes)).length;
}

/** Texts in which nothing lies farther back than a window of 2 KiB reaches compress to the same length with it. zlib's usual
 * window and tables take 256 KiB, and preparing them takes longer than compressing. */
const shortBytes = 1000;
const forShortTexts = { windowBits: 11, memLevel: 4, chunkSize: 1200 };

/** The ratio of each decode window of a clip, by its `seek`: like the log-probability, it describes the whole decode. */
export function compressionRatios(
	segments: readonly { readonly seek?: number; readonly text: string }[],
): Map<number | undefined, number> {
	const texts = new Map<number | undefined, string>();
	for (const { seek, text } of segments) texts.set(seek, (texts.get(seek) ?? '') + text);
	return new Map(Array.from(texts, ([seek, text]) => [seek, compressionRatio(text.trim())]));
}
