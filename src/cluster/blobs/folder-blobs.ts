/** Blobs in a folder that all machines share, such as a network file system. */

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rm, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { codeOf, makeFolder, renameOver } from '../../disk/disk.js';
import { EarshotError } from '../../errors.js';
import type { BlobRange, BlobRef, BlobStore, StoredBlob } from '../../jobs/blobs.js';

/** Names of files that are being written; a key's name has no dot at its beginning. */
const partPrefix = '.part-';

/** What a process that died has left of a blob is removed when it is this old. */
const staleMs = 24 * 3_600_000;

/** `<folder>/<job id>/<name>`. A blob appears under its name when it is whole and on disk. */
export class FolderBlobs implements BlobStore {
	readonly #folder: string;

	/** `folder`: absolute. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	async put(key: string, source: AsyncIterable<Uint8Array>): Promise<BlobRef> {
		const file = this.#path(key);
		const part = path.join(path.dirname(file), `${partPrefix}${randomUUID()}`);
		try {
			await makeFolder(path.dirname(file), 0o700);
			const written = await write(part, source);
			await renameOver(part, file);
			await flushFolder(path.dirname(file));
			return { key, ...written };
		} catch (thrown) {
			await rm(part, { force: true });
			throw fullOr(thrown);
		}
	}

	async putFile(key: string, file: string): Promise<BlobRef> {
		try {
			// Copied, since the shared folder is on another disk.
			return await this.put(key, createReadStream(file));
		} finally {
			await rm(file, { force: true });
		}
	}

	async *get(key: string, range?: BlobRange): AsyncGenerator<Uint8Array> {
		const file = this.#path(key);
		const { start = 0, end } = range ?? {};
		if (end !== undefined && end <= start) return;
		const stream = createReadStream(file, { start, ...(end !== undefined && { end: end - 1 }) });
		try {
			yield* stream as AsyncIterable<Uint8Array>;
		} catch (thrown) {
			throw codeOf(thrown) === 'ENOENT' ? noBlob(key) : thrown;
		}
	}

	fileOf(key: string): string {
		return this.#path(key);
	}

	async delete(key: string): Promise<void> {
		const file = this.#path(key);
		await unlink(file).catch((thrown: unknown) => {
			if (codeOf(thrown) !== 'ENOENT') throw thrown;
		});
		// Only an empty one can be removed.
		await rmdir(path.dirname(file)).catch(() => {});
	}

	async *list(prefix: string): AsyncGenerator<StoredBlob> {
		const folders = await readdir(this.#folder).catch((thrown: unknown) => {
			if (codeOf(thrown) === 'ENOENT') return [];
			throw thrown;
		});
		for (const folder of folders) {
			const isWanted = prefix.startsWith(`${folder}/`) || `${folder}/`.startsWith(prefix);
			if (isWanted) yield* this.#listFolder(folder, prefix);
		}
	}

	async *#listFolder(folder: string, prefix: string): AsyncGenerator<StoredBlob> {
		// A file beside the folders, or a folder that was removed meanwhile.
		const names = await readdir(path.join(this.#folder, folder)).catch(() => []);
		for (const name of names) {
			const file = path.join(this.#folder, folder, name);
			const found = await stat(file).catch(() => undefined);
			if (!found?.isFile()) continue;
			if (name.startsWith(partPrefix)) {
				if (Date.now() - found.mtimeMs > staleMs) await rm(file, { force: true });
				continue;
			}
			const key = `${folder}/${name}`;
			if (key.startsWith(prefix)) yield { key, size: found.size, modifiedAt: found.mtimeMs / 1000 };
		}
	}

	#path(key: string): string {
		return path.join(this.#folder, checkedKey(key));
	}
}

/** The key itself; a fault of ours if it could name anything but a blob. */
export function checkedKey(key: string): string {
	if (/^[\w-]+\/[\w][\w.-]*$/.test(key)) return key;
	throw new EarshotError('internal', `a blob cannot have the key \`${key}\``);
}

export const noBlob = (key: string): EarshotError =>
	new EarshotError('not_found', `There is no \`${key}\` in the blob store`);

/** Writes all bytes and flushes them to the disk. */
export async function write(
	file: string,
	source: AsyncIterable<Uint8Array>,
): Promise<Pick<BlobRef, 'size' | 'sha256'>> {
	const hash = createHash('sha256');
	let size = 0;
	const handle = await open(file, 'wx', 0o600);
	try {
		await pipeline(source, async (pieces) => {
			for await (const piece of pieces) {
				hash.update(piece);
				await handle.appendFile(piece);
				size += piece.length;
			}
		});
		await handle.sync();
	} finally {
		await handle.close();
	}
	return { size, sha256: hash.digest('hex') };
}

/** So that a rename survives a power cut; some file systems cannot, and need not. */
async function flushFolder(folder: string): Promise<void> {
	const handle = await open(folder, 'r').catch(() => undefined);
	await handle?.sync().catch(() => {});
	await handle?.close();
}

export function fullOr(thrown: unknown): unknown {
	if (!['ENOSPC', 'EDQUOT'].includes(codeOf(thrown))) return thrown;
	return new EarshotError('disk_full', 'The disk of the blob store is full: free some space', {
		cause: thrown,
	});
}
