/** The real server on a real socket, with a fake model behind it. */

import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ServerOptions, startServer } from '../../../src/server/server.js';
import { FakeClock, FakeLog, FakePool, FakeTranscriber } from '../fakes.js';
import { type Answered, undescribed } from './openapi.js';

export interface Arranged {
	readonly url: string;
	readonly port: number;
	/** 0 = it speaks no Wyoming. */
	readonly wyomingPort: number;
	readonly model: FakeTranscriber;
	readonly pool: FakePool;
	readonly clock: FakeClock;
	readonly log: FakeLog;
	/** Upload files that are on the disk now. */
	leftovers(): string[];
	/** Private directories of servers that exist now. */
	directories(): string[];
	close(options?: { graceMs?: number }): Promise<void>;
}

const localToken = 'the-token-of-this-server';

/** The headers of the server's own user, who may change the machine. */
export const owner = { authorization: `Bearer ${localToken}` };

export async function arrange(
	options: Partial<ServerOptions> & { readonly model?: FakeTranscriber } = {},
): Promise<Arranged> {
	const { model = new FakeTranscriber(), ...given } = options;
	const pool = new FakePool(model);
	const clock = new FakeClock();
	const log = new FakeLog();
	const tempDirectory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
	const server = await startServer({
		pool,
		clock,
		log,
		tempDirectory,
		localToken,
		version: '1.2.3',
		...given,
	});
	const { port } = server.address;
	onTestFinished(async () => {
		const closed = server.close({ graceMs: 0 });
		clock.advance(1000);
		await closed;
		rmSync(tempDirectory, { recursive: true, force: true });
	});
	const directories = (): string[] => readdirSync(tempDirectory).map((name) => join(tempDirectory, name));
	return {
		url: `http://127.0.0.1:${port}`,
		port,
		wyomingPort: server.wyomingAddress?.port ?? 0,
		model,
		pool,
		clock,
		log,
		leftovers: () => directories().flatMap((directory) => readdirSync(directory)),
		directories,
		close: (how) => server.close(how),
	};
}

export const wav = Buffer.from('RIFF....WAVE, or so the fake model believes');

export function form(fields: Record<string, string | readonly string[]> = {}, file: Buffer = wav): FormData {
	const body = new FormData();
	body.append('file', new Blob([new Uint8Array(file)], { type: 'audio/wav' }), 'a.wav');
	for (const [name, values] of Object.entries(fields)) {
		for (const value of typeof values === 'string' ? [values] : values) body.append(name, value);
	}
	return body;
}

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
	/** The text parsed as JSON. */
	// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
	readonly json: any;
}

export async function send(url: string, init: RequestInit = {}): Promise<Answer> {
	const response = await fetch(url, init);
	const text = await response.text();
	const isJson = text !== '' && response.headers.get('content-type')?.includes('application/json');
	const json = isJson ? JSON.parse(text) : undefined;
	const { status, headers } = response;
	checkDescribed({
		method: init.method ?? 'GET',
		url,
		status,
		contentType: headers.get('content-type') ?? '',
		json,
	});
	return { status, headers, text, json };
}

/** Fails the test if the answer is otherwise than the OpenAPI document says. */
function checkDescribed({ url, ...answer }: Omit<Answered, 'path'> & { readonly url: string }): void {
	const wrong = undescribed({ ...answer, path: new URL(url).pathname });
	if (wrong !== undefined) throw new Error(`openapi.yaml: ${wrong}`);
}

export function transcribe(
	server: Arranged,
	fields: Record<string, string | readonly string[]> = {},
	path = '/v1/audio/transcriptions',
): Promise<Answer> {
	return send(server.url + path, { method: 'POST', body: form(fields) });
}

export interface Part {
	readonly name?: string;
	readonly filename?: string;
	readonly type?: string;
	readonly headers?: readonly string[];
	readonly body: string | Buffer;
}

/** A multipart body as bytes, for bodies that a well-behaved client would not send. */
export function multipart(parts: readonly Part[], end = '\r\n--yy--\r\n'): Buffer {
	const pieces = parts.flatMap(({ name, filename, type, headers = [], body }, index) => {
		const disposition = [
			'form-data',
			...(name === undefined ? [] : [`name="${name}"`]),
			...(filename === undefined ? [] : [`filename="${filename}"`]),
		].join('; ');
		const head = [
			`Content-Disposition: ${disposition}`,
			...(type === undefined ? [] : [`Content-Type: ${type}`]),
			...headers,
		];
		return [
			Buffer.from(`${index === 0 ? '' : '\r\n'}--yy\r\n${head.join('\r\n')}\r\n\r\n`),
			Buffer.from(body),
		];
	});
	return Buffer.concat([...pieces, Buffer.from(end)]);
}

export const filePart: Part = { name: 'file', filename: 'a.wav', type: 'audio/wav', body: wav };

export interface RawAnswer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
	readonly json: any;
}

/** Sends exactly these headers and bytes, which `fetch` cannot. */
export async function sendRaw(
	server: Arranged,
	given: Omit<RequestOptions, 'headers'> & {
		readonly headers?: Readonly<Record<string, string>>;
		readonly body?: Buffer;
		readonly chunked?: boolean;
	} = {},
): Promise<RawAnswer> {
	const { body = Buffer.alloc(0), chunked = false, headers = {}, ...options } = given;
	const outgoing = request({
		host: '127.0.0.1',
		port: server.port,
		path: '/v1/audio/transcriptions',
		method: 'POST',
		agent: false,
		...options,
		headers: {
			...(options.method === 'GET' || options.method === 'OPTIONS'
				? {}
				: chunked
					? { 'transfer-encoding': 'chunked' }
					: { 'content-length': String(body.length) }),
			'content-type': 'multipart/form-data; boundary=yy',
			...headers,
		},
	});
	outgoing.end(body);
	const [response] = await once(outgoing, 'response');
	const pieces: Buffer[] = [];
	for await (const piece of response) pieces.push(piece);
	const text = Buffer.concat(pieces).toString();
	const json = String(response.headers['content-type']).includes('application/json')
		? JSON.parse(text)
		: undefined;
	checkDescribed({
		method: options.method ?? 'POST',
		url: server.url + (options.path ?? '/v1/audio/transcriptions'),
		status: response.statusCode,
		contentType: response.headers['content-type'] ?? '',
		json,
	});
	return { status: response.statusCode, headers: response.headers, text, json };
}

/** The events of a stream, including `[DONE]` and comments. */
export function framesOf(text: string): unknown[] {
	return text
		.split('\n\n')
		.filter((frame) => frame !== '')
		.map((frame) => {
			const data = /^data: (.*)$/.exec(frame)?.[1];
			if (data === undefined || data === '[DONE]') return frame;
			return JSON.parse(data);
		});
}
