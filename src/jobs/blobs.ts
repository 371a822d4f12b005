/** Where recordings and results of jobs are kept: a folder, or an object store. */

/** A stored object. */
export interface BlobRef {
	/** `<job id>/<name>`, with a name of `blobNames` or of a part's result. */
	readonly key: string;
	/** Bytes. */
	readonly size: number;
	/** Of all bytes, in hex. */
	readonly sha256: string;
}

export interface StoredBlob {
	readonly key: string;
	/** Bytes. */
	readonly size: number;
	/** Unix seconds. */
	readonly modifiedAt: number;
}

/** Bytes from `start`, up to but without `end`; without `end`, to the last. */
export interface BlobRange {
	readonly start: number;
	readonly end?: number;
}

/** Keys are checked by who makes them: `isJobId`, then a name without slashes. */
export interface BlobStore {
	/** Stores all bytes or nothing, on disk when it resolves; replaces what is there. Throws `disk_full`, and what the
	 * source throws. */
	put(key: string, source: AsyncIterable<Uint8Array>): Promise<BlobRef>;
	/** As `put`, of a file of this machine, which may be moved: it belongs to the caller no longer, even if this fails. */
	putFile(key: string, file: string): Promise<BlobRef>;
	/** Throws `not_found`. Ending the iteration early closes it. */
	get(key: string, range?: BlobRange): AsyncIterable<Uint8Array>;
	/** A file of this machine with these bytes, to be read only, while the blob is there; undefined where blobs lie elsewhere. */
	fileOf(key: string): string | undefined;
	/** No error where it is missing. */
	delete(key: string): Promise<void>;
	/** All whose keys begin with `prefix`, in any order. */
	list(prefix: string): AsyncIterable<StoredBlob>;
}

/** The bytes of a small blob. Throws `not_found`. */
export async function readBlob(blobs: Pick<BlobStore, 'get'>, key: string): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	for await (const piece of blobs.get(key)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** For blobs made of one value. */
export async function* jsonBytes(value: unknown): AsyncGenerator<Uint8Array> {
	yield Buffer.from(JSON.stringify(value));
}
