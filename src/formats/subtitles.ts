/** A transcript as SubRip (SRT) or WebVTT subtitles. */

import { labelOf, type Segment, type Transcript } from '../speech/transcript.js';

export function srt(transcript: Transcript): string {
	return cues(transcript.segments)
		.map(({ start, end, text, speaker }, index) => {
			const said = text.replaceAll('-->', '->');
			const line = speaker === undefined ? said : `${speaker}: ${said}`;
			return `${index + 1}\n${time(start, ',')} --> ${time(end, ',')}\n${line}\n\n`;
		})
		.join('');
}

export function vtt(transcript: Transcript): string {
	const body = cues(transcript.segments).map(({ start, end, text, speaker }) => {
		const voice = speaker === undefined ? '' : `<v ${escapeVtt(speaker)}>`;
		return `${time(start, '.')} --> ${time(end, '.')}\n${voice}${escapeVtt(text)}\n\n`;
	});
	const notes = (transcript.warnings ?? []).map(({ message }) => `NOTE ${message}\n\n`);
	return `WEBVTT\n\n${notes.join('')}${body.join('')}`;
}

interface Cue {
	/** Whole milliseconds; cues do not overlap, and none is empty. */
	readonly start: number;
	readonly end: number;
	readonly text: string;
	readonly speaker: string | undefined;
}

function cues(segments: readonly Segment[]): Cue[] {
	const list: Cue[] = [];
	let shownUntil = 0;
	for (const segment of segments) {
		// An empty line would end the cue.
		const text = segment.text.trim().replace(/\s*[\r\n]\s*/g, '\n');
		if (text === '') continue;
		const start = Math.max(Math.round(segment.start * 1000), shownUntil);
		// WebVTT requires the end to be after the start.
		const end = Math.max(Math.round(segment.end * 1000), start + 1);
		list.push({ start, end, text, speaker: labelOf(segment) });
		shownUntil = end;
	}
	return list;
}

function time(ms: number, point: ',' | '.'): string {
	const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
	const seconds = ms / 1000;
	return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${point}${String(ms % 1000).padStart(3, '0')}`;
}

function escapeVtt(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
