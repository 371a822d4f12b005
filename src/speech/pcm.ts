/** The one shape of audio inside Earshot: mono f32 PCM, finite, in [-1, 1]. */

/** Of every decoded recording, Hz. */
export const sampleRate = 16_000;

/** Under this OpenAI refuses a recording, and so do we: there is nothing to hear. */
export const minRecordingSeconds = 0.1;

/** The frame of which levels are measured, seconds. */
export const levelFrameSeconds = 0.02;

/** Root mean square of the samples, 0..1; NaN of none. */
export function rmsOf(samples: Float32Array): number {
	let squares = 0;
	for (const sample of samples) squares += sample * sample;
	return Math.sqrt(squares / samples.length);
}
