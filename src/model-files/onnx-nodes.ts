/** Reads the nodes of an ONNX file, including those in branches, and where the bytes of its constants are. */

import { type ByteRange, type Field, fieldAt, maxHeadBytes, NotOnnx, varint } from './onnx-fields.js';

export interface OnnxTensor {
	/** ONNX's number of the element type; 1 = float32, 7 = int64. */
	readonly elementType: number;
	readonly shape: readonly number[];
	/** Where its elements are in the file, little-endian; undefined if they are stored in another form. */
	readonly place: { readonly offset: number; readonly length: number } | undefined;
}

/** Integers, a string, a constant or a branch; an empty list for every other attribute. */
export type OnnxAttribute = readonly number[] | string | OnnxTensor | OnnxBody;

export interface OnnxNode {
	readonly operator: string;
	/** Names of values; '' for an omitted optional input. */
	readonly inputs: readonly string[];
	readonly outputs: readonly string[];
	readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A graph, or a branch inside one; a branch's nodes may also use values of the enclosing graph. */
export interface OnnxBody {
	/** In topological order. */
	readonly nodes: readonly OnnxNode[];
	readonly initializers: ReadonlyMap<string, OnnxTensor>;
	readonly outputs: readonly string[];
}

/** The main graph of a file. Pure. Throws NotOnnx. */
export function onnxNodes(file: Buffer): OnnxBody {
	// ModelProto: 7 = graph.
	for (const { number, span } of fieldsOf(file, { from: 0, to: file.length })) {
		if (number === 7 && span !== undefined) return bodyOf(file, span);
	}
	throw new NotOnnx('it is not an ONNX model: it has no graph');
}

/** GraphProto: 1 = node, 5 = initializer, 12 = output. */
function bodyOf(file: Buffer, span: ByteRange): OnnxBody {
	const nodes: OnnxNode[] = [];
	const initializers = new Map<string, OnnxTensor>();
	const outputs: string[] = [];
	for (const field of fieldsOf(file, span)) {
		if (field.span === undefined) continue;
		if (field.number === 1) nodes.push(nodeOf(file, field.span));
		else if (field.number === 5) initializers.set(nameIn(file, field.span, 8), tensorOf(file, field.span));
		else if (field.number === 12) outputs.push(nameIn(file, field.span, 1));
	}
	return { nodes, initializers, outputs };
}

/** NodeProto: 1 = input, 2 = output, 4 = operator, 5 = attribute. */
function nodeOf(file: Buffer, span: ByteRange): OnnxNode {
	const inputs: string[] = [];
	const outputs: string[] = [];
	const attributes = new Map<string, OnnxAttribute>();
	let operator = '';
	for (const field of fieldsOf(file, span)) {
		if (field.span === undefined) continue;
		if (field.number === 1) inputs.push(textOf(file, field.span));
		else if (field.number === 2) outputs.push(textOf(file, field.span));
		else if (field.number === 4) operator = textOf(file, field.span);
		else if (field.number === 5) attributes.set(nameIn(file, field.span, 1), contentOf(file, field.span));
	}
	return { operator, inputs, outputs, attributes };
}

/** AttributeProto: 3 = an integer, 4 = a text, 5 = a tensor, 6 = a graph, 8 = integers. */
function contentOf(file: Buffer, span: ByteRange): OnnxAttribute {
	const integers: number[] = [];
	for (const field of fieldsOf(file, span)) {
		if (field.number === 3 || field.number === 8) integers.push(...integersOf(file, field));
		else if (field.span === undefined) continue;
		else if (field.number === 4) return textOf(file, field.span);
		else if (field.number === 5) return tensorOf(file, field.span);
		else if (field.number === 6) return bodyOf(file, field.span);
	}
	return integers;
}

/** TensorProto: 1 = a size, 2 = the element type, 9 = the elements as bytes. */
function tensorOf(file: Buffer, span: ByteRange): OnnxTensor {
	const shape: number[] = [];
	let elementType = 0;
	let place: OnnxTensor['place'];
	for (const field of fieldsOf(file, span)) {
		if (field.number === 1) shape.push(...integersOf(file, field));
		else if (field.number === 2) elementType = field.value;
		else if (field.number === 9 && field.span !== undefined) {
			place = { offset: field.span.from, length: field.span.to - field.span.from };
		}
	}
	return { elementType, shape, place };
}

// ---- protocol buffers --------------------------------------------------------------------------

function* fieldsOf(file: Buffer, { from, to }: ByteRange): Generator<Field> {
	for (let at = from; at < to; ) {
		const field = fieldAt(at, file.subarray(at, at + maxHeadBytes));
		if (field.next > to) throw new NotOnnx('it is not an ONNX model, or truncated');
		yield field;
		at = field.next;
	}
}

const textOf = (file: Buffer, { from, to }: ByteRange): string => file.toString('utf8', from, to);

function nameIn(file: Buffer, span: ByteRange, number: number): string {
	for (const field of fieldsOf(file, span)) {
		if (field.number === number && field.span !== undefined) return textOf(file, field.span);
	}
	return '';
}

/** The numbers of a repeated field: a single one, or several packed into bytes. */
function integersOf(file: Buffer, { value, span }: Field): number[] {
	if (span === undefined) return [value];
	const bytes = file.subarray(span.from, span.to);
	const numbers: number[] = [];
	for (let at = 0; at < bytes.length; ) {
		const [number, next] = varint(bytes, at);
		numbers.push(number);
		at = next;
	}
	return numbers;
}
