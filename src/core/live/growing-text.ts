/** Derives append-only partial text from successive hypotheses, which may change. Pure. */

import { unspacedCharacter } from '../speech/text.js';

/** Alignment compares at most this many words, the last ones, of the published text with the final text. */
const maxAlignedWords = 400;

export class GrowingText {
	#published = '';
	#last = '';

	/** The text published so far. */
	get published(): string {
		return this.#published;
	}

	/** Takes a hypothesis of the whole text so far. Returns the new text that can be published: complete words, each
	 * followed by another word, on which this hypothesis and the one before agree. */
	partial(text: string): string {
		const stable = completeWords(commonPrefix(this.#last, text), text);
		this.#last = text;
		return this.#publish(stable);
	}

	/** Takes text that is final: every later text starts with it. Returns the part not yet published. */
	settle(text: string): string {
		this.#last = text;
		return this.#publish(text);
	}

	/** Takes the final text. Returns the part not yet published. `revised`: the final text contradicts the published
	 * text, and `delta` is what follows the best alignment of the two. */
	finish(text: string): { readonly delta: string; readonly revised: boolean } {
		if (text.startsWith(this.#published)) return { delta: this.#publish(text), revised: false };
		const rest = restAfter(this.#published, text);
		this.#published += rest;
		return { delta: rest, revised: true };
	}

	#publish(text: string): string {
		if (!text.startsWith(this.#published)) return '';
		const delta = text.slice(this.#published.length);
		this.#published = text;
		return delta;
	}
}

function commonPrefix(a: string, b: string): string {
	let at = 0;
	while (at < a.length && at < b.length && a[at] === b[at]) at++;
	// Do not split a surrogate pair.
	const code = b.charCodeAt(at - 1);
	return b.slice(0, code >= 0xd800 && code < 0xdc00 ? at - 1 : at);
}

/** The words of `prefix` that are complete in `text`: another word begins after them. */
function completeWords(prefix: string, text: string): string {
	let end = 0;
	for (const { index } of text.matchAll(wordPattern)) if (index <= prefix.length) end = index;
	return text.slice(0, end);
}

/** A word with the white space before it; in scripts without spaces, each character is a word. */
const wordPattern = new RegExp(
	`\\s*(?:${unspacedCharacter.source}|(?:(?!${unspacedCharacter.source})\\S)+)`,
	'gu',
);

function wordsOfText(text: string): string[] {
	return text.match(wordPattern) ?? [];
}

/** The rest of `text` after the words that align best with those of `published`, by edit distance. */
function restAfter(published: string, text: string): string {
	const before = wordsOfText(published).slice(-maxAlignedWords);
	const words = wordsOfText(text);
	const skipped = Math.max(0, wordsOfText(published).length - before.length);
	const after = words.slice(skipped, skipped + 2 * maxAlignedWords);
	const costs = lastRow(before.map(plain), after.map(plain));
	let best = 0;
	for (const [count, cost] of costs.entries()) if (cost <= (costs[best] ?? 0)) best = count;
	const rest = words.slice(skipped + best).join('');
	return rest !== '' && published === '' ? rest.trimStart() : rest;
}

function plain(word: string): string {
	return word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** Edit distances between `a` and each prefix of `b`. */
function lastRow(a: readonly string[], b: readonly string[]): number[] {
	let row = Array.from({ length: b.length + 1 }, (_, count) => count);
	for (const [index, word] of a.entries()) {
		const next = [index + 1];
		for (const [at, other] of b.entries()) {
			const replaced = (row[at] ?? 0) + (word === other ? 0 : 1);
			next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
		}
		row = next;
	}
	return row;
}
