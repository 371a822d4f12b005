/** Reads the tokens of a Whisper model as bytes, as ggml files hold them. */

import { isRecord } from '../core/is-record.js';
import { BadCtranslate2 } from './ctranslate2-file.js';

/** Tokens in a ggml file. The others are special tokens, which whisper.cpp names itself. */
export const writtenTokens = 50_257;
const endOfText = '<|endoftext|>';
/** Not a character of the byte-level alphabet. */
const unknownCharacter = '\0';

/**
 * Returns the first 50,257 tokens. `text`: the contents of `vocabulary.json` (a list), `vocabulary.txt` (a token per
 * line) or `tokenizer.json` (Hugging Face's format); `file`: which of them. Throws `BadCtranslate2`. Pure.
 */
export function tokensOf(file: string, text: string, vocabulary: number): readonly Buffer[] {
	const tokens = file.endsWith('.txt')
		? text.split('\n').map((line) => line.replace(/\r$/, ''))
		: parsed(file, text);
	// OpenAI's English models have one token fewer before the special ones.
	const end = vocabulary < 51_865 ? writtenTokens - 1 : writtenTokens;
	if (tokens[end] !== endOfText)
		throw new BadCtranslate2(
			`${file} has ${shown(tokens[end])} as token ${end}, where Whisper's vocabulary of ${vocabulary} tokens has ${endOfText}`,
		);
	return Array.from({ length: writtenTokens }, (_, index) =>
		index === end ? Buffer.from(endOfText) : bytesOf(file, tokens[index], index),
	);
}

/** Whisper's longest token has 128 characters. */
function shown(token: string | undefined): string {
	return token !== undefined && token.length > 128
		? `${JSON.stringify(token.slice(0, 128))}…`
		: JSON.stringify(token ?? null);
}

function parsed(file: string, text: string): readonly (string | undefined)[] {
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		throw new BadCtranslate2(
			`${file} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
		);
	}
	if (Array.isArray(data)) return data.map((token) => (typeof token === 'string' ? token : undefined));
	return ofTokenizer(file, data);
}

function ofTokenizer(file: string, data: unknown): readonly (string | undefined)[] {
	const { model, added_tokens: added = [] } = isRecord(data) ? data : {};
	const { vocab } = isRecord(model) ? model : {};
	if (!isRecord(vocab) || !Array.isArray(added)) throw new BadCtranslate2(`${file} has no list of tokens`);
	const tokens: (string | undefined)[] = [];
	const put = (token: unknown, index: unknown): void => {
		// Limits the list: a hostile index could make it arbitrarily long.
		if (
			typeof token === 'string' &&
			Number.isSafeInteger(index) &&
			Number(index) >= 0 &&
			Number(index) < 100_000
		)
			tokens[Number(index)] = token;
	};
	for (const [token, index] of Object.entries(vocab)) put(token, index);
	for (const each of added) if (isRecord(each)) put(each.content, each.id);
	return tokens;
}

function isPlain(byte: number): boolean {
	return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/**
 * GPT-2's byte-level alphabet: bytes that are not printable Latin-1 are written as the characters from U+0100 on, in
 * order (`bytes_to_unicode` of its encoder).
 */
function byteLevel(): ReadonlyMap<string, number> {
	const bytes = new Map<string, number>();
	let others = 0;
	for (let byte = 0; byte < 256; byte++)
		bytes.set(String.fromCharCode(isPlain(byte) ? byte : 256 + others++), byte);
	return bytes;
}

const byteOf = byteLevel();

function bytesOf(file: string, token: string | undefined, index: number): Buffer {
	// OpenAI's multilingual vocabulary has an empty token before the special ones; some tokenizers omit it.
	const text = token ?? (index === writtenTokens - 1 ? '' : unknownCharacter);
	const bytes = Array.from(text, (character) => byteOf.get(character));
	if (bytes.some((byte) => byte === undefined))
		throw new BadCtranslate2(
			`${file} has ${shown(token)} as token ${index}, which is none of a byte-level vocabulary`,
		);
	return Buffer.from(bytes as number[]);
}
