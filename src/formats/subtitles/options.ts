/** The options of subtitles, their check, and the resulting layout. Pure. */

import { EarshotError, expected } from '../../core/errors.js';
import type { ModelInfo } from '../../core/speech/model-info.js';

/** Values of `subtitles`. */
export const subtitlePresets = ['broadcast'] as const;

/** A set of limits: `broadcast` = 42 columns, 2 lines, 7 s, 20 columns a second. */
export type SubtitlePreset = (typeof subtitlePresets)[number];

/**
 * How `srt` and `vtt` are cut into cues and lines; the names are those of OpenAI's Whisper. Without any of these options
 * a segment is a cue of one line. Lines and cues end at punctuation, else before a conjunction, else where they balance.
 */
export interface SubtitleOptions {
	/**
	 * `broadcast`: 42 columns, 2 lines, cues of 5/6 s to 7 s, at most 20 columns a second where the time to the next cue
	 * allows, and 1/12 s between cues. The other options change parts of it.
	 */
	readonly subtitles?: SubtitlePreset;
	/** Columns of a line, 1 to 1000; East Asian wide characters take 2. A longer word has a line of its own. */
	readonly maxLineWidth?: number;
	/**
	 * Lines of a cue, 1 to 100, which may then hold words of several segments. Needs `maxLineWidth`, `maxWordsPerLine` or
	 * `subtitles`.
	 */
	readonly maxLineCount?: number;
	/** Words of a line, 1 to 1000. Without `maxLineCount` and `subtitles` every line is a cue of its own. */
	readonly maxWordsPerLine?: number;
	/** A cue for each word, in which it is underlined. Needs a transcript made with `words: true`. */
	readonly highlightWords?: boolean;
}

export type SubtitleOptionName = keyof SubtitleOptions;

export const subtitleOptionNames = [
	'subtitles',
	'maxLineWidth',
	'maxLineCount',
	'maxWordsPerLine',
	'highlightWords',
] as const satisfies readonly SubtitleOptionName[];

/** The formats that the options apply to. */
const subtitleFormats: readonly string[] = ['srt', 'vtt'];

const ranges = {
	maxLineWidth: { min: 1, max: 1000 },
	maxLineCount: { min: 1, max: 100 },
	maxWordsPerLine: { min: 1, max: 1000 },
} as const;

/** Unchecked options: numbers may be strings of digits, and absent options may be undefined. */
export type GivenSubtitleOptions = { readonly [Name in SubtitleOptionName]?: unknown };

/** How the caller's interface spells the names of options and formats, for messages. */
export interface SubtitleSpelling {
	readonly format: string;
	readonly name: (option: SubtitleOptionName) => string;
}

/**
 * The options, checked. Throws `invalid_request` for a value out of its range, `unsupported_value` for an option that
 * would have no effect; both name it.
 */
export function checkSubtitles(
	given: GivenSubtitleOptions,
	format: string,
	spelling: SubtitleSpelling,
): SubtitleOptions {
	const options = typed(given, spelling);
	const [first] = subtitleOptionNames.filter((name) => options[name] !== undefined);
	const needs = (option: SubtitleOptionName, what: string) => {
		const param = spelling.name(option);
		return new EarshotError('unsupported_value', `\`${param}\` needs ${what}`, { param });
	};
	if (first !== undefined && !subtitleFormats.includes(format))
		throw needs(first, `\`${spelling.format}\` to be \`srt\` or \`vtt\`, got \`${format}\``);
	const { subtitles, maxLineWidth, maxLineCount, maxWordsPerLine } = options;
	if (maxLineCount !== undefined && (subtitles ?? maxLineWidth ?? maxWordsPerLine) === undefined) {
		const [width, words, preset] = (['maxLineWidth', 'maxWordsPerLine', 'subtitles'] as const).map(
			spelling.name,
		);
		throw needs('maxLineCount', `\`${width}\`, \`${words}\` or \`${preset}\``);
	}
	return options;
}

