// @ts-check
/**
 * OpenAI's EnglishTextNormalizer (openai-whisper 20250625, whisper/normalizers): what every published word error rate of
 * Whisper was counted after. Same result for the same text.
 */

import { readFileSync } from 'node:fs';
import { numbersInFigures } from './numbers.mjs';
import { bounded, spaces, wordsOf } from './text.mjs';

/** British to American. */
const spellings = new Map(
	readFileSync(new URL('spellings.txt', import.meta.url), 'utf8')
		.split('\n')
		.filter((line) => line !== '' && !line.startsWith('#'))
		.map((line) => /** @type {[string, string]} */ (line.split('\t'))),
);

const hesitations = bounded('\\b(hmm|mm|mhm|mmm|uh|um)\\b');

/** In this order. @type {[RegExp, string][]} */
const contractions = Object.entries({
	"\\bwon't\\b": 'will not',
	"\\bcan't\\b": 'can not',
	"\\blet's\\b": 'let us',
	"\\bain't\\b": 'aint',
	"\\by'all\\b": 'you all',
	'\\bwanna\\b': 'want to',
	'\\bgotta\\b': 'got to',
	'\\bgonna\\b': 'going to',
	"\\bi'ma\\b": 'i am going to',
	'\\bimma\\b': 'i am going to',
	'\\bwoulda\\b': 'would have',
	'\\bcoulda\\b': 'could have',
	'\\bshoulda\\b': 'should have',
	"\\bma'am\\b": 'madam',
	'\\bmr\\b': 'mister ',
	'\\bmrs\\b': 'missus ',
	'\\bst\\b': 'saint ',
	'\\bdr\\b': 'doctor ',
	'\\bprof\\b': 'professor ',
	'\\bcapt\\b': 'captain ',
	'\\bgov\\b': 'governor ',
	'\\bald\\b': 'alderman ',
	'\\bgen\\b': 'general ',
	'\\bsen\\b': 'senator ',
	'\\brep\\b': 'representative ',
	'\\bpres\\b': 'president ',
	'\\brev\\b': 'reverend ',
	'\\bhon\\b': 'honorable ',
	'\\basst\\b': 'assistant ',
	'\\bassoc\\b': 'associate ',
	'\\blt\\b': 'lieutenant ',
	'\\bcol\\b': 'colonel ',
	'\\bjr\\b': 'junior ',
	'\\bsr\\b': 'senior ',
	'\\besq\\b': 'esquire ',
	"'d been\\b": ' had been',
	"'s been\\b": ' has been',
	"'d gone\\b": ' had gone',
	"'s gone\\b": ' has gone',
	"'d done\\b": ' had done',
	"'s got\\b": ' has got',
	"n't\\b": ' not',
	"'re\\b": ' are',
	"'s\\b": ' is',
	"'d\\b": ' would',
	"'ll\\b": ' will',
	"'t\\b": ' not',
	"'ve\\b": ' have',
	"'m\\b": ' am',
}).map(([source, replacement]) => [bounded(source), replacement]);

/** Letters that Unicode does not take apart. */
const foreignLetters = new Map(
	Object.entries({
		œ: 'oe',
		Œ: 'OE',
		ø: 'o',
		Ø: 'O',
		æ: 'ae',
		Æ: 'AE',
		ß: 'ss',
		ẞ: 'SS',
		đ: 'd',
		Đ: 'D',
		ð: 'd',
		Ð: 'D',
		þ: 'th',
		Þ: 'th',
		ł: 'l',
		Ł: 'L',
	}),
);

/** Symbols become spaces, but for those of numbers; marks over letters go. @param {string} text */
function withoutSymbols(text) {
	return Array.from(text.normalize('NFKD'), (character) => {
		if ('.%$¢€£'.includes(character)) return character;
		const plain = foreignLetters.get(character);
		if (plain !== undefined) return plain;
		if (/\p{Mn}/u.test(character)) return '';
		return /[\p{M}\p{S}\p{P}]/u.test(character) ? ' ' : character;
	}).join('');
}

const spaceBeforeApostrophe = bounded("\\s+'");

/**
 * @param {string} text as a model or a person wrote it
 * @returns {string} lower-case words, numbers in figures, American spelling; spaces at the ends may be left
 */
export function normaliseEnglish(text) {
	let plain = text
		.toLowerCase()
		.replace(/[<[][^>\]]*[>\]]/gu, '')
		.replace(/\([^)]+?\)/gu, '')
		.replace(hesitations, '')
		.replace(spaceBeforeApostrophe, "'");
	for (const [pattern, replacement] of contractions) plain = plain.replace(pattern, replacement);
	plain = withoutSymbols(plain.replace(/(\p{Nd}),(\p{Nd})/gu, '$1$2').replace(/\.([^0-9]|$)/gu, ' $1'));
	return wordsOf(numbersInFigures(plain))
		.map((word) => spellings.get(word) ?? word)
		.join(' ')
		.replace(/[.$¢€£]([^0-9])/gu, ' $1')
		.replace(/([^0-9])%/gu, '$1 ')
		.replace(spaces, ' ');
}

/** @param {string} text @returns {string[]} what is counted */
export const countedWords = (text) => wordsOf(normaliseEnglish(text));
