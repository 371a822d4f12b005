/** Scripts that are written without spaces between words. */

/** One character of such a script. */
export const unspacedCharacter =
	/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Whether the first character belongs to a script written without spaces between words. */
export function startsUnspaced(text: string): boolean {
	const [first] = text;
	return first !== undefined && unspacedCharacter.test(first);
}
