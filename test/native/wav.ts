/** WAV files made on the spot, also such as no program would write. */

export interface WavOptions {
	readonly rate?: number;
	readonly channels?: number;
	readonly format?: 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64';
	readonly seconds?: number;
	/** Value in [-1, 1] at a time, of a channel. */
	readonly wave?: (seconds: number, channel: number) => number;
	/** Fields of the header to write instead of the true ones. */
	readonly lie?: Partial<Record<'rate' | 'channels' | 'bits' | 'tag' | 'dataBytes', number>>;
}

const bitsOf = { u8: 8, s16: 16, s24: 24, s32: 32, f32: 32, f64: 64 } as const;

export const tone =
	(hertz: number, amplitude = 0.5) =>
	(seconds: number): number =>
		amplitude * Math.sin(2 * Math.PI * hertz * seconds);

export function wav({
	rate = 16_000,
	channels = 1,
	format = 's16',
	seconds = 1,
	wave = tone(440),
	lie = {},
}: WavOptions = {}): Buffer {
	const bits = bitsOf[format];
	const frames = Math.round(seconds * rate);
	const stride = (channels * bits) / 8;
	const data = Buffer.alloc(frames * stride);
	for (let frame = 0; frame < frames; frame++) {
		for (let channel = 0; channel < channels; channel++) {
			const value = wave(frame / rate, channel);
			const at = frame * stride + (channel * bits) / 8;
			const scaled = (full: number) => Math.max(-full - 1, Math.min(full, Math.round(value * full)));
			if (format === 'u8') data.writeUInt8(scaled(127) + 128, at);
			else if (format === 's16') data.writeInt16LE(scaled(0x7fff), at);
			else if (format === 's24') data.writeIntLE(scaled(0x7fffff), at, 3);
			else if (format === 's32') data.writeInt32LE(scaled(0x7fffffff), at);
			else if (format === 'f32') data.writeFloatLE(value, at);
			else data.writeDoubleLE(value, at);
		}
	}
	const header = Buffer.alloc(44);
	header.write('RIFF', 0, 'latin1');
	header.writeUInt32LE(36 + data.length, 4);
	header.write('WAVEfmt ', 8, 'latin1');
	header.writeUInt32LE(16, 16);
	header.writeUInt16LE(lie.tag ?? (format.startsWith('f') ? 3 : 1), 20);
	header.writeUInt16LE(lie.channels ?? channels, 22);
	header.writeUInt32LE(lie.rate ?? rate, 24);
	header.writeUInt32LE(rate * stride, 28);
	header.writeUInt16LE(stride, 32);
	header.writeUInt16LE(lie.bits ?? bits, 34);
	header.write('data', 36, 'latin1');
	header.writeUInt32LE(lie.dataBytes ?? data.length, 40);
	return Buffer.concat([header, data]);
}

/** The same recording as a big-endian WAV. */
export function rifx(little: Buffer): Buffer {
	const big = Buffer.from(little);
	const swap = (from: number, width: number) => big.subarray(from, from + width).reverse();
	big.write('RIFX', 0, 'latin1');
	for (const at of [4, 16, 24, 28, 40]) swap(at, 4);
	for (const at of [20, 22, 32, 34]) swap(at, 2);
	const width = little.readUInt16LE(34) / 8;
	for (let at = 44; at < big.length; at += width) swap(at, width);
	return big;
}

/** Random numbers in [0, 1) that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
	};
}

export function rms(samples: Float32Array): number {
	let sum = 0;
	for (const sample of samples) sum += sample * sample;
	return Math.sqrt(sum / samples.length);
}
