/** Audio inside Earshot is always mono f32 PCM, finite, in [-1, 1]. */

/** Sample rate of every decoded recording, Hz. */
export const sampleRate = 16_000;

/** The sample rates of live audio, Hz, as refusals and help have them. */
export const liveRates = 'a multiple of 25 from 8000 to 96000';

export function isLiveRate(rate: unknown): rate is number {
	return typeof rate === 'number' && Number.isInteger(rate / 25) && rate >= 8000 && rate <= 96_000;
}

/** Shorter recordings are refused, as OpenAI does. */
export const minRecordingSeconds = 0.1;

/** Length of the frames whose levels are measured, seconds. */
export const levelFrameSeconds = 0.02;

/** Root mean square of the samples from index `from` up to `to`, 0..1; NaN if there are none. */
export function rmsOf(samples: Float32Array, from = 0, to = samples.length): number {
	// This runs twice on every recording. Four sums, since each addition waits for the one before; the loop's bound is
	// computed first, since with `at + 4 <= to` V8 takes three times as long.
	let [a, b, c, d] = [0, 0, 0, 0];
	const end = to - ((to - from) % 4);
	for (let at = from; at < end; at += 4) {
		a += squareAt(samples, at);
		b += squareAt(samples, at + 1);
		c += squareAt(samples, at + 2);
		d += squareAt(samples, at + 3);
	}
	for (let at = end; at < to; at++) a += squareAt(samples, at);
	return Math.sqrt((a + b + (c + d)) / (to - from));
}

/** `at` must be a valid index: checking each one takes twice as long. */
function squareAt(samples: Float32Array, at: number): number {
	const sample = samples[at] as number;
	return sample * sample;
}
