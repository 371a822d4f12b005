/** Parses the fields for the division of subtitles into cues and lines. */

import {
	checkSubtitles,
	type SubtitleOptionName,
	type SubtitleOptions,
	type SubtitleSpelling,
} from '../../../formats/subtitles/options.js';

const fieldOfOption = {
	subtitles: 'subtitles',
	maxLineWidth: 'max_line_width',
	maxLineCount: 'max_line_count',
	maxWordsPerLine: 'max_words_per_line',
	highlightWords: 'highlight_words',
} as const satisfies Record<SubtitleOptionName, string>;

export type SubtitleField = (typeof fieldOfOption)[SubtitleOptionName];

export const subtitleFields = Object.values(fieldOfOption);

export const subtitleSpelling: SubtitleSpelling = {
	format: 'response_format',
	name: (option) => fieldOfOption[option],
};

/** The part of `Fields` that this needs. */
interface Form {
	text(field: SubtitleField): string | undefined;
	flag(field: SubtitleField): boolean | undefined;
}

/** Throws `invalid_request` or `unsupported_value`, with the field as `param`. */
export function parseSubtitles(form: Form, format: string): SubtitleOptions {
	return checkSubtitles(
		{
			subtitles: form.text('subtitles'),
			maxLineWidth: form.text('max_line_width'),
			maxLineCount: form.text('max_line_count'),
			maxWordsPerLine: form.text('max_words_per_line'),
			highlightWords: form.flag('highlight_words') || undefined,
		},
		format,
		subtitleSpelling,
	);
}
