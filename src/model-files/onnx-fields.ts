/** Decodes the protobuf fields of an ONNX file. */

/** The file is not a valid ONNX model; the message is a clause that says why. */
export class NotOnnx extends Error {
	override readonly name = 'NotOnnx';
}

/** A range of bytes in the file; `to` is exclusive. */
export interface ByteRange {
	readonly from: number;
	readonly to: number;
}

export interface Field {
	readonly number: number;
	/** Of a varint field; else 0. */
	readonly value: number;
	/** Of a string, bytes or a message. */
	readonly span: ByteRange | undefined;
	/** Offset of the next field. */
	readonly next: number;
}

/** Maximum size of a field's head: its tag, and a number or a length. */
export const maxHeadBytes = 20;

/** Decodes the field at offset `at`; `head`: the bytes there, up to `longestHead`. Throws NotOnnx. */
export function fieldAt(at: number, head: Buffer): Field {
	const [tag, afterTag] = varint(head, 0);
	const [wire, number] = [tag & 7, Math.floor(tag / 8)];
	if (number === 0) throw new NotOnnx('it is not an ONNX model');
	if (wire === 0) {
		const [value, after] = varint(head, afterTag);
		return { number, value, span: undefined, next: at + after };
	}
	if (wire === 1 || wire === 5) {
		return { number, value: 0, span: undefined, next: at + afterTag + (wire === 1 ? 8 : 4) };
	}
	if (wire !== 2) throw new NotOnnx('it is not an ONNX model');
	const [length, after] = varint(head, afterTag);
	const span = { from: at + after, to: at + after + length };
	return { number, value: 0, span, next: span.to };
}

/** The value, exact up to 2^53, and the offset after it. Takes up to ten bytes, as negative numbers do. */
export function varint(bytes: Buffer, from: number): [number, number] {
	let value = 0;
	for (let index = 0; index < 10; index++) {
		const byte = bytes[from + index];
		if (byte === undefined) break;
		value += (byte & 0x7f) * 2 ** (7 * index);
		if (byte < 0x80) return [value, from + index + 1];
	}
	throw new NotOnnx('it is not an ONNX model, or truncated');
}
