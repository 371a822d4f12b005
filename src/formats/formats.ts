/** The only place where a transcript becomes a response body. */

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
