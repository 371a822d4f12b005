/** Builds an ONNX model in memory, with its weights in external files. */

/** ONNX's element type numbers. */
export const elementTypes = { float: 1, int8: 3, float16: 10 } as const;

/** Where a constant's bytes are, in a file beside the model. */
export interface ExternalData {
	/** The file's name, without a folder. */
	readonly location: string;
	readonly offset: number;
	readonly length: number;
}

type Attribute = number | readonly number[] | { readonly float: number };

const irVersion = 8;
const opset = 17;
/** Domain of ONNX Runtime's own operators. */
const microsoft = 'com.microsoft';
const attributeTypes = { float: 1, int: 2, ints: 7 } as const;

/** A graph being built. `node` and the constants return the name of their value. */
export class OnnxGraph {
	readonly #fields: Buffer[] = [];
	#values = 0;

	/** A null dimension may have any size. */
	input(name: string, shape: readonly (number | null)[]): string {
		this.#fields.push(message(11, valueInfo(name, shape)));
		return name;
	}

	/** Makes the value `source` an output named `name`. */
	output(name: string, shape: readonly (number | null)[], source: string): void {
		this.#node('Identity', [source], [name], {}, '');
		this.#fields.push(message(12, valueInfo(name, shape)));
	}

	integers(...numbers: readonly number[]): string {
		const name = this.#newName();
		const raw = Buffer.alloc(8 * numbers.length);
		for (const [index, value] of numbers.entries()) raw.writeBigInt64LE(BigInt(value), 8 * index);
		this.#initializer(name, 7, [numbers.length], [message(9, raw)]);
		return name;
	}

	/** 8-bit zeros, for one node only: ONNX Runtime replaces zero points, and fails on one that two nodes share. */
	zeros(count: number): string {
		const name = this.#newName();
		this.#initializer(name, elementTypes.int8, [count], [message(9, Buffer.alloc(count))]);
		return name;
	}

	external(
		type: keyof typeof elementTypes,
		shape: readonly number[],
		{ location, offset, length }: ExternalData,
	): string {
		const name = this.#newName();
		const entries = Object.entries({ location, offset, length }).map(([key, value]) =>
			message(13, Buffer.concat([message(1, key), message(2, String(value))])),
		);
		this.#initializer(name, elementTypes[type], shape, [...entries, integer(14, 1)]);
		return name;
	}

	/** Adds a node with one output; '' is an omitted input. */
	node(
		operator: string,
		inputs: readonly string[],
		attributes: Readonly<Record<string, Attribute>> = {},
	): string {
		return this.#single(operator, inputs, attributes, '');
	}

	/** The outputs of `DynamicQuantizeLinear`: 8-bit numbers, their scale and their zero point. */
	quantised(value: string): readonly [string, string, string] {
		return this.threeOf('DynamicQuantizeLinear', [value]);
	}

	/** Adds a node with three outputs. */
	threeOf(
		operator: string,
		inputs: readonly string[],
		attributes: Readonly<Record<string, Attribute>> = {},
	): readonly [string, string, string] {
		const outputs = [this.#newName(), this.#newName(), this.#newName()] as const;
		this.#node(operator, inputs, outputs, attributes, '');
		return outputs;
	}

	/** Adds a node of ONNX Runtime's own operators, with one output. */
	microsoft(
		operator: string,
		inputs: readonly string[],
		attributes: Readonly<Record<string, Attribute>> = {},
	): string {
		return this.#single(operator, inputs, attributes, microsoft);
	}

	/** The complete model file. */
	encode(): Uint8Array {
		return Buffer.concat([
			integer(1, irVersion),
			message(2, 'earshot'),
			message(7, Buffer.concat([message(2, 'graph'), ...this.#fields])),
			message(8, integer(2, opset)),
			message(8, Buffer.concat([message(1, microsoft), integer(2, 1)])),
		]);
	}

	#newName(): string {
		this.#values += 1;
		return `v${this.#values}`;
	}

	#initializer(name: string, type: number, shape: readonly number[], data: readonly Buffer[]): void {
		const sizes = shape.map((size) => integer(1, size));
		this.#fields.push(message(5, Buffer.concat([...sizes, integer(2, type), message(8, name), ...data])));
	}

	#single(
		operator: string,
		inputs: readonly string[],
		attributes: Readonly<Record<string, Attribute>>,
		domain: string,
	): string {
		const output = this.#newName();
		this.#node(operator, inputs, [output], attributes, domain);
		return output;
	}

	#node(
		operator: string,
		inputs: readonly string[],
		outputs: readonly string[],
		attributes: Readonly<Record<string, Attribute>>,
		domain: string,
	): void {
		const fields = [
			...inputs.map((name) => message(1, name)),
			...outputs.map((name) => message(2, name)),
			message(4, operator),
			...Object.entries(attributes).map(([name, content]) => message(5, attribute(name, content))),
			...(domain === '' ? [] : [message(7, domain)]),
		];
		this.#fields.push(message(1, Buffer.concat(fields)));
	}
}

function attribute(name: string, content: Attribute): Buffer {
	const of = (type: keyof typeof attributeTypes, ...fields: readonly Buffer[]) =>
		Buffer.concat([message(1, name), ...fields, integer(20, attributeTypes[type])]);
	if (typeof content === 'number') return of('int', integer(3, content));
	if ('float' in content) {
		const body = Buffer.alloc(5);
		body.writeUInt8((2 << 3) | 5);
		body.writeFloatLE(content.float, 1);
		return of('float', body);
	}
	return of('ints', ...content.map((value) => integer(8, value)));
}

function valueInfo(name: string, shape: readonly (number | null)[]): Buffer {
	const sizes = shape.map((size) => message(1, size === null ? Buffer.alloc(0) : integer(1, size)));
	const tensor = Buffer.concat([integer(1, elementTypes.float), message(2, Buffer.concat(sizes))]);
	return Buffer.concat([message(1, name), message(2, message(1, tensor))]);
}

// ---- protocol buffers --------------------------------------------------------------------------

function integer(field: number, value: number): Buffer {
	return Buffer.concat([varint(field << 3), varint(value)]);
}

function message(field: number, content: Buffer | string): Buffer {
	const body = typeof content === 'string' ? Buffer.from(content) : content;
	return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

function varint(value: number): Buffer {
	const bytes: number[] = [];
	let rest = BigInt.asUintN(64, BigInt(value));
	for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
	bytes.push(Number(rest));
	return Buffer.from(bytes);
}
