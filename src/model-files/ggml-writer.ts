/** Writes a CTranslate2 Whisper model as a ggml file, in the layout of whisper.cpp's own converter. */

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Disk, DiskFile } from '../core/disk/disk.js';
import { BadCtranslate2, bytesPerNumber, type Variable } from './ctranslate2-file.js';
import { audioContext, type PlannedTensor, textContext, type WhisperPlan } from './ctranslate2-whisper.js';
import { areFinite, areFiniteHalves, floatsOf, halvesOf } from './half-floats.js';
import { melBins } from './mel-filters.js';

export interface GgmlContent {
	readonly plan: WhisperPlan;
	/** [bands, 201] */
	readonly filters: Float32Array;
	readonly tokens: readonly Buffer[];
}

export interface WriteDeps {
	readonly disk: Pick<Disk, 'open'>;
	readonly signal: AbortSignal;
	readonly onProgress?: (written: number, total: number) => void;
}

const magic = 0x67676d6c;
/** ggml's type numbers, and its `ftype` for a file with f16 matrices. */
const typeNumbers = { f32: 0, f16: 1 } as const;
const halfFile = 1;
/** Numbers in one piece; each piece is read, converted and written before the next. */
const numbersAtOnce = 1 << 18;

/** Size of the file that `writeGgml` writes. Pure. */
export function ggmlBytes({ plan, filters, tokens }: GgmlContent): number {
	const tensors = plan.tensors.reduce((sum, tensor) => sum + tensorHead(tensor).length + bytesIn(tensor), 0);
	return headOf({ plan, filters, tokens }).length + tensors;
}

/** Throws `BadCtranslate2` for a number that is not finite or a truncated file, the signal's reason, or the disk's error. */
export async function writeGgml(
	source: string,
	target: string,
	content: GgmlContent,
	{ disk, signal, onProgress }: WriteDeps,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
	const total = ggmlBytes(content);
	const from = await open(source, 'r');
	try {
		const to = await disk.open(target);
		try {
			await to.truncate(0);
			const sink = new Sink(to);
			await sink.write(headOf(content));
			for (const tensor of content.plan.tensors) {
				await sink.write(tensorHead(tensor));
				for await (const piece of piecesOf(from, tensor)) {
					signal.throwIfAborted();
					await sink.write(piece);
					onProgress?.(sink.bytes, total);
				}
			}
			await to.flush();
			return { bytes: sink.bytes, sha256: sink.digest() };
		} finally {
			await to.close();
		}
	} finally {
		await from.close();
	}
}

class Sink {
	bytes = 0;
	readonly #file: DiskFile;
	readonly #hash: Hash = createHash('sha256');

	constructor(file: DiskFile) {
		this.#file = file;
	}

	async write(piece: Uint8Array): Promise<void> {
		await this.#file.write(piece, this.bytes);
		this.#hash.update(piece);
		this.bytes += piece.length;
	}

	digest(): string {
		return this.#hash.digest('hex');
	}
}

/** Magic, hyperparameters, mel filters and tokens. */
function headOf({ plan, filters, tokens }: GgmlContent): Buffer {
	const { vocabulary, state, audioHeads, audioLayers, textHeads, textLayers, mels } = plan.size;
	const audio = [audioContext, state, audioHeads, audioLayers];
	const text = [textContext, state, textHeads, textLayers];
	return Buffer.concat([
		integers(magic, vocabulary, ...audio, ...text, mels, halfFile, mels, melBins),
		bytesOf(filters),
		integers(tokens.length),
		...tokens.flatMap((token) => [integers(token.length), token]),
	]);
}

function tensorHead({ name, shape, type }: PlannedTensor): Buffer {
	const head = integers(shape.length, name.length, typeNumbers[type], ...shape.toReversed());
	return Buffer.concat([head, Buffer.from(name)]);
}

function bytesIn({ shape, type }: PlannedTensor): number {
	return shape.reduce((product, size) => product * size, type === 'f16' ? 2 : 4);
}

function integers(...numbers: readonly number[]): Buffer {
	return Buffer.from(Int32Array.from(numbers).buffer);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Buffer {
	return Buffer.from(buffer, byteOffset, byteLength);
}

async function* piecesOf(file: FileHandle, tensor: PlannedTensor): AsyncGenerator<Buffer> {
	const { source, scale, firstRow, rows } = tensor;
	const width = source.shape.slice(1).reduce((product, size) => product * size, 1);
	const rowBytes = width * bytesPerNumber[source.type];
	const scales = scale && floatsOf(scale.type, await bytesAt(file, scale, scale.offset, scale.bytes));
	if (scale && scales?.every((each) => each > 0 && Number.isFinite(each)) === false)
		throw new BadCtranslate2(`\`${scale.name}\` has a scale that is not a number above 0`);
	const atOnce = Math.max(1, Math.floor(numbersAtOnce / width));
	for (let row = firstRow; row < firstRow + rows; row += atOnce) {
		const count = Math.min(atOnce, firstRow + rows - row);
		const bytes = await bytesAt(file, source, source.offset + row * rowBytes, count * rowBytes);
		yield pieceOf(
			tensor,
			bytes,
			scales && (source.type === 'i8' ? scales.subarray(row, row + count) : scales),
			width,
		);
	}
}

function pieceOf(
	{ type, source }: PlannedTensor,
	bytes: Buffer,
	scales: Float32Array | null,
	width: number,
): Buffer {
	if (source.type === 'f16' && type === 'f16') {
		if (!areFiniteHalves(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)))
			throw notFinite(source);
		return bytes;
	}
	const floats = floatsOf(source.type, bytes);
	if (scales) unscale(floats, scales, width);
	if (type === 'f32') {
		if (!areFinite(floats)) throw notFinite(source);
		return bytesOf(floats);
	}
	const halves = halvesOf(floats);
	if (!areFiniteHalves(halves)) throw notFinite(source);
	return bytesOf(halves);
}

/** CTranslate2's formula: weight = integer / scale, with one scale per row or one for all. */
function unscale(floats: Float32Array, scales: Float32Array, width: number): void {
	const rows = floats.length / width;
	for (let row = 0; row < rows; row++) {
		const scale = scales.length === 1 ? scales[0] : scales[row];
		for (let at = row * width; at < (row + 1) * width; at++) floats[at] = (floats[at] ?? 0) / (scale ?? 1);
	}
}

async function bytesAt(
	file: FileHandle,
	{ name }: Variable,
	position: number,
	length: number,
): Promise<Buffer> {
	// An unpooled buffer, so that it is aligned for every number type.
	const bytes = Buffer.allocUnsafeSlow(length);
	for (let done = 0; done < length; ) {
		const { bytesRead } = await file.read(bytes, done, length - done, position + done);
		if (bytesRead === 0) throw new BadCtranslate2(`it is truncated within \`${name}\``);
		done += bytesRead;
	}
	return bytes;
}

function notFinite({ name }: Variable): BadCtranslate2 {
	return new BadCtranslate2(`\`${name}\` has a number that is not finite in f16`);
}
