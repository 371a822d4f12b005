/** Audio for one who waits for words: where each ends is known. */

import { floatsOf, speech } from '../lib/speech.mjs';

const sampleRate = 16_000;

/** Words of the bundled digits: where they lie in the recording, seconds. */
const spans = [
	[0.22, 0.62],
	[0.72, 1.26],
	[1.34, 1.74],
	[0.22, 0.62],
	[0.72, 1.26],
];

/** People leave less between words, and more between what they say. */
const gapSeconds = 0.12;
const pauseSeconds = 1.5;

/** A round of words and a pause is a whole number of tenths of a second. */
const roundingSamples = sampleRate / 10;

/**
 * @returns {{ pcm: Buffer, roundMs: number, firstWordEndMs: number }} 16 kHz, 16 bits: a few words and a pause, how long
 * that is, and where the first word ends
 */
export function spacedWords() {
	const samples = floatsOf(speech(4));
	const at = (/** @type {number} */ seconds) => Math.round(seconds * sampleRate);
	const pieces = spans.flatMap(([from, to]) => [
		samples.subarray(at(from), at(to)),
		new Float32Array(at(gapSeconds)),
	]);
	const spoken = pieces.reduce((sum, { length }) => sum + length, 0);
	const length = Math.ceil((spoken + at(pauseSeconds)) / roundingSamples) * roundingSamples;
	const whole = new Int16Array(length);
	let next = 0;
	for (const piece of pieces) {
		for (const sample of piece) whole[next++] = Math.round(sample * 32_767);
	}
	const [[from, to]] = spans;
	return {
		pcm: Buffer.from(whole.buffer),
		roundMs: (1000 * length) / sampleRate,
		firstWordEndMs: 1000 * (to - from),
	};
}
