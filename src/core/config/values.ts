/** Parsers of setting values; each throws Expectation on bad input. Pure. */

import { maxTimerMs } from '../clock.js';

/** Thrown for a bad value; the message completes "Expected `name` to be …". */
export class Expectation extends Error {}

export function wholeNumber(low: number, high: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
			throw new Expectation(`a whole number from ${low} to ${high}`);
		}
		return value;
	};
}

/** A parser that accepts `auto`, or what `parse` accepts. Throws Expectation. */
export function autoOr<T>(parse: (text: string) => T): (text: string) => T | 'auto' {
	return (text) => {
		if (text === 'auto') return text;
		try {
			return parse(text);
		} catch (thrown) {
			if (!(thrown instanceof Expectation)) throw thrown;
			throw new Expectation(`${thrown.message}, or \`auto\``);
		}
	};
}

export function numberFrom(low: number, high: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() !== '' && value >= low && value <= high) return value;
		throw new Expectation(`a number from ${low} to ${high}`);
	};
}

export function zeroOrFrom(low: number, high: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() !== '' && (value === 0 || (value >= low && value <= high))) return value;
		throw new Expectation(`0, or a number from ${low} to ${high}`);
	};
}

/** A parser of a fixed set of values. */
export interface ChoiceParser<T> {
	(text: string): T;
	/** For shell completion. */
	readonly choices: readonly string[];
}

export function oneOf<const T extends string>(values: readonly T[]): ChoiceParser<T> {
	const parse = (text: string): T => {
		const found = values.find((value) => value === text);
		if (found === undefined) throw new Expectation(`one of ${values.join(', ')}`);
		return found;
	};
	return Object.assign(parse, { choices: values });
}

export const flag: ChoiceParser<boolean> = Object.assign(
	(text: string): boolean => {
		if (/^(1|true|yes|on)$/i.test(text)) return true;
		if (/^(0|false|no|off)$/i.test(text)) return false;
		throw new Expectation('true or false');
	},
	{ choices: ['true', 'false'] },
);

export function httpUrl(text: string): string {
	if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '');
	throw new Expectation('an http or https URL');
}

const millisecondsOf: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds from the forms that Ollama and speaches accept: seconds, or a number with a unit; 0 = at once; `never`
 * or anything below 0 is Infinity. Throws Expectation. */
export function keepAlive(text: string): number {
	if (text === 'never') return Infinity;
	const [, sign, figure, unit = 's'] = /^(-?)(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
	const ms = Number(figure) * (millisecondsOf[unit] ?? Number.NaN);
	if (sign === '-' && ms > 0) return Infinity;
	// The longest delay of a timer.
	if (ms <= maxTimerMs) return ms;
	throw new Expectation('seconds, or a number with s, m or h such as `10m`; 0 = at once, -1 = never');
}

/** Seconds, or a number with s, m, h or d. */
export function seconds(text: string): number {
	const [, figure, unit = 's'] = /^(\d+(?:\.\d+)?)(s|m|h|d)?$/.exec(text.trim()) ?? [];
	const value = Number(figure) * { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd'];
	if (value >= 1 && value <= maxSeconds) return value;
	throw new Expectation(
		'seconds, or a number with s, m, h or d such as `12h`, at least a second and at most ten years',
	);
}

const maxSeconds = 10 * 366 * 86_400;

export const list = (text: string): readonly string[] =>
	text
		.split(',')
		.map((item) => item.trim())
		.filter((item) => item !== '');

/** At least one key, each of which a header can carry. Other characters are refused, since clients encode them
 * differently or cannot send them. */
export function keys(text: string): readonly string[] {
	const items = list(text);
	if (items.length === 0)
		throw new Expectation('one or more keys, separated by commas; without any, leave it out');
	if (items.every((key) => /^[ -~]{1,4096}$/.test(key))) return items;
	throw new Expectation('keys of at most 4096 ASCII characters, separated by commas');
}

export const word = (text: string): string => text;
