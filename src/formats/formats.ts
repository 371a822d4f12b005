/** Renders a transcript as a response body, in every format. */

import { EarshotError, expected } from '../core/errors.js';
import type { Transcript } from '../core/speech/transcript.js';
import { diarizedJson } from './diarized-json.js';
import type { Include } from './include.js';
import { lrc } from './lrc.js';
import { markdown } from './markdown.js';
import { checkSubtitles, type SubtitleOptions, subtitleOptionNames } from './subtitles/options.js';
import { srt, vtt } from './subtitles/subtitles.js';
import { tsv } from './tsv.js';
import { spokenLanguages, usage, verboseJson, warningsField } from './verbose-json.js';

export interface Format {
	readonly contentType: string;
	/** Whether the format can be combined with `stream=true`; others are a single document. */
	readonly streams: boolean;
	/** `subtitles`: options already checked for this format. */
	readonly render: (transcript: Transcript, include: Include, subtitles?: SubtitleOptions) => string;
}

/** Values of `response_format`, `--format` and the `format` of `render`. */
export const formatNames = [
	'json',
	'text',
	'srt',
	'vtt',
	'tsv',
	'lrc',
	'verbose_json',
	'diarized_json',
	'markdown',
] as const;

/** A name of `formatNames`. */
export type FormatName = (typeof formatNames)[number];

export const formats: Readonly<Record<FormatName, Format>> = {
	json: {
		contentType: 'application/json; charset=utf-8',
		streams: true,
		render: (transcript, include) => JSON.stringify(json(transcript, include)),
	},
	text: {
		contentType: 'text/plain; charset=utf-8',
		streams: true,
		render: (transcript) => `${transcript.text}\n`,
	},
	srt: {
		contentType: 'text/plain; charset=utf-8',
		streams: false,
		render: (transcript, _, subtitles) => srt(transcript, subtitles),
	},
	vtt: {
		contentType: 'text/vtt; charset=utf-8',
		streams: false,
		render: (transcript, _, subtitles) => vtt(transcript, subtitles),
	},
	tsv: { contentType: 'text/tab-separated-values; charset=utf-8', streams: false, render: tsv },
	lrc: { contentType: 'text/plain; charset=utf-8', streams: false, render: lrc },
	verbose_json: {
		contentType: 'application/json; charset=utf-8',
		streams: true,
		render: (transcript, include) => JSON.stringify(verboseJson(transcript, include)),
	},
	diarized_json: {
		contentType: 'application/json; charset=utf-8',
		streams: true,
		render: (transcript) => JSON.stringify(diarizedJson(transcript)),
	},
	markdown: { contentType: 'text/markdown; charset=utf-8', streams: false, render: markdown },
};

/** What `render` includes, and how it cuts subtitles. */
export interface RenderOptions extends Partial<Include>, SubtitleOptions {}

/**
 * Renders a transcript as text in the given format, like the server and the command. Pure. `srt`, `vtt`, `tsv` and `lrc`
 * contain only segments, `json` and `text` only the text. `verbose_json` has 0 or [] in fields that the model does not
 * compute, and lists them in `not_computed`. `options`: for `verbose_json` the `segments` (default true) and the `words`
 * (default false; needs a transcript made with `words: true`), for `json` the `logprobs` (default false; needs
 * `logprobs: true`), for `srt` and `vtt` how they are cut into cues and lines: best from a transcript made with
 * `words: true`, otherwise in proportion to the characters. `diarized_json` needs a transcript made with `diarize: true`.
 * Throws EarshotError `invalid_request` for an unknown format
 * and an option out of its range, `unsupported_value` for options of subtitles that have no effect; `param` names them.
 */
export function render(transcript: Transcript, format: FormatName, options: RenderOptions = {}): string {
	if (!Object.hasOwn(formats, format)) throw expected('format', `one of ${formatNames.join(', ')}`, format);
	checkArguments(transcript, options);
	const { words = false, segments = true, logprobs = false } = options;
	const subtitles = checkSubtitles(options, format, { format: 'format', name: (option) => option });
	if (subtitles.highlightWords === true) checkHighlight(transcript);
	if (format === 'diarized_json') checkSpeakers(transcript);
	return formats[format].render(transcript, { words, segments, logprobs }, subtitles);
}

const renderOptionNames: readonly string[] = ['words', 'segments', 'logprobs', ...subtitleOptionNames];

function checkArguments(transcript: unknown, options: unknown): void {
	if (!isObject(transcript) || typeof transcript.text !== 'string' || !isTimed(transcript.segments))
		throw expected('transcript', 'a transcript, as `transcribe` makes it', transcript);
	if (!isObject(options)) throw expected('options', 'an object', options);
	const unknown = Object.keys(options).find((name) => !renderOptionNames.includes(name));
	if (unknown === undefined) return;
	const what = `to have no options but ${renderOptionNames.join(', ')}`;
	throw new EarshotError('invalid_request', `Expected \`options\` ${what}, got \`${unknown}\``, {
		param: unknown,
	});
}

function isTimed(segments: unknown): boolean {
	return (
		Array.isArray(segments) &&
		segments.every(
			(each: unknown) =>
				isObject(each) &&
				typeof each.text === 'string' &&
				Number.isFinite(each.start) &&
				Number.isFinite(each.end),
		)
	);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null;
}

function checkHighlight({ text, segments }: Transcript): void {
	if (text === '' || segments.some(({ words = [] }) => words.length > 0)) return;
	throw new EarshotError('unsupported_value', '`highlightWords` needs a transcript made with `words: true`', {
		param: 'highlightWords',
	});
}

function checkSpeakers({ text, segments }: Transcript): void {
	if (text === '' || segments.some(({ speaker }) => speaker !== undefined)) return;
	throw new EarshotError(
		'unsupported_value',
		'`diarized_json` needs a transcript made with `diarize: true`',
		{
			param: 'format',
		},
	);
}

function json(transcript: Transcript, include: Include): object {
	return {
		text: transcript.text,
		...spokenLanguages(transcript),
		...(include.logprobs && {
			logprobs: transcript.segments.flatMap((segment) => segment.logprobs ?? []),
		}),
		usage: usage(transcript.duration),
		...warningsField(transcript),
	};
}
