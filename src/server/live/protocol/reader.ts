/** Reads the fields of a JSON object. Pure. */

import { expected } from '../../../core/errors.js';
import { isRecord } from '../../../core/is-record.js';
import { Refused } from './events.js';

/** The fields of `T`, each possibly undefined. */
export type Given<T> = { readonly [K in keyof T]-?: T[K] | undefined };

/** The fields of an object. Throws Refused, whose `param` is the path of the field. */
export class Reader {
	readonly #fields: Readonly<Record<string, unknown>>;
	readonly #path: string;

	constructor(value: unknown, path: string) {
		if (!isRecord(value))
			throw new Refused('invalid_value', expected(path, 'an object', value).message, path);
		this.#fields = value;
		this.#path = path;
	}

	pathOf(field: string): string {
		return this.#path === '' ? field : `${this.#path}.${field}`;
	}

	/** Throws if the object has other fields. */
	allow(...names: readonly string[]): void {
		const unknown = Object.keys(this.#fields).find((name) => !names.includes(name));
		if (unknown === undefined) return;
		const path = this.pathOf(unknown.slice(0, 100));
		throw new Refused('unknown_parameter', `Unknown parameter: '${path}'.`, path);
	}

	has(field: string): boolean {
		return Object.hasOwn(this.#fields, field) && this.#fields[field] !== undefined;
	}

	value(field: string): unknown {
		return this.has(field) ? this.#fields[field] : undefined;
	}

	/** undefined if the field is missing or null, as with the methods below. */
	object(field: string): Reader | undefined {
		const value = this.value(field) ?? undefined;
		return value === undefined ? undefined : new Reader(value, this.pathOf(field));
	}

	text(field: string): string | undefined {
		return this.#typed(field, 'a text', (value): value is string => typeof value === 'string');
	}

	texts(field: string): readonly string[] | undefined {
		const areTexts = (value: unknown): value is string[] =>
			Array.isArray(value) && value.every((each) => typeof each === 'string');
		return this.#typed(field, 'a list of texts', areTexts);
	}

	flag(field: string): boolean | undefined {
		return this.#typed(field, 'true or false', (value): value is boolean => typeof value === 'boolean');
	}

	number(field: string, min: number, max: number): number | undefined {
		const isInRange = (value: unknown): value is number =>
			typeof value === 'number' && value >= min && value <= max;
		const what = min === max ? String(min) : `a number from ${min} to ${max}`;
		return this.#typed(field, what, isInRange);
	}

	choice<T extends string>(field: string, choices: readonly T[]): T | undefined {
		const isChoice = (value: unknown): value is T => choices.some((choice) => choice === value);
		return this.#typed(field, `one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`, isChoice);
	}

	refuse(field: string, what: string, got: unknown): Refused {
		const path = this.pathOf(field);
		return new Refused('invalid_value', expected(path, what, got).message, path);
	}

	#typed<T>(field: string, what: string, is: (value: unknown) => value is T): T | undefined {
		const value = this.value(field) ?? undefined;
		if (value === undefined) return undefined;
		if (is(value)) return value;
		throw this.refuse(field, what, value);
	}
}
