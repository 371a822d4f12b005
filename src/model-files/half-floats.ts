/** Converts the number types of CTranslate2 models to those of ggml files. Pure. */

import type { NumberType } from './ctranslate2-file.js';
import { dequantise } from './ggml-types.js';

/** All of `bytes` as floats, unscaled. `bytes` must be aligned to the number's size in their buffer. */
export function floatsOf(type: NumberType, bytes: Uint8Array): Float32Array {
	const { buffer, byteOffset, length } = bytes;
	switch (type) {
		case 'f32':
			return new Float32Array(buffer, byteOffset, length / 4);
		case 'i8':
			return new Float32Array(new Int8Array(buffer, byteOffset, length));
		case 'i16':
			return new Float32Array(new Int16Array(buffer, byteOffset, length / 2));
		case 'i32':
			return new Float32Array(new Int32Array(buffer, byteOffset, length / 4));
		case 'f16': {
			const floats = new Float32Array(length / 2);
			dequantise('f16', bytes, floats);
			return floats;
		}
		case 'bf16': {
			// bf16 is the upper half of an f32.
			const floats = new Float32Array(length / 2);
			const bits = new Uint32Array(floats.buffer);
			const halves = new Uint16Array(buffer, byteOffset, length / 2);
			for (let index = 0; index < halves.length; index++) bits[index] = (halves[index] ?? 0) << 16;
			return floats;
		}
	}
}

/** Rounds to f16 bits, to nearest even; infinite from 65,520 on. */
export function halvesOf(floats: Float32Array): Uint16Array {
	const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
	const halves = new Uint16Array(floats.length);
	for (let index = 0; index < bits.length; index++) {
		const word = bits[index] ?? 0;
		const sign = (word >>> 16) & 0x8000;
		const size = word & 0x7fffffff;
		if (size >= 0x47800000) halves[index] = sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00);
		else if (size >= 0x38800000)
			halves[index] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
		else halves[index] = sign | subnormal(Math.abs(floats[index] ?? 0));
	}
	return halves;
}

/** Below 2^-14, f16 values are multiples of 2^-24. */
function subnormal(size: number): number {
	const scaled = size * 2 ** 24;
	const floor = Math.floor(scaled);
	const over = scaled - floor;
	return floor + (over > 0.5 || (over === 0.5 && floor % 2 === 1) ? 1 : 0);
}

export function areFiniteHalves(halves: Uint16Array): boolean {
	for (let index = 0; index < halves.length; index++)
		if (((halves[index] ?? 0) & 0x7c00) === 0x7c00) return false;
	return true;
}

export function areFinite(floats: Float32Array): boolean {
	for (let index = 0; index < floats.length; index++) if (!Number.isFinite(floats[index])) return false;
	return true;
}
