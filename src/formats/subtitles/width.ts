/** Width of text in columns, as subtitles count their characters. */

/** Unicode's East Asian wide and fullwidth characters (UAX #11), by script and block; emoji are shown as wide, too. */
const wide =
	/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\u30fb\u30fc\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
const halfwidth = /[\uff61-\uffdc\uffe8-\uffee]/u;
/** Marks drawn on the character before them, and characters that are not drawn. */
const unseen = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of `text`: 2 for an East Asian wide character, 0 for a combining mark, 1 for every other. */
export function widthOf(text: string): number {
	let width = 0;
	for (const character of text) {
		if (character < '\u0300') width += 1;
		else if (unseen.test(character)) width += 0;
		else width += wide.test(character) && !halfwidth.test(character) ? 2 : 1;
	}
	return width;
}
