/** Writes samples as a WAV file in memory, so that they are processed like any other recording. Pure. */

import { expected } from '../core/errors.js';

/** Mono audio as numbers, nominally from -1 to 1; louder samples are clipped. */
export interface Pcm {
	/** At most a WAV file of 4 GiB: 18 hours at 16 kHz. */
	readonly samples: Float32Array;
	/** Samples per second, Hz: a whole number from 4000 to 768000. */
	readonly sampleRate: number;
}

const headBytes = 44;
/** WAV counts bytes in 32 bits: 18 hours at 16 kHz. */
const maxSamples = Math.floor((2 ** 32 - 1 - headBytes) / Float32Array.BYTES_PER_ELEMENT);
const [minRate, maxRate] = [4_000, 768_000];

/** A copy, as float WAV. Throws `invalid_request`. */
export function wavOf({ samples, sampleRate }: Pcm): Uint8Array {
	if (!Number.isInteger(sampleRate) || sampleRate < minRate || sampleRate > maxRate)
		throw expected('source.sampleRate', `a whole number from ${minRate} to ${maxRate}`, sampleRate);
	if (samples.length > maxSamples)
		throw expected('source.samples', `at most ${maxSamples} samples; give a file`, samples.length);
	const bytes = samples.length * Float32Array.BYTES_PER_ELEMENT;
	const wav = new Uint8Array(headBytes + bytes);
	const head = new DataView(wav.buffer);
	const name = (at: number, text: string) => {
		for (let index = 0; index < text.length; index++) head.setUint8(at + index, text.charCodeAt(index));
	};
	name(0, 'RIFF');
	head.setUint32(4, headBytes - 8 + bytes, true);
	name(8, 'WAVEfmt ');
	head.setUint32(16, 16, true);
	// Float, one channel.
	head.setUint16(20, 3, true);
	head.setUint16(22, 1, true);
	head.setUint32(24, sampleRate, true);
	head.setUint32(28, sampleRate * Float32Array.BYTES_PER_ELEMENT, true);
	head.setUint16(32, Float32Array.BYTES_PER_ELEMENT, true);
	head.setUint16(34, 8 * Float32Array.BYTES_PER_ELEMENT, true);
	name(36, 'data');
	head.setUint32(40, bytes, true);
	// Earshot runs on little-endian machines only, so the samples are WAV's as they are.
	new Float32Array(wav.buffer, headBytes).set(samples);
	return wav;
}
