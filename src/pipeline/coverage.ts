/** Finds speech for which the model returned no text. Pure. */

import type { Stretch } from '../core/speech/transcript.js';

/** The times of segments and of detected speech may differ by this much at either end. */
const slackSeconds = 0.3;

/** Shorter stretches are breaths and clicks more often than words. */
const minSeconds = 0.5;

/** The speech of a clip that none of its segments covers; both in order of time. */
export function uncovered(speech: readonly Stretch[], segments: readonly Stretch[]): Stretch[] {
	return speech
		.flatMap((stretch) => segments.reduce<Stretch[]>(without, [stretch]))
		.filter(({ start, end }) => end - start >= minSeconds);
}

function without(left: readonly Stretch[], segment: Stretch): Stretch[] {
	const from = segment.start - slackSeconds;
	const to = segment.end + slackSeconds;
	return left.flatMap(({ start, end }) =>
		[
			{ start, end: Math.min(end, from) },
			{ start: Math.max(start, to), end },
		].filter((part) => part.end > part.start),
	);
}
