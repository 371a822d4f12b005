/** Unpacks a `.tar.bz2` or `.tar.gz` into an empty folder, and never writes outside it. */

import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ReadEntry, Unpack } from 'tar';
import { makeFolder } from '../../core/disk/disk.js';
import { codeOf } from '../../core/errors.js';

export interface UnpackLimits {
	/** Total unpacked size. */
	readonly maxBytes: number;
	readonly maxEntries: number;
}

/** The archive is damaged or unsafe; the message is a clause that says why. */
export class BadArchive extends Error {}

/** Weights compress to two thirds at best; a ratio above 50 is a decompression bomb. */
export function defaultLimits(archive: string): UnpackLimits {
	return { maxBytes: 50 * statSync(archive).size + 2 ** 26, maxEntries: 10_000 };
}

/** Not for the main thread: it blocks while decoding if the system has no bzip2. Throws `BadArchive` and errors of the
 * file system. */
export async function unpackBlocking(archive: string, into: string, limits: UnpackLimits): Promise<void> {
	await makeFolder(into);
	const guard = new EntryGuard(limits);
	// Imported here, since most servers never unpack anything.
	const tar = await import('tar');
	const sink = new tar.Unpack({
		cwd: into,
		strict: true,
		preserveOwner: false,
		noMtime: true,
		filter: (name, entry) => guard.admits(name, entry as ReadEntry),
	});
	try {
		await decompressed(archive, guard.counter(), sink);
	} catch (thrown) {
		if (guard.violation !== undefined) throw new BadArchive(guard.violation);
		if (thrown instanceof BadArchive || isOfFileSystem(thrown)) throw thrown;
		const why = thrown instanceof Error ? thrown.message : String(thrown);
		throw new BadArchive(`it is damaged (${why})`);
	}
	if (guard.violation !== undefined) throw new BadArchive(guard.violation);
	if (guard.entries === 0) throw new BadArchive('it is empty');
}

/** Enforces the limits and rejects paths outside the folder. */
class EntryGuard {
	entries = 0;
	violation: string | undefined;
	readonly #limits: UnpackLimits;
	#bytes = 0;

	constructor(limits: UnpackLimits) {
		this.#limits = limits;
	}

	/** Links and devices are not admitted: a model needs none, and a missing file is detected later. Sets the permissions
	 * of admitted files, so that none of the archive's permission bits remain. */
	admits(name: string, entry: ReadEntry): boolean {
		const { type } = entry;
		entry.mode = type === 'Directory' ? 0o755 : 0o644;
		if (this.violation !== undefined) return false;
		if (++this.entries > this.#limits.maxEntries) {
			this.violation = `it has more than ${this.#limits.maxEntries} entries`;
		} else if (escapesFolder(name)) {
			this.violation = `it would write outside its folder, to ${JSON.stringify(name)}`;
		}
		return this.violation === undefined && ['File', 'OldFile', 'ContiguousFile', 'Directory'].includes(type);
	}

	/** Counts unpacked bytes, and fails the stream at the first violation. */
	counter(): Transform {
		return new Transform({
			transform: (chunk: Uint8Array, _encoding, done) => {
				this.#bytes += chunk.length;
				if (this.#bytes > this.#limits.maxBytes)
					this.violation ??= `it unpacks to more than ${Math.round(this.#limits.maxBytes / 2 ** 20)} MiB`;
				if (this.violation === undefined) done(null, chunk);
				else done(new BadArchive(this.violation));
			},
		});
	}
}

/** Whether the path leaves its folder on any system. Pure. */
export function escapesFolder(name: string): boolean {
	return (
		/^[/\\]/.test(name) ||
		/^[a-z]:/i.test(name) ||
		name.includes('\0') ||
		name.split(/[/\\]/).includes('..') ||
		path.isAbsolute(name)
	);
}

/** Whether the file system failed, and not the archive. */
export function isOfFileSystem(thrown: unknown): boolean {
	return /^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS|EIO|EBUSY)$/.test(codeOf(thrown));
}

async function decompressed(archive: string, counter: Transform, sink: Unpack): Promise<void> {
	const magic = firstBytes(archive);
	const target = sink as unknown as NodeJS.WritableStream;
	if (magic.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) {
		await pipeline(createReadStream(archive), createGunzip(), counter, target);
	} else if (magic.subarray(0, 3).toString('latin1') === 'BZh') {
		await unbzip2(archive, counter, target);
	} else if (magic.subarray(257, 262).toString('latin1') === 'ustar') {
		await pipeline(createReadStream(archive), counter, target);
	} else {
		throw new BadArchive('it is neither .tar.bz2 nor .tar.gz');
	}
}

function firstBytes(file: string): Buffer {
	const buffer = Buffer.alloc(262);
	const descriptor = openSync(file, 'r');
	try {
		return buffer.subarray(0, readSync(descriptor, buffer));
	} finally {
		closeSync(descriptor);
	}
}

/** Uses the system's bzip2, which is five times as fast as the one in JavaScript. */
async function unbzip2(archive: string, counter: Transform, sink: NodeJS.WritableStream): Promise<void> {
	const child = spawn('bzip2', ['-dc', archive], { stdio: ['ignore', 'pipe', 'pipe'] });
	const started = await new Promise<boolean>((resolve) => {
		child.once('spawn', () => resolve(true));
		child.once('error', () => resolve(false));
	});
	if (!started) {
		const { default: unbzip2Stream } = await import('unbzip2-stream');
		await pipeline(createReadStream(archive), unbzip2Stream(), counter, sink);
		return;
	}
	let stderrTail = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderrTail = (stderrTail + text).slice(-500);
	});
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	try {
		await pipeline(child.stdout, counter, sink);
	} finally {
		child.kill();
	}
	if ((await ended) !== 0)
		throw new BadArchive(`it is damaged (${stderrTail.trim().split('\n', 1)[0] ?? ''})`);
}
