/** Converts the times of a clip's segments to times of the recording. Pure. */

import type { Clip, ClipResult } from '../core/speech/clip.js';
import type { PlacedSegment } from '../core/speech/events.js';
import { toMilliseconds } from '../core/speech/seconds.js';
import { compressionRatio, compressionRatios } from '../core/speech/text.js';
import type { Word } from '../core/speech/transcript.js';
import { wordsInSpeech } from './words-in-speech.js';

/** The segments with times relative to the recording: within the clip, in ascending order, in whole milliseconds. */
export function placed({ segments }: ClipResult, clip: Clip): PlacedSegment[] {
	let earliest = clip.start;
	const ratios = compressionRatios(segments);
	return segments.map((segment) => {
		const start = Math.min(Math.max(clip.start + segment.start, earliest), clip.end);
		const end = Math.min(Math.max(clip.start + segment.end, start), clip.end);
		earliest = end;
		const { words, ...rest } = segment;
		return {
			...rest,
			...(clip.channel !== undefined && { channel: clip.channel }),
			start: toMilliseconds(start),
			end: toMilliseconds(end),
			seek: Math.round((clip.start + (segment.seek ?? 0)) * 100),
			compressionRatio: ratios.get(segment.seek) ?? compressionRatio(segment.text),
			...(words
				? {
						words: wordsInSpeech(inRecording(words, clip), clip.speech ?? []).map((word) => ({
							...word,
							start: toMilliseconds(word.start),
							end: toMilliseconds(word.end),
						})),
					}
				: {}),
		};
	});
}

function inRecording(words: readonly Word[], clip: Clip): Word[] {
	return words.map((word) => ({ ...word, start: clip.start + word.start, end: clip.start + word.end }));
}
