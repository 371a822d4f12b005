/** Storage of the recordings and results of jobs: a folder, or an object store. */

/** A stored object. */
export interface BlobRef {
	/** `<job id>/<name>`; the name is one of `blobNames`, or that of a part's result. */
	readonly key: string;
	/** Bytes. */
	readonly size: number;
	/** Digest of all bytes, in hexadecimal. */
	readonly sha256: string;
}

export interface StoredBlob {
	readonly key: string;
	/** Bytes. */
	readonly size: number;
	/** Unix seconds. */
	readonly modifiedAt: number;
}

/** The bytes from `start` (included) to `end` (excluded); without `end`, to the last byte. */
export interface BlobRange {
	readonly start: number;
	readonly end?: number;
}

/** Callers validate their keys: a job id (`isJobId`), a slash, then a name without slashes. */
export interface BlobStore {
	/** Stores all bytes or none, and replaces an existing blob. The bytes are on disk when it resolves. Throws
	 * `disk_full`, and what the source throws. */
	put(key: string, source: AsyncIterable<Uint8Array>): Promise<BlobRef>;
	/** Like `put`, from a file on this machine. The store takes over the file and may move it, even if this fails. */
	putFile(key: string, file: string): Promise<BlobRef>;
	/** Throws `not_found`. Ending the iteration early closes the source. */
	get(key: string, range?: BlobRange): AsyncIterable<Uint8Array>;
	/** A read-only file on this machine with these bytes, valid while the blob exists; undefined for a store without
	 * local files. */
	fileOf(key: string): string | undefined;
	/** Does nothing if the blob does not exist. */
	delete(key: string): Promise<void>;
	/** The blobs whose keys begin with `prefix`, in any order. */
	list(prefix: string): AsyncIterable<StoredBlob>;
}

/** Reads a small blob into memory. Throws `not_found`. */
export async function readBlob(blobs: Pick<BlobStore, 'get'>, key: string): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	for await (const piece of blobs.get(key)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** The bytes of one value in JSON, as a source for `put`. */
export async function* jsonBytes(value: unknown): AsyncGenerator<Uint8Array> {
	yield Buffer.from(JSON.stringify(value));
}
