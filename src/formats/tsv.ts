/**
 * A transcript as tab-separated values, as openai/whisper writes them: start and end in milliseconds, and the text,
 * followed by the speaker if known.
 */

import { labelOf, type Transcript } from '../core/speech/transcript.js';

export function tsv({ segments }: Transcript): string {
	const hasSpeakers = segments.some((segment) => labelOf(segment) !== undefined);
	const rows = segments.flatMap((segment) => {
		const text = inOneCell(segment.text);
		if (text === '') return [];
		const cells = [Math.round(segment.start * 1000), Math.round(segment.end * 1000), text];
		return [[...cells, ...(hasSpeakers ? [inOneCell(labelOf(segment) ?? '')] : [])]];
	});
	const heads = ['start', 'end', 'text', ...(hasSpeakers ? ['speaker'] : [])];
	return [heads, ...rows].map((cells) => `${cells.join('\t')}\n`).join('');
}

function inOneCell(text: string): string {
	return text.trim().replace(/\s*[\r\n]\s*|\t/g, ' ');
}
