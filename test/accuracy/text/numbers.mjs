// @ts-check
/**
 * Spelled-out numbers become figures, as in OpenAI's EnglishNumberNormalizer (openai-whisper 20250625,
 * whisper/normalizers/english.py), oddities included: word error rates are comparable only where both sides are
 * written alike.
 */

import { bounded, wordsOf } from './text.mjs';

const ones = new Map(
	'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'
		.split(' ')
		.map((name, at) => [name, BigInt(at + 1)]),
);
const tens = new Map(
	'twenty thirty forty fifty sixty seventy eighty ninety'
		.split(' ')
		.map((name, at) => [name, BigInt(10 * (at + 2))]),
);
const multipliers = new Map(
	'hundred thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion'
		.split(' ')
		.map((name, at) => [name, at === 0 ? 100n : 1000n ** BigInt(at)]),
);
const zeros = new Set(['o', 'oh', 'zero']);
const decimals = new Set([...ones.keys(), ...tens.keys(), ...zeros]);

/** @typedef {readonly [value: bigint, suffix: string]} Suffixed `sixties` is 60 and `s`, `third` 3 and `rd` */

/** @type {Map<string, Suffixed>} */
const onesSuffixed = new Map([
	.../** @type {[string, Suffixed][]} */ (
		[...ones].map(([name, value]) => [name === 'six' ? 'sixes' : `${name}s`, [value, 's']])
	),
	['zeroth', [0n, 'th']],
	['first', [1n, 'st']],
	['second', [2n, 'nd']],
	['third', [3n, 'rd']],
	['fifth', [5n, 'th']],
	['twelfth', [12n, 'th']],
	.../** @type {[string, Suffixed][]} */ (
		[...ones]
			.filter(([, value]) => value > 3n && value !== 5n && value !== 12n)
			.map(([name, value]) => [name + (name.endsWith('t') ? 'h' : 'th'), [value, 'th']])
	),
]);
/** @type {Map<string, Suffixed>} */
const tensSuffixed = new Map(
	[...tens].flatMap(([name, value]) => [
		[name.replace('y', 'ies'), [value, 's']],
		[name.replace('y', 'ieth'), [value, 'th']],
	]),
);
/** @type {Map<string, Suffixed>} */
const multipliersSuffixed = new Map(
	[...multipliers].flatMap(([name, value]) => [
		[`${name}s`, [value, 's']],
		[`${name}th`, [value, 'th']],
	]),
);

const signs = new Map(Object.entries({ minus: '-', negative: '-', plus: '+', positive: '+' }));
const currencies = new Map(
	Object.entries({
		pound: '£',
		pounds: '£',
		euro: '€',
		euros: '€',
		dollar: '$',
		dollars: '$',
		cent: '¢',
		cents: '¢',
	}),
);
const prefixes = new Set([...signs.values(), ...currencies.values()]);
const specials = new Set(['and', 'double', 'triple', 'point']);
const numberWords = new Set(
	[
		...[ones, onesSuffixed, tens, tensSuffixed, multipliers, multipliersSuffixed, signs, currencies].map(
			(map) => map.keys(),
		),
		...[zeros, specials, ['per', 'percent']],
	].flatMap((words) => [...words]),
);

const isFigure = (/** @type {string | undefined} */ word) =>
	word !== undefined && /^[0-9]+(\.[0-9]+)?$/.test(word);

/**
 * Product of a decimal number and a whole one, where it is whole.
 * @param {string} text @param {bigint} factor
 */
function wholeProduct(text, factor) {
	const [, whole = '', fraction = ''] = /^([0-9]*)(?:\.([0-9]*))?$/.exec(text) ?? [];
	if (whole + fraction === '') return undefined;
	const numerator = BigInt(whole + fraction) * factor;
	const denominator = 10n ** BigInt(fraction.length);
	return numerator % denominator === 0n ? numerator / denominator : undefined;
}

