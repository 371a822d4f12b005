/** Where the parts of a form are written: a recording into memory or a file, anything else nowhere. */

import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { asEarshotError } from '../../errors.js';
import type { Recording } from '../../speech/recording.js';
import type { Reservation } from './budget.js';

export class IgnoringSink extends Writable {
	override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
		done();
	}
}

/** Holds a recording in memory until it grows past `memoryBytes`, then in the file at `path`. */
export class RecordingSink extends Writable {
	readonly #path: string;
	readonly #memoryBytes: number;
	readonly #held: Reservation;
	#chunks: Buffer[] = [];
	#file: FileHandle | undefined;
	/** The write to disk that may be under way. */
	#writing: Promise<void> = Promise.resolve();
	#discarded = false;
	size = 0;

	constructor(path: string, memoryBytes: number, held: Reservation) {
		// The recording outlives the stream that wrote it, so the stream must not clean up by itself.
		super({ autoDestroy: false });
		this.#path = path;
		this.#memoryBytes = memoryBytes;
		this.#held = held;
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
		if (this.#discarded) {
			done();
			return;
		}
		this.size += chunk.length;
		try {
			// Where the size was not told before.
			this.#held.growTo(this.size);
		} catch (thrown) {
			done(asEarshotError(thrown));
			return;
		}
		this.#chunks.push(chunk);
		if (this.size <= this.#memoryBytes) {
			done();
			return;
		}
		this.#writing = this.#spill();
		this.#writing.then(() => done(), done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#closeFile().then(() => done(), done);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.discard().then(() => done(error), done);
	}

	/** To be called once: the pieces are let go. */
	recording(): Recording {
		if (this.size > this.#memoryBytes) return { path: this.#path };
		const bytes = Buffer.concat(this.#chunks);
		this.#chunks = [];
		return { bytes };
	}

	async discard(): Promise<void> {
		// Formidable writes on after it has failed.
		this.#discarded = true;
		this.#chunks = [];
		if (this.size <= this.#memoryBytes) return;
		await this.#writing.catch(() => {
			// Whoever wrote has been told; here it only matters that the write is over.
		});
		await this.#closeFile();
		await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOENT') throw error;
		});
	}

	async #spill(): Promise<void> {
		if (this.#file === undefined) {
			// A cleaner of temporary files may have removed the directory of a server that runs for weeks.
			await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
			this.#file = await open(this.#path, 'wx', 0o600);
		}
		const chunks = this.#chunks;
		this.#chunks = [];
		await this.#file.appendFile(Buffer.concat(chunks));
	}

	async #closeFile(): Promise<void> {
		const file = this.#file;
		this.#file = undefined;
		await file?.close();
	}
}
