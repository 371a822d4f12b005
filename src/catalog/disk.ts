/** The little of the file system that downloads write through, so that a test can make it full. */

import { type FileHandle, open, statfs } from 'node:fs/promises';
import { EarshotError } from '../errors.js';

export interface DiskFile {
	write(bytes: Uint8Array, position: number): Promise<void>;
	/** Fewer bytes than asked for only at the end of the file. */
	read(buffer: Uint8Array, position: number): Promise<number>;
	size(): Promise<number>;
	truncate(size: number): Promise<void>;
	/** The bytes have reached the disk. */
	flush(): Promise<void>;
	close(): Promise<void>;
}

export interface Disk {
	/** Opens for reading and writing, creating it where it is missing. */
	open(path: string): Promise<DiskFile>;
	/** Bytes that this user may still write below `folder`; null where the system does not tell. */
	freeBytes(folder: string): Promise<number | null>;
}

export const realDisk: Disk = {
	async open(path) {
		const handle = await open(path, 'r+').catch(async (thrown: unknown) => {
			if (codeOf(thrown) === 'ENOENT') return await open(path, 'w+');
			throw thrown;
		});
		return new RealFile(handle);
	},
	async freeBytes(folder) {
		try {
			const { bavail, bsize } = await statfs(folder);
			return bavail * bsize;
		} catch {
			// Not every file system tells; the write itself will.
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

export function codeOf(thrown: unknown): string {
	return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}

/** What a failed write means to the user; undefined where it was no failed write. */
export function diskFailure(
	thrown: unknown,
	folder: string,
	setting: 'model_dir' | 'config' = 'model_dir',
): EarshotError | undefined {
	const code = codeOf(thrown);
	if (code === 'ENOSPC' || code === 'EDQUOT')
		return new EarshotError(
			'disk_full',
			`the disk of ${folder} is full; free some space and pull again, it goes on where it stopped`,
			{ cause: thrown },
		);
	if (['EACCES', 'EPERM', 'EROFS'].includes(code))
		return new EarshotError(
			'config_invalid',
			`Expected \`${setting}\` to be in a folder that this user may write to, got \`${folder}\``,
			{ cause: thrown, param: setting },
		);
	return undefined;
}
