/**
 * How much of its 30 s window Whisper's encoder hears. Its work grows with that, and faster than in proportion, so a
 * short clip is heard with a little silence behind it; where the result looks wrong, once more with the whole window.
 * Pure.
 */

import { levelFrameSeconds, rmsOf, sampleRate } from '../../speech/pcm.js';

/** Positions of 20 ms. */
export const positionsPerSecond = 50;
export const fullContext = 1500;

/** Silence behind the clip, as the model has learnt to expect it: 2.56 s. */
const margin = 128;
/**
 * Models that were trained on 30 s repeat themselves where they hear very little. With the margin above, clips from 5 s on
 * lost no words (ggml-org/whisper.cpp issue 1855); shorter ones are heard like those.
 */
const least = 384;
/** Above this the rest of the window costs little. */
const most = 1280;

/** Positions for a clip, a multiple of `step`; 0 = the whole window. */
export function contextFor(clipSeconds: number, step: number): number {
	const wanted = Math.max(least, Math.ceil(clipSeconds * positionsPerSecond) + margin);
	const positions = Math.ceil(wanted / step) * step;
	return positions > most ? 0 : positions;
}

interface Span {
	/** Seconds from the clip's start. */
	readonly start: number;
	readonly end: number;
}

/** Sound that no segment covers, in seconds, from which on something seems to be missing. */
const missedSeconds = 2;
const frameSamples = levelFrameSeconds * sampleRate;
/** Of the loudest frame: 20 dB below it is a pause. */
const quiet = 0.1;

/** Whether much that sounds is covered by no segment, or nothing was heard at all. 16 kHz. */
export function missesSound(samples: Float32Array, segments: readonly Span[]): boolean {
	const levels: number[] = [];
	for (let from = 0; from + frameSamples <= samples.length; from += frameSamples)
		levels.push(rmsOf(samples.subarray(from, from + frameSamples)));
	const loudest = levels.reduce((high, level) => Math.max(high, level), 0);
	if (loudest === 0) return false;
	if (segments.length === 0) return true;
	let missed = 0;
	for (const [index, level] of levels.entries()) {
		const at = (index + 0.5) * levelFrameSeconds;
		const covered = segments.some(({ start, end }) => at >= start && at < end);
		if (level > quiet * loudest && !covered) missed += levelFrameSeconds;
	}
	return missed >= missedSeconds;
}
