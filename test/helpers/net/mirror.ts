/** A local download mirror whose responses a test can make faulty, one request at a time. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export type Fault =
	/** Closes the connection after this many bytes of the body: soon, or when the promise settles. */
	| { readonly cutAfter: number; readonly when?: Promise<void> }
	| { readonly status: number; readonly headers?: Record<string, string> }
	/** Answers range requests with the whole file. */
	| { readonly ranges: 'refused' }
	/** A login page instead of the file. */
	| { readonly page: string }
	| { readonly redirectTo: string }
	/** Sends this many bytes, then stalls. */
	| { readonly stallAfter: number; readonly validators?: 'none' }
	/** One byte every few milliseconds. */
	| { readonly trickleMs: number }
	/** Sends different bytes under the same name. */
	| { readonly bytes: Buffer; readonly etag?: string }
	/** Sends the body in chunks of this many bytes, each after the last was flushed, with a pause in between. */
	| { readonly pieces: number; readonly everyMs: number }
	/** Answers with the whole file and does not say how long it is; `endless`: repeats it until the client has gone. */
	| { readonly length: 'unsaid' | 'endless' }
	/** Sends neither an ETag nor a date. */
	| { readonly validators: 'none' };

export interface Asked {
	readonly path: string;
	readonly range: string | undefined;
	readonly ifRange: string | undefined;
	readonly authorization: string | undefined;
}

export class Mirror {
	readonly files = new Map<string, Buffer>();
	/** Content types of files that are not plain bytes. */
	readonly types = new Map<string, string>();
	readonly asked: Asked[] = [];
	url = '';
	/** Called for each request; may be asynchronous. */
	before: (asked: Asked) => Promise<void> | void = () => {};
	readonly #once = new Map<string, Fault[]>();
	readonly #always = new Map<string, Fault>();
	readonly #server = createServer((request, response) => void this.#answer(request, response));

	static async start(host = '127.0.0.1'): Promise<Mirror> {
		const mirror = new Mirror();
		mirror.#server.listen(0, host);
		await once(mirror.#server, 'listening');
		const { port } = mirror.#server.address() as AddressInfo;
		mirror.url = `http://${host}:${port}`;
		return mirror;
	}

	/** Adds a file and returns its URL. */
	has(path: string, bytes: Buffer, type = ''): string {
		this.files.set(path, bytes);
		if (type !== '') this.types.set(path, type);
		return this.url + path;
	}

	/** Faults for the next requests, one each, in order. */
	spoil(path: string, ...faults: readonly Fault[]): void {
		this.#once.set(path, [...(this.#once.get(path) ?? []), ...faults]);
	}

	/** The fault for every request until the next call. */
	spoilAll(path: string, fault: Fault | undefined): void {
		if (fault === undefined) this.#always.delete(path);
		else this.#always.set(path, fault);
	}

	/** First bytes of the requested ranges. */
	starts(path: string): number[] {
		return this.asked
			.filter((each) => each.path === path)
			.map(({ range }) => Number(/bytes=(\d+)/.exec(range ?? '')?.[1] ?? 0));
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const path = request.url ?? '/';
		const { range, authorization } = request.headers;
		const ifRange = request.headers['if-range'] as string | undefined;
		const asked = { path, range, ifRange, authorization };
		this.asked.push(asked);
		await this.before(asked);
		const fault = this.#once.get(path)?.shift() ?? this.#always.get(path);
		response.on('error', () => {});
		if (fault && 'status' in fault) {
			response.writeHead(fault.status, fault.headers).end('no');
			return;
		}
		if (fault && 'redirectTo' in fault) {
			response.writeHead(302, { location: fault.redirectTo }).end();
			return;
		}
		if (fault && 'page' in fault) {
			response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(fault.page);
			return;
		}
		const whole = fault && 'bytes' in fault ? fault.bytes : this.files.get(path);
		if (whole === undefined) {
			response.writeHead(404).end('not here');
			return;
		}
		const etag = fault && 'etag' in fault && fault.etag !== undefined ? fault.etag : `"${sha256(whole)}"`;
		const named: Record<string, string> = fault && 'validators' in fault ? {} : { etag };
		const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
		const ranged =
			from !== undefined && !(fault && 'ranges' in fault) && (ifRange === undefined || ifRange === etag);
		const start = ranged ? Number(from) : 0;
		const end =
			ranged && to !== undefined && to !== '' ? Math.min(Number(to) + 1, whole.length) : whole.length;
		if (start >= whole.length) {
			response.writeHead(416).end();
			return;
		}
		if (fault && 'length' in fault) {
			response.writeHead(200, { 'transfer-encoding': 'chunked' });
			// Once and not each time, which would add a listener for each.
			const left = once(response, 'close');
			do {
				const isRead = response.write(whole);
				if (!isRead) await Promise.race([once(response, 'drain'), left]);
			} while (fault.length === 'endless' && !response.destroyed);
			response.end();
			return;
		}
		response.writeHead(ranged ? 206 : 200, {
			'content-type': this.types.get(path) ?? 'application/octet-stream',
			'content-length': end - start,
			...named,
			...(ranged ? { 'content-range': `bytes ${start}-${end - 1}/${whole.length}` } : {}),
		});
		await this.#send(response, whole.subarray(start, end), fault);
	}

	async #send(response: ServerResponse, body: Buffer, fault: Fault | undefined): Promise<void> {
		if (fault && 'cutAfter' in fault) {
			response.write(body.subarray(0, fault.cutAfter));
			await (fault.when ?? new Promise((resolve) => setTimeout(resolve, 40)));
			response.destroy();
		} else if (fault && 'stallAfter' in fault) {
			response.write(body.subarray(0, fault.stallAfter));
		} else if (fault && ('trickleMs' in fault || 'pieces' in fault)) {
			const size = 'pieces' in fault ? fault.pieces : 1;
			const everyMs = 'pieces' in fault ? fault.everyMs : fault.trickleMs;
			for (let at = 0; at < body.length && !response.destroyed; at += size) {
				response.write(body.subarray(at, at + size));
				await new Promise((resolve) => setTimeout(resolve, everyMs));
			}
			response.end();
		} else {
			response.end(body);
		}
	}
}

/** Closed when the test has finished. */
export async function startMirror(): Promise<Mirror> {
	const mirror = await Mirror.start();
	onTestFinished(() => mirror.close());
	return mirror;
}

export function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** Pseudorandom bytes, the same on every call. */
export function noise(bytes: number, seed = 1): Buffer {
	const out = Buffer.alloc(bytes);
	let state = seed;
	for (let index = 0; index < bytes; index++) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		out[index] = state >>> 16;
	}
	return out;
}
