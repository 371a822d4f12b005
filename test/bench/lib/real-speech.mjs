/** Recordings of people who read English, for trials with real weights: short clips and a long file, as WAVs. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decoder } from '../../../dist/audio/decode.js';
import { sampleRate } from '../../../dist/core/speech/pcm.js';
import { root, workplace } from './peers.mjs';
import { wav } from './speech.mjs';
import { wordsOf } from './words.mjs';

/**
 * @typedef {object} Said
 * @property {string} word
 * @property {number} at second, about
 *
 * @typedef {object} Speech
 * @property {Int16Array} samples
 * @property {Said[]} said
 *
 * @typedef {object} Material
 * @property {string[]} files WAVs, 16 kHz, mono, 16 bits
 * @property {number} seconds of each file
 * @property {string} name what it was made of
 * @property {(count: number) => string[]} reference words of the first `count` files
 */

const shared = join(root, '..', 'shared', 'speech', 'long');
const bundled = join(root, 'fixtures', 'accuracy');

/** @param {string} path @returns {Promise<Int16Array>} 16-bit samples, as every side is given them */
async function samplesOf(path) {
	const reader = decoder({ maxAudioSeconds: 7200 })({ path });
	/** @type {Int16Array[]} */
	const chunks = [];
	try {
		await reader.open();
		const chunk = new Float32Array(10 * sampleRate);
		let count = chunk.length;
		while (count === chunk.length) {
			count = await reader.read(chunk);
			chunks.push(
				Int16Array.from(chunk.subarray(0, count), (sample) =>
					Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))),
				),
			);
		}
	} finally {
		await reader.close();
	}
	return joinedSamples(chunks);
}

/** @param {Int16Array[]} parts */
function joinedSamples(parts) {
	const whole = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** @param {string} text @param {number} start @param {number} end seconds @returns {Said[]} spread evenly */
function spoken(text, start, end) {
	const words = wordsOf(text);
	const each = (end - start) / words.length;
	return words.map((word, index) => ({ word, at: start + (index + 0.5) * each }));
}

/** @param {string} path of rows of start, end and text @returns {Said[]} */
function transcriptOf(path) {
	const rows = readFileSync(path, 'utf8').trim().split('\n').slice(1);
	return rows.flatMap((row) => {
		const [start, end, text] = row.split('\t');
		return spoken(text, Number(start), Number(end));
	});
}

/** @returns {Promise<{ name: string, recordings: Speech[] }>} */
async function recordings() {
	const paths = ['libri_testother_dev.opus', 'ljspeech_LJ001_dev.m4a'].map((name) => ({
		audio: join(shared, name),
		transcript: join(shared, name.replace(/\.\w+$/, '.segments.tsv')),
	}));
	if (paths.every(({ audio, transcript }) => existsSync(audio) && existsSync(transcript))) {
		const read = paths.map(async ({ audio, transcript }) => ({
			samples: await samplesOf(audio),
			said: transcriptOf(transcript),
		}));
		return { name: 'LibriSpeech test-other and LJ Speech', recordings: await Promise.all(read) };
	}
	const manifest = join(bundled, 'manifest.json');
	if (!existsSync(manifest)) throw new Error(`Expected recordings of English in ${bundled}, got none`);
	/** @type {{ recordings: { file: string, kind: string, transcript: string }[] }} */
	const { recordings: rows } = JSON.parse(readFileSync(manifest, 'utf8'));
	const read = rows
		.filter(({ kind }) => kind === 'speech')
		.map(async ({ file, transcript }) => {
			const samples = await samplesOf(join(bundled, file));
			return { samples, said: spoken(transcript, 0, samples.length / sampleRate) };
		});
	return { name: 'fixtures/accuracy', recordings: await Promise.all(read) };
}

/**
 * @param {Speech[]} parts @param {number} seconds
 * @returns {Speech} one after another, again from the first where they are too few, until it is that long
 */
function joined(parts, seconds) {
	/** @type {Int16Array[]} */
	const samples = [];
	/** @type {Said[]} */
	const said = [];
	let length = 0;
	for (let next = 0; length < seconds * sampleRate; next++) {
		const part = parts[next % parts.length];
		const offset = length / sampleRate;
		samples.push(part.samples);
		said.push(...part.said.map(({ word, at }) => ({ word, at: at + offset })));
		length += part.samples.length;
	}
	return { samples: joinedSamples(samples), said };
}

/**
 * @param {string} name @param {Speech} speech @param {number} seconds of each file @param {number} count
 * @param {string} origin
 * @returns {Material} files cut one after another, so that words are cut at their ends
 */
function cut(name, { samples, said }, seconds, count, origin) {
	const folder = join(workplace, 'real');
	mkdirSync(folder, { recursive: true });
	const length = Math.round(seconds * sampleRate);
	const files = Array.from({ length: count }, (_, index) => {
		const path = join(folder, `${name}-${index}.wav`);
		writeFileSync(path, wav(samples.slice(index * length, (index + 1) * length)));
		return path;
	});
	const reference = (files) => said?.filter(({ at }) => at < files * seconds).map(({ word }) => word) ?? null;
	return { files, seconds, name: origin, reference };
}

/** @param {number} seconds @param {number} count @returns {Promise<Material>} */
export async function realClips(seconds, count) {
	const { name, recordings: parts } = await recordings();
	return cut('clip', joined(parts, seconds * count), seconds, count, name);
}

/** @param {number} seconds at least @returns {Promise<Material>} one file of whole recordings */
export async function realLongFile(seconds) {
	const { name, recordings: parts } = await recordings();
	const whole = joined(parts, seconds);
	return cut('long', whole, whole.samples.length / sampleRate, 1, name);
}

/** @returns {Promise<Buffer>} PCM, 16 kHz, 16 bits, mono: sentences with a second of silence after each */
export async function realSentences() {
	const { recordings: parts } = await recordings();
	const pause = new Int16Array(sampleRate);
	const { buffer } = joinedSamples(
		parts.flatMap(({ samples }) => [samples.subarray(0, 15 * sampleRate), pause]),
	);
	return Buffer.from(buffer);
}
