// @ts-check
/** 16 kHz samples as the audio of live sessions: other rates, 16-bit PCM and G.711. */

import { wavFile } from '../../bench/lib/speech.mjs';

const rate = 16_000;

/** Zero crossings of the filter on each side. */
const crossings = 32;

/**
 * A windowed sinc at each place of the output, which passes nothing that the lower of the two rates cannot hold.
 * @param {Float32Array} samples 16 kHz @param {number} to Hz
 * @returns {Float32Array}
 */
export function resampled(samples, to) {
	const cutoff = 0.95 * Math.min(1, to / rate);
	const reach = crossings / cutoff;
	return Float32Array.from({ length: Math.floor((samples.length * to) / rate) }, (_, index) => {
		const at = (index * rate) / to;
		let sum = 0;
		for (let from = Math.max(0, Math.ceil(at - reach)); from <= at + reach && from < samples.length; from++) {
			const x = Math.PI * cutoff * (from - at);
			const window = Math.cos((Math.PI * (from - at)) / (2 * reach)) ** 2;
			sum += (samples[from] ?? 0) * window * (x === 0 ? cutoff : (cutoff * Math.sin(x)) / x);
		}
		return sum;
	});
}

/** @param {number} sample */
const whole = (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));

/** @param {Float32Array} samples @returns {Buffer} 16 bits, little-endian */
export const pcm16 = (samples) => Buffer.from(Int16Array.from(samples, whole).buffer);

/** @param {number} sample */
function muLaw(sample) {
	const size = Math.min(Math.abs(whole(sample)), 32_635) + 132;
	const exponent = Math.floor(Math.log2(size)) - 7;
	return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

/** @param {number} sample */
function aLaw(sample) {
	const size = Math.min(Math.abs(whole(sample)), 32_767);
	const exponent = Math.max(0, Math.floor(Math.log2(Math.max(1, size))) - 7);
	const mantissa = (exponent === 0 ? size >> 4 : size >> (exponent + 3)) & 0x0f;
	return ((sample < 0 ? 0 : 0x80) | (exponent << 4) | mantissa) ^ 0x55;
}

/** Format of a session → a recording in it. @type {Record<string, { format: object, encode: (samples: Float32Array) => Buffer }>} */
export const formats = {
	'pcm, 24 kHz': {
		format: { type: 'audio/pcm', rate: 24_000 },
		encode: (samples) => pcm16(resampled(samples, 24_000)),
	},
	pcmu: {
		format: { type: 'audio/pcmu' },
		encode: (samples) => Buffer.from(Uint8Array.from(resampled(samples, 8000), muLaw)),
	},
	pcma: {
		format: { type: 'audio/pcma' },
		encode: (samples) => Buffer.from(Uint8Array.from(resampled(samples, 8000), aLaw)),
	},
};

/** @param {Buffer} bytes µ-law, 8 kHz, mono @returns {Buffer} a WAV file of them */
export const muLawWav = (bytes) => wavFile(bytes, { tag: 7, rate: 8000, bits: 8 });
