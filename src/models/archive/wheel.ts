/** Extracts given files from a Python wheel, which is a zip archive, and never writes elsewhere. */

import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import { makeFolder } from '../../core/disk/disk.js';
import { archiveFailure } from './archive.js';
import { BadArchive, defaultLimits, isOfFileSystem, type UnpackLimits } from './unpack.js';

/**
 * Extracts those of `names` that are in `folder` of the archive into the empty folder `into`, and checks their CRC-32
 * and size. Throws `download_corrupt`, `disk_full`, the signal's reason.
 */
export async function extractFrom(
	archive: string,
	folder: string,
	names: readonly string[],
	into: string,
	signal: AbortSignal,
	limits: UnpackLimits = defaultLimits(archive),
): Promise<void> {
	await makeFolder(into);
	try {
		// Imported here, since most servers never read a wheel.
		const { openPromise } = await import('yauzl');
		const zip = await openPromise(archive, { autoClose: false, strictFileNames: true });
		try {
			const targets = new Map(names.map((name) => [`${folder}/${name}`, path.join(into, name)]));
			await extractAll(zip, targets, signal, limits);
		} finally {
			zip.close();
		}
	} catch (thrown) {
		signal.throwIfAborted();
		// yauzl's own errors have no code.
		if (thrown instanceof BadArchive || isOfFileSystem(thrown)) throw archiveFailure(thrown, into);
		const why = thrown instanceof Error ? thrown.message : String(thrown);
		throw archiveFailure(new BadArchive(`it is damaged (${why})`), into);
	}
}

/** `targets`: name in the archive → path to write. */
async function extractAll(
	zip: ZipFile,
	targets: ReadonlyMap<string, string>,
	signal: AbortSignal,
	{ maxBytes, maxEntries }: UnpackLimits,
): Promise<void> {
	if (zip.entryCount > maxEntries) throw new BadArchive(`it has more than ${maxEntries} entries`);
	const done = new Set<string>();
	let bytes = 0;
	for await (const entry of zip.eachEntry()) {
		const to = targets.get(entry.fileName);
		if (to === undefined) continue;
		if (done.has(to)) throw new BadArchive(`it has ${entry.fileName} twice`);
		done.add(to);
		bytes += entry.uncompressedSize;
		if (bytes > maxBytes)
			throw new BadArchive(`it unpacks to more than ${Math.round(maxBytes / 2 ** 20)} MiB`);
		if (entry.isEncrypted()) throw new BadArchive(`${entry.fileName} is encrypted`);
		await extract(zip, entry, to, signal);
	}
}

/** yauzl fails the stream itself if there are more or fewer bytes than the entry declares. */
async function extract(zip: ZipFile, entry: Entry, to: string, signal: AbortSignal): Promise<void> {
	let sum = 0;
	const check = new Transform({
		transform(chunk: Buffer, _encoding, next) {
			sum = crc32(chunk, sum);
			next(null, chunk);
		},
	});
	await pipeline(await zip.openReadStreamPromise(entry), check, createWriteStream(to), { signal });
	if (sum !== entry.crc32) throw new BadArchive(`${entry.fileName} does not match its CRC-32`);
}
