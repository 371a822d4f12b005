/**
 * Chooses the audio context: how much of its 30 s window Whisper's encoder processes. Its cost grows faster than
 * linearly, so a short clip is encoded with only a little silence after it. If the result looks wrong, the clip is
 * transcribed again with the whole window. Pure.
 */

import { levelFrameSeconds, rmsOf, sampleRate } from '../../core/speech/pcm.js';

/** Encoder positions per second: one per 20 ms. */
export const positionsPerSecond = 50;
export const fullContext = 1500;

/** Positions of silence after the clip, which the model expects from its training: 2.56 s. */
const marginPositions = 128;
/**
 * Models trained on 30 s windows repeat themselves with a very short context. With the margin above, clips of 5 s and
 * more lost no words (ggml-org/whisper.cpp issue 1855), so shorter clips get the context of 5 s.
 */
const minPositions = 384;
/** Above this, the rest of the window adds little cost. */
const maxPositions = 1280;

/** The audio context for a clip in positions, a multiple of `step`; 0 = the whole window. */
export function contextFor(clipSeconds: number, step: number): number {
	const needed = Math.max(minPositions, Math.ceil(clipSeconds * positionsPerSecond) + marginPositions);
	const positions = Math.ceil(needed / step) * step;
	return positions > maxPositions ? 0 : positions;
}

interface Span {
	/** Seconds from the clip's start. */
	readonly start: number;
	readonly end: number;
}

/** Seconds of sound outside all segments from which on speech seems to be missing. */
const maxMissedSeconds = 2;
const frameSamples = levelFrameSeconds * sampleRate;
/** A frame below this share of the loudest one (20 dB less) is a pause. */
const pauseLevel = 0.1;

/** Whether much of the sound is outside all segments, or there are none at all. `samples`: 16 kHz. */
export function missesSound(samples: Float32Array, segments: readonly Span[]): boolean {
	const levels: number[] = [];
	for (let from = 0; from + frameSamples <= samples.length; from += frameSamples)
		levels.push(rmsOf(samples, from, from + frameSamples));
	const loudest = levels.reduce((high, level) => Math.max(high, level), 0);
	if (loudest === 0) return false;
	if (segments.length === 0) return true;
	let missed = 0;
	for (const [index, level] of levels.entries()) {
		const at = (index + 0.5) * levelFrameSeconds;
		const covered = segments.some(({ start, end }) => at >= start && at < end);
		if (level > pauseLevel * loudest && !covered) missed += levelFrameSeconds;
	}
	return missed >= maxMissedSeconds;
}
