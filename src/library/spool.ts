/** Reads a stream to its end: into memory while it is short, then into a temporary file. */

import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { isUint8Array } from 'node:util/types';
import { abortable } from '../core/abort.js';
import { createTempFolder, type TempFolder } from '../core/disk/temp-folder.js';
import { asEarshotError, EarshotError, expected, reasonOf } from '../core/errors.js';
import type { Recording } from '../core/speech/recording.js';

/** A stream of bytes: a Node stream, a web stream, or a generator. */
export type Stream = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

export interface Spooled {
	readonly recording: Recording;
	/** Removes the file. Safe to call twice. */
	release(): Promise<void>;
}

/** Longer streams are written to a file. */
const memoryBytes = 8 * 2 ** 20;

/**
 * Reads the stream to its end. Throws `audio_unsupported` where the stream fails, `invalid_request` where it gives anything
 * but bytes, `disk_full`, `config_invalid` without a folder for temporary files, and `cancelled` with the signal.
 */
export async function spooled(stream: Stream, signal: AbortSignal): Promise<Spooled> {
	const spool = new Spool();
	const source = sourceOver(stream);
	try {
		for (;;) {
			const chunk = await abortable(source.next().catch(streamFailed), signal, 'recording');
			if (chunk === undefined) return await spool.finish();
			await spool.write(chunk);
		}
	} catch (thrown) {
		// Not awaited: a stream that waits for its next bytes may end only after them.
		source.stop();
		await spool.release();
		throw asEarshotError(thrown);
	}
}

function streamFailed(thrown: unknown): never {
	const why = reasonOf(thrown);
	throw new EarshotError('audio_unsupported', `the stream of the recording failed: ${why}`, {
		cause: thrown,
		param: 'source',
	});
}

interface ChunkSource {
	/** undefined = the end. */
	next(): Promise<unknown>;
	/** Cancels the stream. */
	stop(): void;
}

function sourceOver(stream: Stream): ChunkSource {
	if ('getReader' in stream) {
		const reader = readerOf(stream);
		return {
			next: async () => (await reader.read()).value,
			stop: () => void reader.cancel().catch(ignore),
		};
	}
	const iterator = stream[Symbol.asyncIterator]();
	return {
		next: async () => {
			const { done, value } = (await iterator.next()) as IteratorResult<unknown>;
			return done === true ? undefined : value;
		},
		stop() {
			if ('destroy' in stream && typeof stream.destroy === 'function') stream.destroy();
			Promise.resolve(iterator.return?.()).catch(ignore);
		},
	};
}

function readerOf(stream: ReadableStream<Uint8Array>): ReadableStreamDefaultReader<Uint8Array> {
	try {
		return stream.getReader();
	} catch (thrown) {
		// Another reader has locked it.
		return streamFailed(thrown);
	}
}

function ignore(): void {
	// Errors of a stream after its cancellation do not matter.
}

class Spool implements Pick<Spooled, 'release'> {
	#chunks: Uint8Array[] = [];
	#bytes = 0;
	#folder: TempFolder | undefined;
	#file: FileHandle | undefined;

	async write(chunk: unknown): Promise<void> {
		if (!isUint8Array(chunk)) throw expected('source', 'a stream of bytes', chunk);
		// The stream may use its buffer again.
		this.#chunks.push(chunk.slice());
		this.#bytes += chunk.length;
		if (this.#bytes <= memoryBytes) return;
		this.#folder ??= await createTempFolder();
		this.#file ??= await open(this.#path, 'wx', 0o600);
		const chunks = this.#chunks;
		this.#chunks = [];
		await this.#file.appendFile(Buffer.concat(chunks));
	}

	async finish(): Promise<Spooled> {
		const release = () => this.release();
		if (this.#file === undefined) return { recording: { bytes: Buffer.concat(this.#chunks) }, release };
		await this.#close();
		return { recording: { path: this.#path }, release };
	}

	async release(): Promise<void> {
		this.#chunks = [];
		await this.#close();
		const folder = this.#folder;
		this.#folder = undefined;
		await folder?.remove();
	}

	get #path(): string {
		return path.join(this.#folder?.path ?? '', 'recording');
	}

	async #close(): Promise<void> {
		const file = this.#file;
		this.#file = undefined;
		await file?.close();
	}
}