/** The number that the words so far make up: whole (bigint), or figures in a row (string), or none. */
class NumberReader {
	/** @type {string[]} */
	written = [];
	/** @type {string | bigint | undefined} */
	#value;
	#prefix = '';
	#skips = false;

	/** @param {string} text what is written in place of the number so far */
	#write(text) {
		this.written.push(this.#prefix + text);
		this.#value = undefined;
		this.#prefix = '';
	}

	#flush() {
		if (this.#value !== undefined) this.#write(String(this.#value));
	}

	/** @param {unknown} figures */
	#append(figures) {
		this.#value = `${this.#value || ''}${figures}`;
	}

	/** @param {string | undefined} before @param {string} word @param {string | undefined} after */
	read(before, word, after) {
		if (this.#skips) {
			this.#skips = false;
			return;
		}
		const hasPrefix = prefixes.has(word.charAt(0));
		const bare = hasPrefix ? word.slice(1) : word;
		if (isFigure(bare)) this.#readFigure(word, bare, hasPrefix);
		else if (!numberWords.has(word)) {
			this.#flush();
			this.#write(word);
		} else if (zeros.has(word)) this.#append(0);
		else if (!this.#readUnit(before, word) && !this.#readMark(word, after))
			this.#readSpecial(before, word, after);
	}

	/** @param {string} word @param {string} bare without its prefix @param {boolean} hasPrefix */
	#readFigure(word, bare, hasPrefix) {
		if (typeof this.#value === 'string' && this.#value.endsWith('.')) {
			this.#value += word;
			return;
		}
		this.#flush();
		if (hasPrefix) this.#prefix = word.charAt(0);
		this.#value = wholeProduct(bare, 1n) ?? bare;
	}

	/** Ones, tens and multipliers. @param {string | undefined} before @param {string} word */
	#readUnit(before, word) {
		const one = ones.get(word);
		const ten = tens.get(word);
		const multiplier = multipliers.get(word);
		if (one !== undefined) this.#value = this.#withOnes(before, one);
		else if (ten !== undefined) this.#value = this.#withTens(ten);
		else if (multiplier !== undefined) this.#multiply(multiplier);
		else return this.#readSuffixed(before, word);
		return true;
	}

	/** @param {string | undefined} before @param {string} word */
	#readSuffixed(before, word) {
		const one = onesSuffixed.get(word);
		const ten = tensSuffixed.get(word);
		const multiplier = multipliersSuffixed.get(word);
		if (one) this.#write(`${this.#withOnes(before, one[0])}${one[1]}`);
		else if (ten) this.#write(`${this.#withTens(ten[0])}${ten[1]}`);
		else if (multiplier) this.#writeMultiplied(...multiplier);
		return one !== undefined || ten !== undefined || multiplier !== undefined;
	}

	/** @param {string | undefined} before @param {bigint} one 0 to 19 @returns {string | bigint} */
	#withOnes(before, one) {
		const value = this.#value;
		if (value === undefined) return one;
		if (typeof value === 'string' || ones.has(before ?? '')) {
			const fillsZero = tens.has(before ?? '') && one < 10n;
			return (fillsZero ? String(value).slice(0, -1) : String(value)) + one;
		}
		return value % (one < 10n ? 10n : 100n) === 0n ? value + one : `${value}${one}`;
	}

	/** @param {bigint} ten @returns {string | bigint} */
	#withTens(ten) {
		const value = this.#value;
		if (value === undefined) return ten;
		return typeof value === 'bigint' && value % 100n === 0n ? value + ten : `${value}${ten}`;
	}

	/** @param {bigint} multiplier */
	#multiply(multiplier) {
		const value = this.#value;
		if (value === undefined) this.#value = multiplier;
		else if (typeof value === 'bigint') this.#value = thousandsKept(value, multiplier);
		else {
			const product = wholeProduct(value, multiplier);
			if (product === undefined) this.#flush();
			this.#value = product ?? multiplier;
		}
	}

	/** @param {bigint} multiplier @param {string} suffix */
	#writeMultiplied(multiplier, suffix) {
		const value = this.#value;
		if (typeof value === 'bigint') this.#write(`${thousandsKept(value, multiplier)}${suffix}`);
		else {
			const product = value === undefined ? multiplier : wholeProduct(value, multiplier);
			if (product === undefined) this.#flush();
			this.#write(`${product ?? multiplier}${suffix}`);
		}
	}

	/** Signs, currencies and per cent. @param {string} word @param {string | undefined} after */
	#readMark(word, after) {
		const sign = signs.get(word);
		const currency = currencies.get(word);
		if (sign !== undefined) {
			this.#flush();
			if (numberWords.has(after ?? '') || isFigure(after)) this.#prefix = sign;
			else this.#write(word);
		} else if (currency !== undefined) {
			if (this.#value !== undefined) this.#prefix = currency;
			if (this.#value !== undefined) this.#flush();
			else this.#write(word);
		} else if (word === 'per' || word === 'percent') {
			const isPerCent = this.#value !== undefined && (word === 'percent' || after === 'cent');
			if (isPerCent) this.#write(`${this.#value}%`);
			else {
				this.#flush();
				this.#write(word);
			}
			this.#skips = isPerCent && word === 'per';
		} else return false;
		return true;
	}

	/** And, double, triple, point. @param {string | undefined} before @param {string} word @param {string} [after] */
	#readSpecial(before, word, after = '') {
		const isPlain = !numberWords.has(after) && !isFigure(after);
		if (!isPlain && word === 'point') {
			if (decimals.has(after) || isFigure(after)) this.#append('.');
		} else if (!isPlain && word === 'and' && multipliers.has(before ?? '')) {
			// `one hundred and two`: nothing to write.
		} else if (!isPlain && word !== 'and' && (ones.has(after) || zeros.has(after))) {
			this.#append(String(ones.get(after) ?? 0).repeat(word === 'double' ? 2 : 3));
			this.#skips = true;
		} else {
			this.#flush();
			this.#write(word);
		}
	}

	end() {
		this.#flush();
		return this.written.join(' ');
	}
}

