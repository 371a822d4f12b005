/** Text that is told while it grows and never taken back, out of hypotheses that may change. Pure. */

import { unspacedCharacter } from '../speech/text.js';

/** Words of a hypothesis are compared with those told before; more of them than this are compared at the end only. */
const maxAlignedWords = 400;

export class GrowingText {
	#told = '';
	#last = '';

	/** What was told so far. */
	get told(): string {
		return this.#told;
	}

	/** A hypothesis of all the text so far. Returns what can be told of it: the words that were in the one before, too, and
	 * that another word follows. */
	guess(text: string): string {
		const stable = completeWords(commonPrefix(this.#last, text), text);
		this.#last = text;
		return this.#tell(stable);
	}

	/** Text that stays: it begins like every later one. Returns what is new of it. */
	settle(text: string): string {
		this.#last = text;
		return this.#tell(text);
	}

	/** The final text. Returns what is still to be told; where it contradicts what was told, what follows the words told. */
	finish(text: string): { readonly delta: string; readonly revised: boolean } {
		if (text.startsWith(this.#told)) return { delta: this.#tell(text), revised: false };
		const rest = restAfter(this.#told, text);
		this.#told += rest;
		return { delta: rest, revised: true };
	}

	#tell(text: string): string {
		if (!text.startsWith(this.#told)) return '';
		const delta = text.slice(this.#told.length);
		this.#told = text;
		return delta;
	}
}

function commonPrefix(a: string, b: string): string {
	let at = 0;
	while (at < a.length && at < b.length && a[at] === b[at]) at++;
	// Not between the halves of a character beyond 16 bits.
	const code = b.charCodeAt(at - 1);
	return b.slice(0, code >= 0xd800 && code < 0xdc00 ? at - 1 : at);
}

/** The words of `prefix` that are complete in `text`: something follows them that begins another word. */
function completeWords(prefix: string, text: string): string {
	let end = 0;
	for (const { index } of text.matchAll(wordPattern)) if (index <= prefix.length) end = index;
	return text.slice(0, end);
}

/** A word with the white space before it; of scripts without spaces each character. */
const wordPattern = new RegExp(
	`\\s*(?:${unspacedCharacter.source}|(?:(?!${unspacedCharacter.source})\\S)+)`,
	'gu',
);

function wordsOfText(text: string): string[] {
	return text.match(wordPattern) ?? [];
}

/** What follows in `text` after the words that correspond best to those of `told`, by edit distance. */
function restAfter(told: string, text: string): string {
	const before = wordsOfText(told).slice(-maxAlignedWords);
	const words = wordsOfText(text);
	const skipped = Math.max(0, wordsOfText(told).length - before.length);
	const after = words.slice(skipped, skipped + 2 * maxAlignedWords);
	const costs = lastRow(before.map(plain), after.map(plain));
	let best = 0;
	for (const [count, cost] of costs.entries()) if (cost <= (costs[best] ?? 0)) best = count;
	const rest = words.slice(skipped + best).join('');
	return rest !== '' && told === '' ? rest.trimStart() : rest;
}

function plain(word: string): string {
	return word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** Edit distances of `a` to each beginning of `b`. */
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
