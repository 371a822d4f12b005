/** Reads the fields of a form, in the spellings that clients use. */

import { EarshotError, expected } from '../../../core/errors.js';
import { subtitleFields } from './subtitle-fields.js';

/** The fields of OpenAI's request except `file`, then those for subtitles, those of faster-whisper and speaches, and
 * Earshot's own. Other fields are ignored. */
export const fieldNames = [
	'model',
	'language',
	'languages',
	'keywords',
	'prompt',
	'response_format',
	'temperature',
	'include',
	'timestamp_granularities',
	'stream',
	'chunking_strategy',
	'known_speaker_names',
	'known_speaker_references',
	...subtitleFields,
	'initial_prompt',
	'hotwords',
	'word_timestamps',
	'vad_filter',
	'beam_size',
	'temperature_increment',
	'logprob_threshold',
	'compression_ratio_threshold',
	'no_speech_threshold',
	'channels',
	'diarize',
	'num_speakers',
	'min_speakers',
	'max_speakers',
	'known_speakers',
	'background',
	'url',
	'task',
	'priority',
	'metadata',
	'webhook_url',
	'webhook_secret',
	'webhook_include',
] as const;

/** Additional fields of `POST /v1/voices`. */
const voiceFieldNames = ['name'] as const;

export type FieldName = (typeof fieldNames)[number] | (typeof voiceFieldNames)[number];

/** `timestamp_granularities[]`, `timestamp_granularities[0]` and the bare name mean the same;
 * `chunking_strategy[type]` is a part of `chunking_strategy`, and `metadata[any key]` a part of `metadata`. */
export function fieldOf(formName: string): FieldName | undefined {
	if (/^metadata\[.*\]$/s.test(formName)) return 'metadata';
	return byName.get(/^([a-z_]+)(\[\w*\])?$/.exec(formName)?.[1] ?? '');
}

const byName: ReadonlyMap<string, FieldName> = new Map(
	[...fieldNames, ...voiceFieldNames].map((name) => [name, name]),
);

/** Values by form name, in the order of the form. */
export type FormFields = ReadonlyMap<string, readonly string[]>;

export interface Range {
	readonly min: number;
	readonly max: number;
}

/** Reads each field in the spellings that clients use, or throws `invalid_request`. */
export class Fields {
	/** The parts of the form for each field, under all spellings of its name. */
	readonly #given = new Map<FieldName, (readonly [formName: string, values: readonly string[]])[]>();

	constructor(form: FormFields) {
		for (const part of form) {
			const name = fieldOf(part[0]);
			if (name === undefined) continue;
			const given = this.#given.get(name);
			if (given) given.push(part);
			else this.#given.set(name, [part]);
		}
	}

	/** Every value of the field, under all spellings of its name; empty values are skipped. */
	list(name: FieldName): readonly string[] {
		// Fast path: every field is read, but a request contains only a few.
		const given = this.#given.get(name);
		return given?.flatMap(([, values]) => values.filter((value) => value.trim() !== '')) ?? nothing;
	}

	text(name: FieldName): string | undefined {
		const given = this.list(name);
		if (given.length < 2) return given[0];
		const values = [...new Set(given)];
		if (values.length > 1) throw expected(name, 'given once', values.join(', '));
		return values[0];
	}

	choices<T extends string>(name: FieldName, allowed: readonly T[]): T[] {
		return this.list(name).map((given) => chosen(name, allowed, given));
	}

	choice<T extends string>(name: FieldName, allowed: readonly T[]): T | undefined {
		const given = this.text(name);
		return given === undefined ? undefined : chosen(name, allowed, given);
	}

	number(name: FieldName, range: Range): number | undefined {
		return inRange(name, name, this.text(name), range);
	}

	/** undefined if the field is absent. */
	flag(name: FieldName): boolean | undefined {
		const given = this.text(name);
		if (given === undefined) return undefined;
		const flag = flags.get(given.toLowerCase());
		if (flag === undefined) throw expected(name, '`true` or `false`', given);
		return flag;
	}

	/** Reads `name[key]=value` pairs or JSON; null if the field is absent or `auto`. */
	object(name: FieldName): Readonly<Record<string, unknown>> | null {
		const given = this.#given.get(name);
		if (given === undefined) return null;
		const pairs = given.flatMap(([formName, values]) => {
			const key = /\[(\w+)\]$/.exec(formName)?.[1];
			return key === undefined ? [] : [[key, values[0]] as const];
		});
		if (pairs.length > 0) return Object.fromEntries(pairs);
		const text = this.text(name);
		if (text === undefined || text === 'auto' || text === 'null') return null;
		const value = parseJson(text);
		if (value === 'auto') return null;
		if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
		throw expected(name, '`auto` or an object', text);
	}

	/** Reads `name[key]=value` parts with any keys, or a JSON object; null if the field is absent. */
	pairs(name: FieldName): Readonly<Record<string, unknown>> | null {
		const given = this.#given.get(name) ?? [];
		const parts = given.filter(([formName]) => formName !== name);
		const whole = given.flatMap(([formName, values]) => (formName === name ? values : []));
		const texts = [...new Set(whole.filter((value) => value.trim() !== ''))];
		if (texts.length + Math.min(parts.length, 1) > 1)
			throw expected(name, `given once, as \`${name}[key]=value\` or in JSON`, texts.join(', '));
		if (parts.length > 0) return Object.fromEntries(parts.map((part) => pairOf(name, part)));
		const [text = 'null'] = texts;
		const value = parseJson(text);
		if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown> | null;
		throw expected(name, `\`${name}[key]=value\`, or an object in JSON`, text);
	}
}

function pairOf(name: FieldName, [formName, values]: readonly [string, readonly string[]]): [string, string] {
	const key = formName.slice(name.length + 1, -1);
	if (key.includes('][')) throw expected(name, 'pairs of texts, which hold no others', formName);
	const [value = '', ...others] = new Set(values);
	if (others.length > 0) throw expected(name, 'pairs whose keys are given once', formName);
	return [key, value];
}

const nothing: readonly string[] = [];

function chosen<T extends string>(name: FieldName, allowed: readonly T[], given: string): T {
	const choice = allowed.find((value) => value === given);
	if (choice === undefined) throw expected(name, listed(allowed), given);
	return choice;
}

const flags = new Map([
	['true', true],
	['1', true],
	['false', false],
	['0', false],
	['null', false],
]);

export function inRange(
	param: FieldName,
	name: string,
	given: unknown,
	{ min, max }: Range,
): number | undefined {
	if (given === undefined || given === null || given === '') return undefined;
	const value = typeof given === 'string' ? Number(given) : given;
	if (typeof value !== 'number' || !(value >= min && value <= max)) {
		const refusal = expected(name, `a number from ${min} to ${max}`, given);
		throw new EarshotError(refusal.code, refusal.message, { param });
	}
	return value;
}

export function unsupported(param: FieldName, message: string): EarshotError {
	return new EarshotError('unsupported_value', message, { param });
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// The caller throws an error that states the expected value.
		return undefined;
	}
}

export function listed(values: readonly string[]): string {
	const quoted = values.map((value) => `\`${value}\``);
	return quoted.length === 1 ? `${quoted[0]}` : `one of ${quoted.join(', ')}`;
}
