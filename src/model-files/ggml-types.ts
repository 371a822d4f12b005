/** The number types of Whisper's ggml files, and how to dequantise them. */

/** `f32`, `f16`, and blocks of 32 numbers that share a scale. */
export type TensorType = 'f32' | 'f16' | 'q4_0' | 'q4_1' | 'q5_0' | 'q5_1' | 'q8_0';

/** A block: its count of numbers and its size. */
export interface BlockSize {
	readonly numbers: number;
	readonly bytes: number;
}

export const blockSizes: Readonly<Record<TensorType, BlockSize>> = {
	f32: { numbers: 1, bytes: 4 },
	f16: { numbers: 1, bytes: 2 },
	q4_0: { numbers: 32, bytes: 18 },
	q4_1: { numbers: 32, bytes: 20 },
	q5_0: { numbers: 32, bytes: 22 },
	q5_1: { numbers: 32, bytes: 24 },
	q8_0: { numbers: 32, bytes: 34 },
};

/** By ggml's type number. */
export const typesByNumber: ReadonlyMap<number, TensorType> = new Map([
	[0, 'f32'],
	[1, 'f16'],
	[2, 'q4_0'],
	[3, 'q4_1'],
	[6, 'q5_0'],
	[7, 'q5_1'],
	[8, 'q8_0'],
]);

/** Blocks of all types of weights that whisper.cpp reads, by ggml's type number: also those that cannot be dequantised
 * here (i32, the K types, bf16). */
export const blocksByNumber: ReadonlyMap<number, BlockSize> = new Map([
	...[...typesByNumber].map(([number, type]) => [number, blockSizes[type]] as const),
	[10, { numbers: 256, bytes: 84 }],
	[11, { numbers: 256, bytes: 110 }],
	[12, { numbers: 256, bytes: 144 }],
	[13, { numbers: 256, bytes: 176 }],
	[14, { numbers: 256, bytes: 210 }],
	[26, { numbers: 1, bytes: 4 }],
	[30, { numbers: 1, bytes: 2 }],
]);

/** Size of `count` numbers, a multiple of the type's block. */
export function bytesOf(type: TensorType, count: number): number {
	const { numbers, bytes } = blockSizes[type];
	return (count / numbers) * bytes;
}

/** Fills `into`, whose length is a multiple of the type's block, from the start of `bytes`. */
export function dequantise(type: TensorType, bytes: Uint8Array, into: Float32Array): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const { numbers, bytes: size } = blockSizes[type];
	const read = readers[type];
	for (let at = 0, from = 0; at < into.length; at += numbers, from += size) read(view, from, into, at);
}

type Read = (view: DataView, from: number, into: Float32Array, at: number) => void;

/** ggml's block layout: the scale, the minimum (_1 types), the fifth bits (q5), then numbers 0 to 15 in the low nibbles
 * and 16 to 31 in the high nibbles; one byte per number in q8_0. */
const readers: Readonly<Record<TensorType, Read>> = {
	f32: (view, from, into, at) => {
		into[at] = view.getFloat32(from, true);
	},
	f16: (view, from, into, at) => {
		into[at] = half(view, from);
	},
	q4_0: (view, from, into, at) => {
		const scale = half(view, from);
		for (let i = 0; i < 16; i++) {
			const pair = view.getUint8(from + 2 + i);
			into[at + i] = ((pair & 15) - 8) * scale;
			into[at + 16 + i] = ((pair >> 4) - 8) * scale;
		}
	},
	q4_1: (view, from, into, at) => {
		const [scale, least] = [half(view, from), half(view, from + 2)];
		for (let i = 0; i < 16; i++) {
			const pair = view.getUint8(from + 4 + i);
			into[at + i] = (pair & 15) * scale + least;
			into[at + 16 + i] = (pair >> 4) * scale + least;
		}
	},
	q5_0: (view, from, into, at) => {
		const scale = half(view, from);
		const fifths = view.getUint32(from + 2, true);
		for (let i = 0; i < 16; i++) {
			const pair = view.getUint8(from + 6 + i);
			into[at + i] = (((pair & 15) | fifth(fifths, i)) - 16) * scale;
			into[at + 16 + i] = (((pair >> 4) | fifth(fifths, 16 + i)) - 16) * scale;
		}
	},
	q5_1: (view, from, into, at) => {
		const [scale, least] = [half(view, from), half(view, from + 2)];
		const fifths = view.getUint32(from + 4, true);
		for (let i = 0; i < 16; i++) {
			const pair = view.getUint8(from + 8 + i);
			into[at + i] = ((pair & 15) | fifth(fifths, i)) * scale + least;
			into[at + 16 + i] = ((pair >> 4) | fifth(fifths, 16 + i)) * scale + least;
		}
	},
	q8_0: (view, from, into, at) => {
		const scale = half(view, from);
		for (let i = 0; i < 32; i++) into[at + i] = view.getInt8(from + 2 + i) * scale;
	},
};

function fifth(bits: number, index: number): number {
	return ((bits >>> index) & 1) << 4;
}

/** Lookup table from f16 bits to values, built on first use, since most processes never need it. */
let halves: Float32Array | undefined;

function half(view: DataView, from: number): number {
	halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfOf(bits));
	return halves[view.getUint16(from, true)] ?? Number.NaN;
}

function halfOf(bits: number): number {
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits >> 10) & 31;
	const fraction = bits & 1023;
	if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
	return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
