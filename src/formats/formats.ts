/** Renders a transcript as a response body, in every format. */

import { expected } from '../errors.js';
import type { Transcript } from '../speech/transcript.js';
import type { Include } from './include.js';
import { markdown } from './markdown.js';
import { srt, vtt } from './subtitles.js';
import { spokenLanguages, usage, verboseJson, warningsField } from './verbose-json.js';

export interface Format {
	readonly contentType: string;
	/** Whether it can be combined with `stream=true`: the others are one document. */
	readonly streams: boolean;
	readonly render: (transcript: Transcript, include: Include) => string;
}

/** Values of `response_format`, `--format` and the `format` of `render`. */
export const formatNames = ['json', 'text', 'srt', 'vtt', 'verbose_json', 'markdown'] as const;

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
	srt: { contentType: 'text/plain; charset=utf-8', streams: false, render: srt },
	vtt: { contentType: 'text/vtt; charset=utf-8', streams: false, render: vtt },
	verbose_json: {
		contentType: 'application/json; charset=utf-8',
		streams: true,
		render: (transcript, include) => JSON.stringify(verboseJson(transcript, include)),
	},
	markdown: { contentType: 'text/markdown; charset=utf-8', streams: false, render: markdown },
};

/**
 * Renders a transcript as text in the given format, like the server and the command. Pure. `srt` and `vtt` contain only
 * segments, `json` and `text` only the text. `verbose_json` has 0 or [] in fields that the model does not compute, and
 * lists them in `not_computed`. `include`: for `verbose_json` the `segments` (default true) and the `words` (default
 * false; needs a transcript made with `words: true`), for `json` the `logprobs` (default false; needs `logprobs: true`).
 * Throws EarshotError `invalid_request` for an unknown format.
 */
export function render(transcript: Transcript, format: FormatName, include: Partial<Include> = {}): string {
	if (!Object.hasOwn(formats, format)) throw expected('format', `one of ${formatNames.join(', ')}`, format);
	return formats[format].render(transcript, { words: false, segments: true, logprobs: false, ...include });
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