/** `two thousand three hundred`: the thousands stay. @param {bigint} value @param {bigint} multiplier */
function thousandsKept(value, multiplier) {
	return value - (value % 1000n) + (value % 1000n) * multiplier;
}

const andAHalf = bounded('\\band\\s+a\\s+half\\b');
const suffixAfterSpace = bounded('([0-9])\\s+(st|nd|rd|th|s)\\b');
const dollarsAndCents = bounded('([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\\b');
const centsAlone = bounded('[€£$]0.([0-9]{1,2})\\b');
const loneOne = bounded('\\b1(s?)\\b');

/** `<number> and a half` becomes `<number> point five`. @param {string} text */
function halvesSpelled(text) {
	const parts = text.split(andAHalf);
	return parts
		.flatMap((part, at) => {
			const last = wordsOf(part).at(-1);
			if (last === undefined) return [];
			if (at === parts.length - 1) return [part];
			return [part, decimals.has(last) || multipliers.has(last) ? 'point five' : 'and a half'];
		})
		.join(' ');
}

/**
 * @param {string} text lower-case words without symbols other than `.%$¢€£`
 * @returns {string}
 */
export function numbersInFigures(text) {
	const spaced = halvesSpelled(text)
		.replace(/([a-z])([0-9])/g, '$1 $2')
		.replace(/([0-9])([a-z])/g, '$1 $2')
		.replace(suffixAfterSpace, '$1$2');
	const words = wordsOf(spaced);
	const reader = new NumberReader();
	words.forEach((word, at) => {
		reader.read(words[at - 1], word, words[at + 1]);
	});
	return reader
		.end()
		.replace(dollarsAndCents, (_, currency, whole, cents) => `${currency}${whole}.${cents.padStart(2, '0')}`)
		.replace(centsAlone, (_, cents) => `¢${Number(cents)}`)
		.replace(loneOne, 'one$1');
}
