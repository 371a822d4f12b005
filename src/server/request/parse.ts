/** Form fields → a validated transcription request. All rules about the fields are here. */

import { EarshotError, expected } from '../../errors.js';
import { type FormatName, formatNames, formats } from '../../formats/formats.js';
import type { Include } from '../../formats/include.js';
import { fittingLanguage, languageCandidates } from '../../languages.js';
import { checkOptions, chunkingRanges } from '../../speech/check-options.js';
import type { ModelInfo } from '../../speech/model-info.js';
import { type ChunkingOptions, defaultChunking, type TranscribeOptions } from '../../speech/options.js';
import type { Task } from '../../speech/transcript.js';

/** Every field of OpenAI's request except `file`. Other fields are ignored. */
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
] as const;

export type FieldName = (typeof fieldNames)[number];

/** `timestamp_granularities[]`, `timestamp_granularities[0]` and the bare name mean the same;
 * `chunking_strategy[type]` is a part of `chunking_strategy`. */
export function fieldOf(formName: string): FieldName | undefined {
	const base = /^([a-z_]+)(\[\w*\])?$/.exec(formName)?.[1];
	return fieldNames.find((name) => name === base);
}

/** Values by form name, in the order of the form. */
export type FormFields = ReadonlyMap<string, readonly string[]>;

export interface TranscriptionRequest {
	readonly task: Task;
	/** null = the server's default model. */
	readonly model: string | null;
	/** Codes that `language` may mean, the most specific first; null = let the model detect. */
	readonly language: readonly string[] | null;
	/** The same for each of `languages[]`. */
	readonly languages: readonly (readonly string[])[];
	readonly prompt: string;
	readonly keywords: readonly string[];
	readonly temperature: number;
	readonly format: FormatName;
	readonly include: Include;
	readonly stream: boolean;
	readonly chunking: ChunkingOptions;
}

/** Validates everything that does not depend on the model. */
export function parseRequest(form: FormFields, task: Task): TranscriptionRequest {
	const fields = new Fields(form);
	refuseSpeakers(fields);
	const format = parseFormat(fields);
	const logprobs = fields.choices('include', ['logprobs']).length > 0;
	if (logprobs && format !== 'json') {
		throw unsupported('include', '`include[]=logprobs` needs `response_format` to be `json`');
	}
	const granularities = fields.choices('timestamp_granularities', ['word', 'segment']);
	const words = granularities.includes('word');
	// `segment` is the default, so it is accepted with every format.
	if (words && format !== 'verbose_json') {
		throw unsupported(
			'timestamp_granularities',
			'`timestamp_granularities[]=word` needs `response_format` to be `verbose_json`',
		);
	}
	const stream = fields.flag('stream');
	if (stream && !formats[format].streams) {
		throw unsupported(
			'stream',
			`\`stream\` needs \`response_format\` to be \`json\` or \`text\`, got \`${format}\``,
		);
	}
	return {
		task,
		model: fields.text('model')?.trim() || null,
		language: parseLanguage(fields),
		languages: fields.list('languages').map((given) => knownLanguage('languages', given)),
		prompt: fields.text('prompt')?.trim() ?? '',
		keywords: fields.list('keywords').map((keyword) => keyword.trim()),
		temperature: fields.number('temperature', { min: 0, max: 1 }) ?? 0,
		format,
		include: { words, segments: !words || granularities.includes('segment'), logprobs },
		stream,
		chunking: parseChunking(fields),
	};
}

/** Options for this model. Throws `unsupported_value` or `invalid_request`, naming the field, for what it cannot do. */
export function fitToModel(request: TranscriptionRequest, info: ModelInfo): TranscribeOptions {
	return checkOptions(
		{
			task: request.task,
			...fitLanguages(request, info),
			prompt: request.prompt,
			keywords: request.keywords,
			temperature: request.temperature,
			words: request.include.words,
			logprobs: request.include.logprobs,
			chunking: request.chunking,
		},
		info,
	);
}

/** `language`, or the only entry of `languages`; of several, the model chooses. */
function fitLanguages(
	{ language, languages }: TranscriptionRequest,
	{ capabilities: { languages: known } }: ModelInfo,
): Pick<TranscribeOptions, 'language' | 'languages'> {
	const given = language === null ? languages : [language];
	const fitted = [...new Set(given.flatMap((one) => fittingLanguage(one, known) ?? []))];
	return fitted.length > 1 ? { language: null, languages: fitted } : { language: fitted[0] ?? null };
}

function refuseSpeakers(fields: Fields): void {
	for (const name of ['known_speaker_names', 'known_speaker_references'] as const) {
		if (fields.list(name).length > 0) {
			throw unsupported(name, `\`${name}\` cannot be used: this server does not distinguish speakers`);
		}
	}
}

