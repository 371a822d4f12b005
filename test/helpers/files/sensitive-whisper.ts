/** A small Whisper model whose encoder output is sensitive to errors: sharp attention, and biases other than zero. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeWhisper } from './ggml.js';

const shape = {
	vocabulary: 51_865,
	mels: 80,
	state: 128,
	heads: 2,
	audioLayers: 3,
	textLayers: 1,
} as const;

/** From -1 to 1, the same on every run. */
function noise(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 0x80000000 - 1;
	};
}

export function writeSharpWhisper(
	file: string,
	type: 'f16' | 'q4_0' | 'q8_0' = 'f16',
	/** `broken`: the tensor whose first number is NaN. */
	changes: { readonly state?: number; readonly heads?: number; readonly broken?: string } = {},
): void {
	const next = noise(5);
	const { broken, ...widths } = changes;
	const numbers = (name: string, count: number): Float32Array => {
		const made = soundNumbers(name, count);
		if (name === broken) made[0] = Number.NaN;
		return made;
	};
	const soundNumbers = (name: string, count: number): Float32Array => {
		if (name.startsWith('decoder')) return new Float32Array(count).fill(/ln\.weight$/.test(name) ? 1 : 0);
		const norm = /ln(_post)?\.weight$/.test(name);
		// Queries and keys this large make a sharp softmax, over few frames.
		const scale = /(query|key)\.weight$/.test(name) ? 0.2 : /\.weight$/.test(name) ? 0.12 : 0.3;
		return Float32Array.from({ length: count }, () => (norm ? 1 + 0.2 * next() : scale * next()));
	};
	const space = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte));
	const handle = openSync(file, 'w');
	try {
		for (const piece of encodeWhisper({ ...shape, ...widths, type }, space, numbers))
			writeSync(handle, piece);
	} finally {
		closeSync(handle);
	}
}
