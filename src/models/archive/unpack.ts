/** A `.tar.bz2` or `.tar.gz` into an empty folder. Whatever the archive says, nothing is written elsewhere. */

import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ReadEntry, Unpack } from 'tar';

export interface UnpackLimits {
	/** Of everything that comes out. */
	readonly maxBytes: number;
	readonly maxEntries: number;
}

/** The archive is not fit to be used; the message says why. */
export class BadArchive extends Error {}

/** Weights shrink to two thirds at best; a hundred times is a bomb. */
export function usualLimits(archive: string): UnpackLimits {
	return { maxBytes: 50 * statSync(archive).size + 2 ** 26, maxEntries: 10_000 };
}

/** Blocks for as long as decoding takes where the system has no bzip2: not for the main thread. Throws `BadArchive`
 * and errors of the file system. */
export async function unpackHere(archive: string, into: string, limits: UnpackLimits): Promise<void> {
	await mkdir(into, { recursive: true });
	const judge = new Judge(limits);
	// Not before it is needed: a server that unpacks nothing starts without it.
	const tar = await import('tar');
	const sink = new tar.Unpack({
		cwd: into,
		strict: true,
		preserveOwner: false,
		noMtime: true,
		// Links and devices are left out: a model needs none, and a file that is missing is noticed.
		filter: (name, entry) => judge.admits(name, (entry as ReadEntry).type),
	});
	try {
		await decompressed(archive, judge.counter(), sink);
	} catch (thrown) {
		if (judge.complaint !== undefined) throw new BadArchive(judge.complaint);
		if (thrown instanceof BadArchive || (thrown instanceof Error && isOfFileSystem(thrown))) throw thrown;
		const why = thrown instanceof Error ? thrown.message : String(thrown);
		throw new BadArchive(`it is damaged (${why})`);
	}
	if (judge.complaint !== undefined) throw new BadArchive(judge.complaint);
	if (judge.entries === 0) throw new BadArchive('there is nothing in it');
}

class Judge {
	entries = 0;
	complaint: string | undefined;
	readonly #limits: UnpackLimits;
	#bytes = 0;

	constructor(limits: UnpackLimits) {
		this.#limits = limits;
	}

	admits(name: string, type: string): boolean {
		if (this.complaint !== undefined) return false;
		if (++this.entries > this.#limits.maxEntries) {
			this.complaint = `it has more than ${this.#limits.maxEntries} entries`;
		} else if (leavesItsFolder(name)) {
			this.complaint = `it would write outside its folder, to ${JSON.stringify(name)}`;
		}
		return this.complaint === undefined && ['File', 'OldFile', 'ContiguousFile', 'Directory'].includes(type);
	}

	/** Ends the stream as soon as there is something to complain of. */
	counter(): Transform {
		return new Transform({
			transform: (chunk: Uint8Array, _encoding, done) => {
				this.#bytes += chunk.length;
				if (this.#bytes > this.#limits.maxBytes)
					this.complaint ??= `it unpacks to more than ${Math.round(this.#limits.maxBytes / 2 ** 20)} MiB`;
				if (this.complaint === undefined) done(null, chunk);
				else done(new BadArchive(this.complaint));
			},
		});
	}
}

/** Also where only some systems would take it so. Pure. */
export function leavesItsFolder(name: string): boolean {
	return (
		/^[/\\]/.test(name) ||
		/^[a-z]:/i.test(name) ||
		name.includes('\0') ||
		name.split(/[/\\]/).includes('..') ||
		path.isAbsolute(name)
	);
}

function isOfFileSystem(error: Error): boolean {
	return 'code' in error && /^(ENOSPC|EDQUOT|EACCES|EPERM|EROFS)$/.test(String(error.code));
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

/** The system's bzip2 is five times as fast as the one in JavaScript. */
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
	let words = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		words = (words + text).slice(-500);
	});
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	try {
		await pipeline(child.stdout, counter, sink);
	} finally {
		child.kill();
	}
	if ((await ended) !== 0) throw new BadArchive(`it is damaged (${words.trim().split('\n', 1)[0] ?? ''})`);
}
