/** OpenAI's diarized_json: the segments with their speakers. */

import type { Segment, Transcript } from '../core/speech/transcript.js';
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

/** One segment, for the document and for stream events. Clients require a speaker. */
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

/** The id of a segment in OpenAI's form, e.g. `seg_001`. */
export function segmentId(id: number): string {
	return `seg_${String(id).padStart(3, '0')}`;
}
