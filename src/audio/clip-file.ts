/**
 * A group of clips in a file. A process that reads it transcribes exactly the clips that it would have cut itself. The
 * file has a magic number, the size of the header, the header in JSON, and the samples of all clips: as 16-bit integers
 * if that is exact, else as floats.
 */

import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { EarshotError } from '../core/errors.js';
import type { Clip } from '../core/speech/clip.js';
import type { ClipGroup } from '../core/speech/events.js';

/** Magic number; its last digit is the version of the format. */
const mark = Buffer.from('earshot-clip1', 'latin1');
const prefixBytes = mark.length + 4;

type SampleFormat = 's16' | 'f32';

const bytesPerSample: Readonly<Record<SampleFormat, number>> = { s16: 2, f32: 4 };

interface Header {
	readonly group: ClipGroup;
	readonly format: SampleFormat;
	readonly clips: readonly ClipEntry[];
}

interface ClipEntry extends Omit<Clip, 'samples'> {
	/** Samples. */
	readonly count: number;
}

const scale = 32_768;

export async function writeClipFile(file: string, group: ClipGroup, clips: readonly Clip[]): Promise<void> {
	const format: SampleFormat = clips.every(({ samples }) => isOf16Bits(samples)) ? 's16' : 'f32';
	const header = {
		group,
		format,
		clips: clips.map(({ samples, ...clip }) => ({ ...clip, count: samples.length })),
	} satisfies Header;
	const text = Buffer.from(JSON.stringify(header));
	const size = Buffer.alloc(4);
	size.writeUInt32LE(text.length);
	const pieces = [mark, size, text, ...clips.map(({ samples }) => bytesOf(samples, format))];
	await writeFile(file, pieces, { mode: 0o600 });
}

function isOf16Bits(samples: Float32Array): boolean {
	for (let at = 0; at < samples.length; at++) {
		const whole = (samples[at] ?? 0) * scale;
		// As an integer, `-0` would become 0.
		if (whole !== Math.trunc(whole) || whole >= scale || whole < -scale || Object.is(whole, -0)) return false;
	}
	return true;
}

function bytesOf(samples: Float32Array, format: SampleFormat): Uint8Array {
	if (format === 'f32') return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
	const whole = new Int16Array(samples.length);
	for (let at = 0; at < samples.length; at++) whole[at] = (samples[at] ?? 0) * scale;
	return new Uint8Array(whole.buffer);
}

/** Reads the clips of a group file, in order. Throws `internal` if it is not one. */
export class ClipFile {
	readonly group: ClipGroup;
	readonly #handle: FileHandle;
	readonly #header: Header;
	#next = 0;
	/** Position of the next clip, bytes. */
	#offset: number;

	private constructor(handle: FileHandle, header: Header, offset: number) {
		this.#handle = handle;
		this.#header = header;
		this.#offset = offset;
		this.group = header.group;
	}

	/** The caller must close the result. */
	static async open(file: string): Promise<ClipFile> {
		const handle = await open(file, 'r');
		try {
			const prefix = await bytesAt(handle, 0, prefixBytes);
			if (!prefix.subarray(0, mark.length).equals(mark)) throw broken('it does not begin like one');
			const size = prefix.readUInt32LE(mark.length);
			const { size: fileBytes } = await handle.stat();
			if (prefixBytes + size > fileBytes) throw broken('its header is cut off');
			const text = await bytesAt(handle, prefixBytes, size);
			const header = JSON.parse(text.toString('utf8')) as Header;
			const samples = header.clips.reduce((sum, { count }) => sum + count, 0);
			if (prefixBytes + size + samples * bytesPerSample[header.format] !== fileBytes)
				throw broken('its size is not that of its clips');
			return new ClipFile(handle, header, prefixBytes + size);
		} catch (thrown) {
			await handle.close();
			throw thrown;
		}
	}

	get hasMore(): boolean {
		return this.#next < this.#header.clips.length;
	}

	/** The next clip; undefined after the last one. */
	async next(): Promise<Clip | undefined> {
		const entry = this.#header.clips[this.#next];
		if (entry === undefined) return undefined;
		const { count, ...clip } = entry;
		const { format } = this.#header;
		const bytes = await bytesAt(this.#handle, this.#offset, count * bytesPerSample[format]);
		this.#next++;
		this.#offset += bytes.length;
		return { ...clip, samples: samplesOf(bytes, format) };
	}

	async close(): Promise<void> {
		await this.#handle.close();
	}
}

function samplesOf(bytes: Buffer, format: SampleFormat): Float32Array {
	if (format === 'f32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
	const whole = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
	const samples = new Float32Array(whole.length);
	for (let at = 0; at < whole.length; at++) samples[at] = (whole[at] ?? 0) / scale;
	return samples;
}

async function bytesAt(handle: FileHandle, at: number, count: number): Promise<Buffer> {
	// Not from Buffer's pool, whose slices may not be aligned for an array of floats.
	const bytes = Buffer.from(new ArrayBuffer(count));
	let got = 0;
	while (got < count) {
		const { bytesRead } = await handle.read(bytes, got, count - got, at + got);
		if (bytesRead === 0) throw broken('it is cut off');
		got += bytesRead;
	}
	return bytes;
}

const broken = (why: string): EarshotError =>
	new EarshotError('internal', `a file of clips cannot be read: ${why}`);
