/** A transcript as Markdown, in paragraphs. */

import { joinText, labelOf, type Segment, type Transcript } from '../core/speech/transcript.js';

/** A pause this long begins a new paragraph. */
const paragraphPauseSeconds = 2;

export function markdown(transcript: Transcript): string {
	const body = paragraphs(transcript.segments).map((segments) => {
		const speaker = segments[0] && labelOf(segments[0]);
		const text = escapeMarkdown(joinText(segments));
		return speaker === undefined ? `${text}\n` : `**${escapeMarkdown(speaker)}:** ${text}\n`;
	});
	const warnings = (transcript.warnings ?? []).map(({ message }) => `> ${escapeMarkdown(message)}\n`);
	return ['# Transcript\n', ...warnings, ...body].join('\n');
}

function paragraphs(segments: readonly Segment[]): Segment[][] {
	const found: Segment[][] = [];
	let last: Segment | undefined;
	for (const segment of segments) {
		if (segment.text.trim() === '') continue;
		const continues =
			last !== undefined &&
			labelOf(last) === labelOf(segment) &&
			segment.start - last.end < paragraphPauseSeconds;
		if (continues) found.at(-1)?.push(segment);
		else found.push([segment]);
		last = segment;
	}
	return found;
}

/** Escapes characters of the transcript that Markdown would read as markup. */
function escapeMarkdown(text: string): string {
	return text
		.replace(/\s*[\r\n]\s*/g, ' ')
		.replace(/[\\`*_[\]<>]/g, '\\$&')
		.replace(/^(#+|[-+])(?=\s)/, '\\$1')
		.replace(/^(\d+)([.)])(?=\s)/, '$1\\$2');
}
