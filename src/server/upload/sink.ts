/** Writable streams for the parts of a form: a recording goes to memory or a file, anything else is discarded. */

import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { makeFolder } from '../../core/disk/disk.js';
import { asEarshotError } from '../../core/errors.js';
import type { Recording } from '../../core/speech/recording.js';
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
	readonly #reservation: Reservation;
	#chunks: Buffer[] = [];
	#file: FileHandle | undefined;
	/** The write to disk in progress, if any. */
	#writing: Promise<void> = Promise.resolve();
	#discarded = false;
	size = 0;

	constructor(path: string, memoryBytes: number, reservation: Reservation) {
		// The recording outlives the stream, so the stream must not destroy itself at its end.
		super({ autoDestroy: false });
		this.#path = path;
		this.#memoryBytes = memoryBytes;
		this.#reservation = reservation;
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
		if (this.#discarded) {
			done();
			return;
		}
		try {
			this.#reservation.add(chunk.length);
		} catch (thrown) {
			done(asEarshotError(thrown));
			return;
		}
		this.size += chunk.length;
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

	/** Call once: releases the chunks. */
	recording(): Recording {
		if (this.size > this.#memoryBytes) return { path: this.#path };
		const bytes = Buffer.concat(this.#chunks);
		this.#chunks = [];
		return { bytes };
	}

	async discard(): Promise<void> {
		// Formidable keeps writing after it has failed.
		this.#discarded = true;
		this.#chunks = [];
		if (this.size <= this.#memoryBytes) return;
		await this.#writing.catch(() => {
			// The writer gets this error through `done`; here it only matters that the write has ended.
		});
		await this.#closeFile();
		await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOENT') throw error;
		});
	}

	async #spill(): Promise<void> {
		if (this.#file === undefined) {
			// The system may have cleaned up the temporary directory of a server that runs for weeks.
			await makeFolder(dirname(this.#path), 0o700);
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

/** Calls a method of a stream that takes a callback. */
export function written(start: (done: (error?: Error | null) => void) => void): Promise<void> {
	return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}
