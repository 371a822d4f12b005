/** Audio inside Earshot is always mono f32 PCM, finite, in [-1, 1]. */

/** Sample rate of every decoded recording, Hz. */
export const sampleRate = 16_000;

/** Shorter recordings are refused, as OpenAI does. */
export const minRecordingSeconds = 0.1;

/** Length of the frames whose levels are measured, seconds. */
export const levelFrameSeconds = 0.02;

/** Root mean square of the samples, 0..1; NaN if there are none. */
export function rmsOf(samples: Float32Array): number {
	let squares = 0;
	for (const sample of samples) squares += sample * sample;
	return Math.sqrt(squares / samples.length);
}
