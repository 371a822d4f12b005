/** A transcript as SubRip (SRT) or WebVTT subtitles. */

import { labelOf, type Segment, type Transcript } from '../../core/speech/transcript.js';
import type { Cue } from './cue-times.js';
import { cuesOf } from './cues.js';
import { layoutOf, type SubtitleOptions } from './options.js';
import type { TimedWord } from './timed-words.js';
import { widthOf } from './width.js';

export function srt(transcript: Transcript, options: SubtitleOptions = {}): string {
	const name = (speaker: string | undefined): string => (speaker === undefined ? '' : `[${speaker}] `);
	const escapeText = (text: string): string => text.replaceAll('-->', '->');
	return shown(transcript, options, { escapeText, indentOf: (speaker) => widthOf(name(speaker)) })
		.map(
			({ start, end, text, speaker }, index) =>
				`${index + 1}\n${time(start, ',')} --> ${time(end, ',')}\n${escapeText(name(speaker))}${text}\n\n`,
		)
		.join('');
}

export function vtt(transcript: Transcript, options: SubtitleOptions = {}): string {
	const escapeText = (text: string): string =>
		text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
	const body = shown(transcript, options, { escapeText, indentOf: () => 0 }).map(
		({ start, end, text, speaker }) => {
			const voice = speaker === undefined ? '' : `<v ${escapeText(speaker)}>`;
			return `${time(start, '.')} --> ${time(end, '.')}\n${voice}${text}\n\n`;
		},
	);
	const notes = (transcript.warnings ?? []).map(({ message }) => `NOTE ${message}\n\n`);
	return `WEBVTT\n\n${notes.join('')}${body.join('')}`;
}

/** How a format writes text. */
interface Style {
	/** Escapes text, so that players do not read it as markup. */
	readonly escapeText: (text: string) => string;
	/** Columns of the speaker's name in the first line of a cue. */
	readonly indentOf: (speaker: string | undefined) => number;
}

interface ShownCue {
	/** Whole milliseconds; cues of one speaker do not overlap, and none is empty. */
	readonly start: number;
	readonly end: number;
	/** Escaped. */
	readonly text: string;
	readonly speaker: string | undefined;
}

/** The cues in the order of their start, which WebVTT requires. */
function shown(
	transcript: Transcript,
	options: SubtitleOptions,
	{ escapeText, indentOf }: Style,
): ShownCue[] {
	const layout = layoutOf(options);
	if (layout === undefined) return inOrder(segmentCues(transcript.segments, escapeText));
	const cues = cuesOf(transcript, layout, indentOf);
	if (options.highlightWords === true) return inOrder(cues.flatMap((cue) => highlighted(cue, escapeText)));
	return cues.map(({ lines, ...cue }) => ({ ...cue, text: linesOf(lines, ({ text }) => escapeText(text)) }));
}

function inOrder(cues: readonly ShownCue[]): ShownCue[] {
	return cues.toSorted((a, b) => a.start - b.start);
}

/** One cue for each segment. */
function segmentCues(segments: readonly Segment[], escapeText: Style['escapeText']): ShownCue[] {
	const list: ShownCue[] = [];
	const shownUntil = new Map<string | undefined, number>();
	for (const segment of segments) {
		// An empty line would end the cue.
		const text = segment.text.trim().replace(/\s*[\r\n]\s*/g, '\n');
		if (text === '') continue;
		const speaker = labelOf(segment);
		const start = Math.max(Math.round(segment.start * 1000), shownUntil.get(speaker) ?? 0);
		// WebVTT requires the end to be after the start.
		const end = Math.max(Math.round(segment.end * 1000), start + 1);
		list.push({ start, end, text: escapeText(text), speaker });
		shownUntil.set(speaker, end);
	}
	return list;
}

/** For each word a cue in which it is underlined, and plain cues between them, as openai/whisper writes them. */
function highlighted({ lines, start, end, speaker }: Cue, escapeText: Style['escapeText']): ShownCue[] {
	const list: ShownCue[] = [];
	let shownUntil = start;
	const show = (until: number, marked?: TimedWord): void => {
		const text = linesOf(lines, (word) =>
			word === marked ? `<u>${escapeText(word.text)}</u>` : escapeText(word.text),
		);
		if (until > shownUntil) list.push({ start: shownUntil, end: until, text, speaker });
		shownUntil = Math.max(until, shownUntil);
	};
	for (const word of lines.flat()) {
		if (!word.isTimed) continue;
		show(Math.min(Math.round(word.start * 1000), end));
		show(Math.min(Math.round(word.end * 1000), end), word);
	}
	show(end);
	return list;
}

function linesOf(lines: Cue['lines'], write: (word: TimedWord) => string): string {
	return lines
		.map((line) =>
			line.map((word, index) => `${index > 0 && word.isSpaced ? ' ' : ''}${write(word)}`).join(''),
		)
		.join('\n');
}

function time(ms: number, point: ',' | '.'): string {
	const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
	const seconds = ms / 1000;
	return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${point}${String(ms % 1000).padStart(3, '0')}`;
}
