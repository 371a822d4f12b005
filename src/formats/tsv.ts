/** A transcript as tab-separated values, as openai/whisper writes them: start and end in milliseconds, and the text. */

import type { Transcript } from '../speech/transcript.js';

export function tsv({ segments }: Transcript): string {
	const rows = segments.flatMap(({ start, end, text }) => {
		const said = text.trim().replace(/\s*[\r\n]\s*|\t/g, ' ');
		return said === '' ? [] : [`${Math.round(start * 1000)}\t${Math.round(end * 1000)}\t${said}\n`];
	});
	return `start\tend\ttext\n${rows.join('')}`;
}
