/** The metadata of an ONNX file, read without its weights: an encoder of two gigabytes takes a few reads. */

import { type FileHandle, open } from 'node:fs/promises';

/** Fields of ONNX's ModelProto. */
const metadataField = 14;
const lengthDelimited = 2;
/** Metadata of a speech model is names and a few thousand numbers. */
const longestEntry = 1 << 20;

/** Key → value; empty where the file is not ONNX. */
export async function onnxMetadata(path: string): Promise<ReadonlyMap<string, string>> {
	const handle = await open(path, 'r');
	try {
		return await readModel(handle, (await handle.stat()).size);
	} catch (thrown) {
		if (thrown instanceof RangeError) return new Map();
		throw thrown;
	} finally {
		await handle.close();
	}
}

async function readModel(handle: FileHandle, size: number): Promise<Map<string, string>> {
	const metadata = new Map<string, string>();
	for (let at = 0; at < size; ) {
		const head = await bytesAt(handle, at, 20);
		const [tag, afterTag] = varint(head, 0);
		const [value, afterValue] = varint(head, afterTag);
		const wire = tag & 7;
		if (wire === lengthDelimited) {
			const from = at + afterValue;
			if (tag >> 3 === metadataField && value <= longestEntry) {
				const [key, text] = pair(await bytesAt(handle, from, value));
				metadata.set(key, text);
			}
			at = from + value;
		} else if (wire === 0) {
			at += afterValue;
		} else if (wire === 1 || wire === 5) {
			at += afterTag + (wire === 1 ? 8 : 4);
		} else {
			throw new RangeError('not a protocol buffer');
		}
	}
	return metadata;
}

async function bytesAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
	const buffer = Buffer.alloc(length);
	const { bytesRead } = await handle.read(buffer, 0, length, position);
	return buffer.subarray(0, bytesRead);
}

/** Value and the offset behind it. Above 2^53 nothing here makes sense. */
function varint(bytes: Buffer, from: number): [number, number] {
	let value = 0;
	for (let index = 0; index < 8; index++) {
		const byte = bytes[from + index];
		if (byte === undefined) break;
		value += (byte & 0x7f) * 2 ** (7 * index);
		if (byte < 0x80) return [value, from + index + 1];
	}
	throw new RangeError('not a protocol buffer');
}

/** StringStringEntryProto: 1 = key, 2 = value. */
function pair(bytes: Buffer): [string, string] {
	const fields = ['', '', ''];
	for (let at = 0; at < bytes.length; ) {
		const [tag, afterTag] = varint(bytes, at);
		const [length, from] = varint(bytes, afterTag);
		fields[tag >> 3] = bytes.toString('utf8', from, from + length);
		at = from + length;
	}
	return [fields[1] ?? '', fields[2] ?? ''];
}
