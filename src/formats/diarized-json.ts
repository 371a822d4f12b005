/** OpenAI's diarized_json: what was said, by whom. */

import type { Segment, Transcript } from '../speech/transcript.js';
import { round, usage, warningsField } from './verbose-json.js';

export function diarizedJson(transcript: Transcript): object {
	return {
		task: transcript.task,
		duration: round(transcript.duration),
		text: transcript.text,
		segments: transcript.segments.filter(({ text }) => text.trim() !== '').map(diarizedSegment),
		usage: usage(transcript.duration),
		...warningsField(transcript),
	};
}

/** One of its segments, which is an event of its stream, too. Clients require a speaker. */
export function diarizedSegment({ id, start, end, text, speaker = 'A' }: Segment): object {
	return {
		type: 'transcript.text.segment',
		id: segmentId(id),
		start: round(start),
		end: round(end),
		text,
		speaker,
	};
}

/** A text, as OpenAI has it. */
export function segmentId(id: number): string {
	return `seg_${String(id).padStart(3, '0')}`;
}
