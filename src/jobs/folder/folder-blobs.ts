/** A blob store in a folder: `<folder>/<job id>/<name>`. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, renameOver } from '../../core/disk/disk.js';
import { isInnerPath } from '../../core/disk/inner-path.js';
import { replaceFile, syncFolder, unfinishedName } from '../../core/disk/replace-file.js';
import { codeOf, EarshotError } from '../../core/errors.js';
import type { BlobRange, BlobRef, BlobStore, StoredBlob } from '../blobs.js';

/** Several machines may share the folder. It is created with the first blob. */
export class FolderBlobs implements BlobStore {
	readonly #folder: string;

	constructor(folder: string) {
		this.#folder = folder;
	}

	async put(key: string, source: AsyncIterable<Uint8Array>): Promise<BlobRef> {
		const file = await this.#placeFor(key);
		const hash = createHash('sha256');
		let size = 0;
		await replaceFile(file, async (handle) => {
			for await (const piece of source) {
				hash.update(piece);
				size += piece.length;
				await handle.appendFile(piece);
			}
		});
		return { key, size, sha256: hash.digest('hex') };
	}

	async putFile(key: string, file: string): Promise<BlobRef> {
		const to = await this.#placeFor(key);
		const hash = createHash('sha256');
		let size = 0;
		for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
			hash.update(piece);
			size += piece.length;
		}
		await moveFile(file, to);
		return { key, size, sha256: hash.digest('hex') };
	}

	async *get(key: string, range: BlobRange = { start: 0 }): AsyncGenerator<Uint8Array> {
		const { start, end } = range;
		if (end !== undefined && end <= start) return;
		const stream = createReadStream(this.#fileOf(key), {
			start,
			...(end !== undefined && { end: end - 1 }),
		});
		try {
			yield* stream as AsyncIterable<Buffer>;
		} catch (thrown) {
			throw codeOf(thrown) === 'ENOENT' ? missing(key, thrown) : thrown;
		} finally {
			stream.destroy();
		}
	}

	fileOf(key: string): string {
		return this.#fileOf(key);
	}

	async delete(key: string): Promise<void> {
		const file = this.#fileOf(key);
		await unlink(file).catch((thrown: unknown) => {
			if (codeOf(thrown) !== 'ENOENT') throw thrown;
		});
		const folder = path.dirname(file);
		// Fails while the folder contains other files.
		if (path.resolve(folder) !== path.resolve(this.#folder)) await rmdir(folder).catch(() => {});
	}

	async *list(prefix: string): AsyncGenerator<StoredBlob> {
		// A prefix with a job id restricts the listing to that job's folder.
		const [folder = '', ...rest] = prefix.split('/');
		const names = rest.length > 0 ? [folder] : await namesIn(this.#folder);
		for (const name of names) {
			if (!name.startsWith(folder)) continue;
			for (const inner of await namesIn(path.join(this.#folder, name))) {
				const key = `${name}/${inner}`;
				if (!key.startsWith(prefix) || unfinishedName.test(inner)) continue;
				const found = await stat(path.join(this.#folder, key)).catch(() => undefined);
				if (found?.isFile()) yield { key, size: found.size, modifiedAt: found.mtimeMs / 1000 };
			}
		}
	}

	#fileOf(key: string): string {
		if (!isInnerPath(key)) throw new EarshotError('not_found', `Nothing is stored as \`${key}\``);
		return path.join(this.#folder, key);
	}

	async #placeFor(key: string): Promise<string> {
		const file = this.#fileOf(key);
		await makeFolder(path.dirname(file), 0o700);
		return file;
	}
}

/** Renames where both are on the same disk, else copies. */
async function moveFile(from: string, to: string): Promise<void> {
	const handle = await open(from, 'r+');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
	try {
		await renameOver(from, to);
	} catch (thrown) {
		if (codeOf(thrown) !== 'EXDEV') throw thrown;
		await replaceFile(to, async (copy) => {
			for await (const piece of createReadStream(from) as AsyncIterable<Buffer>) await copy.appendFile(piece);
		});
		await unlink(from);
	}
	await syncFolder(path.dirname(to));
}

async function namesIn(folder: string): Promise<string[]> {
	return await readdir(folder).catch((thrown: unknown) => {
		if (['ENOENT', 'ENOTDIR'].includes(codeOf(thrown))) return [];
		throw thrown;
	});
}

function missing(key: string, cause: unknown): EarshotError {
	return new EarshotError('not_found', `Nothing is stored as \`${key}\``, { cause });
}
