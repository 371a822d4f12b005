/** Converts the times of a clip's segments to times of the recording. Pure. */

import { deflateSync } from 'node:zlib';
import type { Clip, ClipResult, ClipSegment } from '../speech/clip.js';
import type { PlacedSegment } from '../speech/events.js';
import { toMilliseconds } from '../speech/seconds.js';

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
						words: words.map((word) => ({
							...word,
							start: toMilliseconds(clip.start + word.start),
							end: toMilliseconds(clip.start + word.end),
						})),
					}
				: {}),
		};
	});
}

/** Compression ratio per decode window (`seek`): like the log-probability, it describes the whole decode. */
function compressionRatios(segments: readonly ClipSegment[]): Map<number | undefined, number> {
	const texts = new Map<number | undefined, string>();
	for (const { seek, text } of segments) texts.set(seek, (texts.get(seek) ?? '') + text);
	return new Map(Array.from(texts, ([seek, text]) => [seek, compressionRatio(text.trim())]));
}

/** openai/whisper utils.py: len(utf8) / len(zlib.compress(utf8)). */
function compressionRatio(text: string): number {
	const bytes = Buffer.from(text, 'utf8');
	return bytes.length / deflateSync(bytes).length;
}