function typed(given: GivenSubtitleOptions, { name }: SubtitleSpelling): SubtitleOptions {
	const whole = (option: keyof typeof ranges): number | undefined => {
		const raw = given[option];
		if (raw === undefined) return undefined;
		const value = typeof raw === 'string' && /^\s*\d+\s*$/.test(raw) ? Number(raw) : raw;
		const { min, max } = ranges[option];
		if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
		throw expected(name(option), `a whole number from ${min} to ${max}`, raw);
	};
	const preset = subtitlePresets.find((known) => known === given.subtitles);
	if (given.subtitles !== undefined && preset === undefined)
		throw expected(
			name('subtitles'),
			subtitlePresets.map((known) => `\`${known}\``).join(' or '),
			given.subtitles,
		);
	const { highlightWords } = given;
	if (highlightWords !== undefined && typeof highlightWords !== 'boolean')
		throw expected(name('highlightWords'), '`true` or `false`', highlightWords);
	const [maxLineWidth, maxLineCount, maxWordsPerLine] = [
		whole('maxLineWidth'),
		whole('maxLineCount'),
		whole('maxWordsPerLine'),
	];
	return {
		...(preset !== undefined && { subtitles: preset }),
		...(maxLineWidth !== undefined && { maxLineWidth }),
		...(maxLineCount !== undefined && { maxLineCount }),
		...(maxWordsPerLine !== undefined && { maxWordsPerLine }),
		...(highlightWords === true && { highlightWords }),
	};
}

/**
 * Whether to request word times from the model, which make cuts exact. Throws `unsupported_value` if words are to be
 * highlighted and it has none.
 */
export function wantsWordTimes(
	options: SubtitleOptions,
	{ id, capabilities }: ModelInfo,
	{ name }: SubtitleSpelling,
): boolean {
	if (layoutOf(options) === undefined) return false;
	if (options.highlightWords === true && !capabilities.words) {
		const param = name('highlightWords');
		throw new EarshotError(
			'unsupported_value',
			`The model \`${id}\` gives no word timestamps; leave \`${param}\` out or choose another model.`,
			{ param },
		);
	}
	return capabilities.words;
}

/** How long cues are shown, seconds. */
export interface CueTiming {
	readonly shortest: number;
	readonly longest: number;
	/** Columns that can be read in a second. */
	readonly columnsPerSecond: number;
	/** Minimum time between two cues. */
	readonly gap: number;
	/** A cue that is spoken faster than it can be read may begin at most this much before its speech. */
	readonly lead: number;
	/** A shorter pause between two cues is shortened to `gap`, so that the text does not flicker. */
	readonly shortestPause: number;
}

/** Netflix, Timed Text Style Guide: General Requirements; frames at 24 a second, reading speed of English. */
const broadcast = {
	width: 42,
	lines: 2,
	timing: {
		shortest: 20 / 24,
		longest: 7,
		columnsPerSecond: 20,
		gap: 2 / 24,
		lead: 6 / 24,
		shortestPause: 12 / 24,
	},
} as const satisfies Partial<SubtitleLayout>;

/** The bounds of lines and cues; Infinity where there is none. */
export interface SubtitleLayout {
	readonly width: number;
	readonly lines: number;
	readonly wordsPerLine: number;
	/** Whether a cue holds words of one segment alone. */
	readonly keepsSegments: boolean;
	/** null: a cue is shown from its first word to its last. */
	readonly timing: CueTiming | null;
}

/** The layout for the options; undefined without options: each segment becomes one cue. */
export function layoutOf(options: SubtitleOptions): SubtitleLayout | undefined {
	const { subtitles, maxLineWidth, maxLineCount, maxWordsPerLine, highlightWords = false } = options;
	if (!highlightWords && (subtitles ?? maxLineWidth ?? maxLineCount ?? maxWordsPerLine) === undefined)
		return undefined;
	const preset = subtitles === undefined ? undefined : broadcast;
	const unlimited = Number.POSITIVE_INFINITY;
	return {
		width: maxLineWidth ?? preset?.width ?? unlimited,
		lines: maxLineCount ?? preset?.lines ?? (maxWordsPerLine === undefined ? unlimited : 1),
		wordsPerLine: maxWordsPerLine ?? unlimited,
		keepsSegments: preset === undefined && maxLineCount === undefined,
		timing: preset?.timing ?? null,
	};
}
