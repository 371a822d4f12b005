/** Fields of the protocol buffers that an ONNX file is made of. */

/** Why a file is not (or no longer) an ONNX model, as the end of a sentence. */
export class NotOnnx extends Error {
	override readonly name = 'NotOnnx';
}

/** Bytes of the file. */
export interface ByteRange {
	readonly from: number;
	readonly to: number;
}

export interface Field {
	readonly number: number;
	/** Of a number. */
	readonly value: number;
	/** Of a text, bytes or a message. */
	readonly span: ByteRange | undefined;
	/** Where the next field stands. */
	readonly next: number;
}

/** Bytes of a field's head, at their most: tag and number, or length. */
export const longestHead = 20;

/** The field that stands at `at`; `head` is what stands there. Throws NotOnnx. */
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

/** Value and the offset behind it. Above 2^53 nothing here makes sense, but a negative number takes ten bytes. */
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
