/**
 * A transcript as tab-separated values, as openai/whisper writes them: start and end in milliseconds, and the text,
 * followed by the speaker if known.
 */

import { labelOf, type Transcript } from '../speech/transcript.js';

export function tsv({ segments }: Transcript): string {
	const areTold = segments.some((segment) => labelOf(segment) !== undefined);
	const rows = segments.flatMap((segment) => {
		const said = inOneCell(segment.text);
		if (said === '') return [];
		const cells = [Math.round(segment.start * 1000), Math.round(segment.end * 1000), said];
		return [[...cells, ...(areTold ? [inOneCell(labelOf(segment) ?? '')] : [])]];
	});
	const heads = ['start', 'end', 'text', ...(areTold ? ['speaker'] : [])];
	return [heads, ...rows].map((cells) => `${cells.join('\t')}\n`).join('');
}

function inOneCell(text: string): string {
	return text.trim().replace(/\s*[\r\n]\s*|\t/g, ' ');
}
