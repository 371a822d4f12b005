/**
 * Encodes and decodes events of Home Assistant's Wyoming protocol: a line of JSON, which gives the lengths of the
 * further JSON and the payload that follow it. Pure.
 */

import { EarshotError, expected } from '../../core/errors.js';

export interface WyomingEvent {
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
	/** Audio; empty if the event has none. */
	readonly payload: Uint8Array;
}

export const maxHeaderBytes = 16 << 10;
export const maxDataBytes = 64 << 10;
/** Five seconds at the highest rate; clients usually send a tenth of a second. */
export const maxPayloadBytes = 1 << 20;

const newline = 0x0a;
const empty = Buffer.alloc(0);

interface Header {
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
	readonly dataBytes: number;
	readonly payloadBytes: number;
}

/** Divides the bytes of a connection into events. Buffers at most one incomplete event. */
export class WyomingReader {
	#pieces: Buffer[] = [];
	#bytes = 0;
	#header: Header | undefined;

	/**
	 * Yields the complete events. Throws `invalid_request` for invalid bytes; the rest of the connection is then
	 * unusable.
	 */
	*read(chunk: Buffer): Generator<WyomingEvent> {
		this.#pieces.push(chunk);
		this.#bytes += chunk.length;
		for (;;) {
			const event = this.#next(chunk);
			if (event === undefined) return;
			yield event;
		}
	}

	#next(chunk: Buffer): WyomingEvent | undefined {
		this.#header ??= this.#readHeader(chunk);
		const header = this.#header;
		if (header === undefined || this.#bytes < header.dataBytes + header.payloadBytes) return undefined;
		const more = this.#take(header.dataBytes);
		const payload = this.#take(header.payloadBytes);
		this.#header = undefined;
		const data = more.length === 0 ? header.data : { ...header.data, ...objectOf(more, 'data') };
		return { type: header.type, data, payload };
	}

	#readHeader(chunk: Buffer): Header | undefined {
		// While a line arrives in pieces, only the new piece is searched for the newline.
		if (this.#pieces.length > 1 && !chunk.includes(newline) && this.#bytes <= maxHeaderBytes)
			return undefined;
		const all = this.#joined();
		const end = all.indexOf(newline);
		if (end > maxHeaderBytes || (end === -1 && all.length > maxHeaderBytes))
			throw new EarshotError(
				'invalid_request',
				`An event's line is too long: at most ${maxHeaderBytes} bytes`,
			);
		if (end === -1) return undefined;
		const line = this.#take(end + 1).subarray(0, end);
		return headerOf(line);
	}

	#joined(): Buffer {
		const all = this.#pieces.length === 1 ? (this.#pieces[0] ?? empty) : Buffer.concat(this.#pieces);
		this.#pieces = [all];
		return all;
	}

	#take(bytes: number): Buffer {
		if (bytes === 0) return empty;
		const all = this.#joined();
		this.#bytes -= bytes;
		this.#pieces = [all.subarray(bytes)];
		return all.subarray(0, bytes);
	}
}

function headerOf(line: Buffer): Header {
	const header = objectOf(line, 'the line of an event');
	const { type, data = {} } = header;
	if (typeof type !== 'string') throw expected('type', 'a string', type);
	return {
		type,
		data: data === null ? {} : checkedObject(data, 'data'),
		dataBytes: lengthOf(header, 'data_length', maxDataBytes),
		payloadBytes: lengthOf(header, 'payload_length', maxPayloadBytes),
	};
}

function lengthOf(header: Record<string, unknown>, name: string, max: number): number {
	const value = header[name] ?? 0;
	if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max)
		throw expected(name, `a whole number from 0 to ${max}`, value);
	return value;
}

function objectOf(json: Buffer, what: string): Record<string, unknown> {
	let value: unknown;
	try {
		value = JSON.parse(json.toString('utf8'));
	} catch {
		throw expected(what, 'a JSON object', json.toString('utf8'));
	}
	return checkedObject(value, what);
}

function checkedObject(value: unknown, what: string): Record<string, unknown> {
	if (typeof value !== 'object' || value === null || Array.isArray(value))
		throw expected(what, 'a JSON object', value);
	return { ...value };
}

/** Encodes an event like the protocol's reference library, with the data after the line. */
export function encodedEvent(type: string, data: Readonly<Record<string, unknown>>, version: string): Buffer {
	const body = Buffer.from(JSON.stringify(data));
	const line = JSON.stringify({ type, version, data_length: body.length });
	return Buffer.concat([Buffer.from(`${line}\n`), body]);
}
