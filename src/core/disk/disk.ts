/** The file system operations that downloads use, as an interface, so that tests can simulate a full disk. */

import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { codeOf, EarshotError } from '../errors.js';

export interface DiskFile {
	write(bytes: Uint8Array, position: number): Promise<void>;
	/** Returns the bytes read; fewer than the buffer holds only at the end of the file. */
	read(buffer: Uint8Array, position: number): Promise<number>;
	size(): Promise<number>;
	truncate(size: number): Promise<void>;
	/** Resolves when the bytes have reached the disk. */
	flush(): Promise<void>;
	close(): Promise<void>;
}

export interface Disk {
	/** Opens a file for reading and writing; creates it if it is missing. */
	open(file: string): Promise<DiskFile>;
	/** Bytes that this user may still write below `folder`; null where the system does not report it. */
	freeBytes(folder: string): Promise<number | null>;
}

export const realDisk: Disk = {
	async open(file) {
		const handle = await open(file, 'r+').catch(async (thrown: unknown) => {
			if (codeOf(thrown) === 'ENOENT') return await open(file, 'w+');
			throw thrown;
		});
		return new RealFile(handle);
	},
	async freeBytes(folder) {
		try {
			const { bavail, bsize } = await statfs(folder);
			return bavail * bsize;
		} catch {
			// Not every file system reports it; a full disk then shows at the write.
			return null;
		}
	},
};

class RealFile implements DiskFile {
	readonly #handle: FileHandle;

	constructor(handle: FileHandle) {
		this.#handle = handle;
	}

	async write(bytes: Uint8Array, position: number): Promise<void> {
		for (let done = 0; done < bytes.length; ) {
			const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
			done += bytesWritten;
		}
	}

	async read(buffer: Uint8Array, position: number): Promise<number> {
		let done = 0;
		while (done < buffer.length) {
			const { bytesRead } = await this.#handle.read(buffer, done, buffer.length - done, position + done);
			if (bytesRead === 0) break;
			done += bytesRead;
		}
		return done;
	}

	async size(): Promise<number> {
		return (await this.#handle.stat()).size;
	}

	truncate(size: number): Promise<void> {
		return this.#handle.truncate(size);
	}

	flush(): Promise<void> {
		return this.#handle.datasync();
	}

	close(): Promise<void> {
		return this.#handle.close();
	}
}

/**
 * Creates the folder and its missing parents. `recursive: true` is not used, since Node then retries for ever where the
 * system allows no folders, as in /proc. `mode`: of the folders created. Throws the system's error, ENOTSUP where the
 * system allows no folders.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
	if (await isFolder(folder)) return;
	const parent = path.dirname(folder);
	if (parent === folder) throw noFolder(folder);
	await makeFolder(parent, mode);
	try {
		await mkdir(folder, { mode });
	} catch (thrown) {
		// Another process may have created it meanwhile.
		if (codeOf(thrown) === 'EEXIST' && (await isFolder(folder))) return;
		throw codeOf(thrown) === 'ENOENT' ? noFolder(folder, thrown) : thrown;
	}
}

/** As `makeFolder`, for code that cannot wait. */
export function makeFolderSync(folder: string): void {
	if (isFolderSync(folder)) return;
	const parent = path.dirname(folder);
	if (parent === folder) throw noFolder(folder);
	makeFolderSync(parent);
	try {
		mkdirSync(folder);
	} catch (thrown) {
		if (codeOf(thrown) === 'EEXIST' && isFolderSync(folder)) return;
		throw codeOf(thrown) === 'ENOENT' ? noFolder(folder, thrown) : thrown;
	}
}

function isFolderSync(file: string): boolean {
	try {
		return statSync(file).isDirectory();
	} catch {
		return false;
	}
}

async function isFolder(file: string): Promise<boolean> {
	return (await stat(file).catch(() => undefined))?.isDirectory() === true;
}

function noFolder(folder: string, cause?: unknown): Error {
	return Object.assign(new Error(`no folder can be created at ${folder}`, { cause }), { code: 'ENOTSUP' });
}

/** Windows' error codes for a file that another program has open. */
const openElsewhere = ['EPERM', 'EACCES', 'EBUSY'];
/** Virus scanners and indexers open new files for some milliseconds. */
const retryDelaysMs = [10, 20, 50, 100, 200, 400, 800];

interface RenameDeps {
	readonly platform?: string;
	readonly move?: (from: string, to: string) => Promise<void>;
	readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * Renames, replacing what is at `to`. Windows refuses that while another program has either file open, so there it is
 * retried for a second and a half. Throws the system's error.
 */
export async function renameOver(
	from: string,
	to: string,
	{ platform = process.platform, move = rename, pause = after }: RenameDeps = {},
): Promise<void> {
	for (const ms of platform === 'win32' ? retryDelaysMs : []) {
		try {
			await move(from, to);
			return;
		} catch (thrown) {
			if (!openElsewhere.includes(codeOf(thrown))) throw thrown;
		}
		await pause(ms);
	}
	await move(from, to);
}

/** The text of a file; undefined if it has more than `maxBytes`. The rest is not read, since a device may have no end.
 * Throws the system's error. */
export function readTextUpTo(file: string, maxBytes: number): string | undefined {
	const pieces: Buffer[] = [];
	let bytes = 0;
	const handle = openSync(file, 'r');
	try {
		for (;;) {
			const piece = Buffer.allocUnsafe(1 << 16);
			const got = readSync(handle, piece);
			if (got === 0) return Buffer.concat(pieces).toString('utf8');
			pieces.push(piece.subarray(0, got));
			bytes += got;
			if (bytes > maxBytes) return undefined;
		}
	} finally {
		closeSync(handle);
	}
}

/** A failed write as an error for the user; undefined for other errors. */
export function diskFailure(
	thrown: unknown,
	folder: string,
	setting: 'model_dir' | 'config' = 'model_dir',
): EarshotError | undefined {
	const code = codeOf(thrown);
	if (code === 'ENOSPC' || code === 'EDQUOT')
		return new EarshotError(
			'disk_full',
			`the disk of ${folder} is full; free some space and pull again: the download resumes where it stopped`,
			{ cause: thrown },
		);
	if (code === 'EBUSY')
		return new EarshotError(
			'conflict',
			`another program has a file in ${folder} open; stop it, or unload the model that the file belongs to, and try again`,
			{ cause: thrown },
		);
	if (['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'ENOTDIR', 'EEXIST'].includes(code))
		return new EarshotError(
			'config_invalid',
			`Expected \`${setting}\` to be in a folder that this user may write to, got \`${folder}\``,
			{ cause: thrown, param: setting },
		);
	return undefined;
}
