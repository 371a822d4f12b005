/** What is transcribed: strings of the bundled recordings, so that voice activity detection finds speech all over. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './peers.mjs';

const sampleRate = 16_000;
const headerBytes = 44;

/** 16-bit samples of a bundled 16 kHz recording. */
function samplesOf(name) {
	const file = readFileSync(join(root, 'fixtures', 'demo-digits', `${name}.wav`));
	return new Int16Array(file.buffer.slice(file.byteOffset + headerBytes, file.byteOffset + file.length));
}

/**
 * A mono WAV file.
 * @param {Uint8Array} data @param {{ tag: number, rate: number, bits: number }} format `tag`: 1 PCM, 3 floats, 7 µ-law;
 * `rate`: Hz; `bits`: of a sample
 * @returns {Buffer}
 */
export function wavFile(data, { tag, rate, bits }) {
	const header = Buffer.alloc(headerBytes);
	header.write('RIFF', 0);
	header.writeUInt32LE(36 + data.length, 4);
	header.write('WAVEfmt ', 8);
	header.writeUInt32LE(16, 16);
	header.writeUInt16LE(tag, 20);
	header.writeUInt16LE(1, 22);
	header.writeUInt32LE(rate, 24);
	header.writeUInt32LE((rate * bits) / 8, 28);
	header.writeUInt16LE(bits / 8, 32);
	header.writeUInt16LE(bits, 34);
	header.write('data', 36);
	header.writeUInt32LE(data.length, 40);
	return Buffer.concat([header, data]);
}

/** @param {Int16Array | Float32Array} samples 16 kHz, mono @returns {Buffer} a WAV file of their type */
export function wav(samples) {
	const data = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
	const tag = samples instanceof Float32Array ? 3 : 1;
	return wavFile(data, { tag, rate: sampleRate, bits: 8 * samples.BYTES_PER_ELEMENT });
}

/**
 * Speech without long pauses.
 * @param {number} seconds @param {number} [from] second of the endless recording to begin at
 * @returns {Buffer} a WAV file, 16 kHz, mono, 16 bits
 */
export function speech(seconds, from = 0) {
	const spoken = ['digits-count', 'digits-pause'].map(samplesOf);
	const round = spoken.reduce((sum, { length }) => sum + length, 0);
	const whole = new Int16Array(round);
	whole.set(spoken[0]);
	whole.set(spoken[1], spoken[0].length);
	const start = Math.floor(from * sampleRate);
	return wav(Int16Array.from({ length: seconds * sampleRate }, (_, i) => whole[(start + i) % round]));
}

/** @param {Buffer} file of `speech` @returns {Float32Array} its samples, -1 to 1 */
export function floatsOf(file) {
	const samples = new Int16Array(
		file.buffer.slice(file.byteOffset + headerBytes, file.byteOffset + file.length),
	);
	return Float32Array.from(samples, (sample) => sample / 32_768);
}

/** @param {Buffer} file of `wav` @returns {number} */
export function secondsOf(file) {
	return (file.length - headerBytes) / 2 / sampleRate;
}

/**
 * @param {number} count
 * @returns {{ seconds: number, file: Buffer }[]} clips of 3 to 11 s, each length equally often
 */
export function clips(count) {
	return Array.from({ length: count }, (_, index) => {
		const seconds = 3 + ((index * 5) % 9);
		return { seconds, file: speech(seconds, index * 1.7) };
	});
}
