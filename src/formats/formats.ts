/** The only place where a transcript becomes a response body. */

import { expected } from '../errors.js';
import type { Transcript } from '../speech/transcript.js';
import type { Include } from './include.js';
import { markdown } from './markdown.js';
import { srt, vtt } from './subtitles.js';
import { usage, verboseJson } from './verbose-json.js';

export interface Format {
	readonly contentType: string;
	/** Whether `stream=true` makes sense with it: OpenAI's events carry text and nothing else. */
	readonly streams: boolean;
	readonly render: (transcript: Transcript, include: Include) => string;
}

/** Names that `response_format`, `--format` and `render` take. */
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
		streams: false,
		render: (transcript, include) => JSON.stringify(verboseJson(transcript, include)),
	},
	markdown: { contentType: 'text/markdown; charset=utf-8', streams: false, render: markdown },
};

/**
 * A transcript as text in the given format, as the server and the command write it. Pure, in one pass. What a format
 * has no place for is left out: `srt` and `vtt` carry segments alone, `json` and `text` the text. `verbose_json` holds
 * 0 or [] for what the model does not compute, named in `not_computed`. `include`: of `verbose_json` the `segments`
 * (default true) and the `words` (default false; transcribe with `words: true` to have any), of `json` the `logprobs`
 * (default false; likewise). Throws EarshotError `invalid_request` for a format that there is not.
 */
export function render(transcript: Transcript, format: FormatName, include: Partial<Include> = {}): string {
	if (!Object.hasOwn(formats, format)) throw expected('format', `one of ${formatNames.join(', ')}`, format);
	return formats[format].render(transcript, { words: false, segments: true, logprobs: false, ...include });
}

function json(transcript: Transcript, include: Include): object {
	return {
		text: transcript.text,
		...(transcript.language !== null && { languages: [{ code: transcript.language }] }),
		...(include.logprobs && {
			logprobs: transcript.segments.flatMap((segment) => segment.logprobs ?? []),
		}),
		usage: usage(transcript.duration),
	};
}