function parseFormat(fields: Fields): FormatName {
	const given = fields.text('response_format') || 'json';
	if (given === 'diarized_json') {
		throw unsupported(
			'response_format',
			'`response_format` cannot be `diarized_json`: this server does not distinguish speakers',
		);
	}
	const format = formatNames.find((name) => name === given);
	if (format === undefined) throw expected('response_format', listed(formatNames), given);
	return format;
}

function parseLanguage(fields: Fields): readonly string[] | null {
	const given = fields.text('language')?.trim() ?? '';
	// Many local servers take `auto` for detection.
	return given === '' || given.toLowerCase() === 'auto' ? null : knownLanguage('language', given);
}

function knownLanguage(field: FieldName, given: string): readonly string[] {
	const candidates = languageCandidates(given);
	if (candidates.length === 0) {
		throw expected(field, 'an ISO 639-1 code such as `en`, or the English name of a language', given);
	}
	return candidates;
}

function parseChunking(fields: Fields): ChunkingOptions {
	const given = fields.object('chunking_strategy');
	if (given === null) return defaultChunking;
	if (given.type !== 'server_vad') {
		throw expected('chunking_strategy', '`auto` or an object whose `type` is `server_vad`', given.type);
	}
	const part = (key: keyof ChunkingOptions): number => {
		const { name, min, max } = chunkingRanges[key];
		return (
			inRange('chunking_strategy', `chunking_strategy[${name}]`, given[name], { min, max }) ??
			defaultChunking[key]
		);
	};
	return {
		threshold: part('threshold'),
		prefixPaddingMs: part('prefixPaddingMs'),
		silenceDurationMs: part('silenceDurationMs'),
	};
}

interface Range {
	readonly min: number;
	readonly max: number;
}

/** Reads each field in the spellings that clients use, or throws `invalid_request`. */
class Fields {
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
	list(name: FieldName): string[] {
		return this.#of(name).flatMap(([, values]) => values.filter((value) => value.trim() !== ''));
	}

	text(name: FieldName): string | undefined {
		const values = [...new Set(this.list(name))];
		if (values.length > 1) throw expected(name, 'given once', values.join(', '));
		return values[0];
	}

	choices<T extends string>(name: FieldName, allowed: readonly T[]): T[] {
		return this.list(name).map((given) => {
			const choice = allowed.find((value) => value === given);
			if (choice === undefined) throw expected(name, listed(allowed), given);
			return choice;
		});
	}

	number(name: FieldName, range: Range): number | undefined {
		return inRange(name, name, this.text(name), range);
	}

	flag(name: FieldName): boolean {
		const given = this.text(name);
		if (given === undefined) return false;
		const flag = flags.get(given.toLowerCase());
		if (flag === undefined) throw expected(name, '`true` or `false`', given);
		return flag;
	}

	/** From `name[key]=value` pairs or from JSON; null where absent or `auto`. */
	object(name: FieldName): Readonly<Record<string, unknown>> | null {
		const pairs = this.#of(name).flatMap(([formName, values]) => {
			const key = /\[(\w+)\]$/.exec(formName)?.[1];
			return key === undefined ? [] : [[key, values[0]] as const];
		});
		if (pairs.length > 0) return Object.fromEntries(pairs);
		const given = this.text(name);
		if (given === undefined || given === 'auto' || given === 'null') return null;
		const value = parseJson(given);
		if (value === 'auto') return null;
		if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
		throw expected(name, '`auto` or an object', given);
	}

	#of(name: FieldName) {
		return this.#given.get(name) ?? [];
	}
}

const flags = new Map([
	['true', true],
	['1', true],
	['false', false],
	['0', false],
	['null', false],
]);

function inRange(param: FieldName, name: string, given: unknown, { min, max }: Range): number | undefined {
	if (given === undefined || given === null || given === '') return undefined;
	const value = typeof given === 'string' ? Number(given) : given;
	if (typeof value !== 'number' || !(value >= min && value <= max)) {
		const refusal = expected(name, `a number from ${min} to ${max}`, given);
		throw new EarshotError(refusal.code, refusal.message, { param });
	}
	return value;
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// The caller says what it expected instead.
		return undefined;
	}
}

function listed(values: readonly string[]): string {
	const quoted = values.map((value) => `\`${value}\``);
	return quoted.length === 1 ? `${quoted[0]}` : `one of ${quoted.join(', ')}`;
}

function unsupported(param: FieldName, message: string): EarshotError {
	return new EarshotError('unsupported_value', message, { param });
}
