/** A transcript as lyrics (LRC): a line for each segment, with its start time and its speaker. */

import { labelOf, type Transcript } from '../core/speech/transcript.js';

export function lrc({ segments }: Transcript): string {
	return segments
		.map((segment) => {
			const line = segment.text.trim().replace(/\s*[\r\n]\s*/g, ' ');
			const label = labelOf(segment);
			const text = label === undefined ? line : `${label}: ${line}`;
			return line === '' ? '' : `[${time(segment.start)}]${text}\n`;
		})
		.join('');
}

/** `mm:ss.xx`; the format has no hours. */
function time(seconds: number): string {
	const hundredths = Math.round(seconds * 100);
	const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
	return `${two(hundredths / 6000)}:${two((hundredths / 100) % 60)}.${two(hundredths % 100)}`;
}
