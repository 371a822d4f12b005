/** The little of the file system that downloads write through, so that a test can make it full. */

import { type FileHandle, open, rename, statfs } from 'node:fs/promises';
import { setTimeout as after } from 'node:timers/promises';
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

/** What Windows says of a file that somebody else has open. */
const heldOpen = ['EPERM', 'EACCES', 'EBUSY'];
/** Looks at what is new, of virus scanners and indexers, take milliseconds. */
const pausesMs = [10, 20, 50, 100, 200, 400, 800];

interface RenameDeps {
	readonly platform?: string;
	readonly move?: (from: string, to: string) => Promise<void>;
	readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * Renames over whatever is there. Windows refuses that while somebody has either open, so there it is tried again for
 * a second and a half before it throws what the system says.
 */
export async function renameOver(
	from: string,
	to: string,
	{ platform = process.platform, move = rename, pause = after }: RenameDeps = {},
): Promise<void> {
	for (const ms of platform === 'win32' ? pausesMs : []) {
		try {
			await move(from, to);
			return;
		} catch (thrown) {
			if (!heldOpen.includes(codeOf(thrown))) throw thrown;
		}
		await pause(ms);
	}
	await move(from, to);
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
	if (code === 'EBUSY')
		return new EarshotError(
			'conflict',
			`another program has a file in ${folder} open; stop it, or unload the model it belongs to, and try again`,
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
