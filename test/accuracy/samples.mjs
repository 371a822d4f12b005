/** Recordings as 16 kHz samples, decoded once, so that everybody is given the same. */

import { createHash } from 'node:crypto';
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readFileSync,
	readSync,
	renameSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../bench/lib/peers.mjs';

const addon = createRequire(import.meta.url)('node-gyp-build')(root);
export const sampleRate = 16_000;
export const workplace = join(root, 'build', 'accuracy');

/**
 * @param {string} file of any container
 * @returns {Promise<Float32Array>} throws where it is no recording
 */
export async function decoded(file) {
	const reader = addon.openAudio(file, { maxSeconds: 14_400 });
	try {
		await reader.open();
		const blocks = [];
		for (let isThrough = false; !isThrough; ) {
			const block = new Float32Array(60 * sampleRate);
			const { count } = await reader.read(block);
			blocks.push(block.subarray(0, count));
			isThrough = count < block.length;
		}
		const samples = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
		let at = 0;
		for (const block of blocks) {
			samples.set(block, at);
			at += block.length;
		}
		return samples;
	} finally {
		await reader.close();
	}
}

/** @type {Map<string, string>} */
const hashes = new Map();

/** @param {string} file @returns {string} */
function hashOf(file) {
	const hash = hashes.get(file) ?? createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 24);
	hashes.set(file, hash);
	return hash;
}

/** @param {string} path of raw samples @param {{ start: number, end: number }} part in seconds */
function cutOut(path, { start, end }) {
	const from = Math.round(start * sampleRate);
	const bytes = Buffer.alloc(4 * (Math.round(end * sampleRate) - from));
	const file = openSync(path, 'r');
	try {
		return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 4 * from));
	} finally {
		closeSync(file);
	}
}

/**
 * @param {import('./recordings.mjs').Recording} recording
 * @returns {Promise<{ path: string, seconds: number }>} of raw f32 samples in build/accuracy
 */
export async function sampled({ file, part }) {
	const folder = join(workplace, 'samples');
	mkdirSync(folder, { recursive: true });
	const name = part === undefined ? hashOf(file) : `${hashOf(file)}-${part.start}-${part.end}`;
	const path = join(folder, `${name}.f32`);
	if (!existsSync(path)) {
		const samples = part === undefined ? await decoded(file) : cutOut((await sampled({ file })).path, part);
		writeFileSync(`${path}.part`, samples);
		renameSync(`${path}.part`, path);
	}
	return { path, seconds: statSync(path).size / 4 / sampleRate };
}

/** @param {string} path of raw f32 samples */
export function floatsIn(path) {
	const bytes = readFileSync(path);
	return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
