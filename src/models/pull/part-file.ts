/** A partial download in one or several segments, with a `.json` file beside it that lets it resume after a crash. */

import { createHash, type Hash } from 'node:crypto';
import { lstat, readFile, rm, writeFile } from 'node:fs/promises';
import { type Disk, type DiskFile, renameOver } from '../../core/disk/disk.js';

export interface DownloadRange {
	readonly start: number;
	/** First missing byte. */
	at: number;
	/** One past the last byte; null = until the server ends the body. */
	end: number | null;
}

interface Note {
	readonly url: string;
	/** ETag or Last-Modified shared by all segments; '' = the server gave none. */
	readonly validator: string;
	readonly total: number;
	/** In order, and without gaps from 0 to `total`. */
	readonly segments: readonly { start: number; at: number; end: number }[];
}

const readAtOnce = 1 << 20;

/** Limits the note that is read; a note with the maximum number of segments takes less than a kilobyte. */
const maxNoteBytes = 1 << 20;

export class PartFile {
	readonly path: string;
	readonly #url: string;
	readonly #file: DiskFile;
	/** The digest of the whole is known, which proves that all parts are of the same version. */
	readonly #isProven: boolean;
	#validator = '';
	#total: number | null = null;
	#segments: DownloadRange[] = [];
	/** Segments without a connection. */
	#waiting: DownloadRange[] = [];
	#hash: Hash = createHash('sha256');
	#hashed = 0;
	#hashing: Promise<void> = Promise.resolve();
	#saving: Promise<void> = Promise.resolve();
	#unsaved = 0;
	#closed = false;

	private constructor(path: string, url: string, file: DiskFile, isProven: boolean) {
		this.path = path;
		this.#url = url;
		this.#file = file;
		this.#isProven = isProven;
	}

	/** Resumes an earlier attempt for the same URL, if there is one. `isProven`: the caller will compare the digest, so a
	 * download can be resumed even if the server sends no ETag. */
	static async open(disk: Disk, path: string, url: string, isProven: boolean): Promise<PartFile> {
		for (const each of [path, `${path}.json`, `${path}.json.new`]) await removeUnlessFile(each);
		const part = new PartFile(path, url, await disk.open(path), isProven);
		const note = await readNote(`${path}.json`);
		const size = await part.#file.size();
		// A segment that has not begun is not in the file yet, wherever it is.
		if (note?.url === url && note.segments.every(({ start, at }) => at === start || at <= size)) {
			part.#validator = note.validator;
			part.#total = note.total;
			part.#segments = note.segments.map((segment) => ({ ...segment }));
			part.#waiting = part.#segments.filter(isOpen);
		} else {
			await part.restart();
		}
		return part;
	}

	get validator(): string {
		return this.#validator;
	}

	/** null until a reply gives it. */
	get total(): number | null {
		return this.#total;
	}

	get received(): number {
		return this.#segments.reduce((sum, { start, at }) => sum + at - start, 0);
	}

	get waiting(): number {
		return this.#waiting.length;
	}

	/** Whether several connections are writing to it. */
	get isShared(): boolean {
		return this.#segments.filter(isOpen).length - this.#waiting.length > 1;
	}

	/** Bytes that a crash now would lose. */
	get unsaved(): number {
		return this.#unsaved;
	}

	/** Takes a segment for one connection; undefined if none is waiting. */
	next(): DownloadRange | undefined {
		return this.#waiting.shift();
	}

	/** Makes an unfinished segment available to another connection. */
	requeue(segment: DownloadRange): void {
		if (this.#segments.includes(segment) && isOpen(segment) && !this.#waiting.includes(segment))
			this.#waiting.unshift(segment);
	}

	/** Divides the file into segments; the first one is the caller's. */
	async plan(total: number, validator: string, pieces: number): Promise<DownloadRange> {
		await this.restart();
		this.#total = total;
		this.#validator = validator;
		const size = Math.ceil(total / pieces);
		this.#segments = Array.from({ length: pieces }, (_, index) => ({
			start: index * size,
			at: index * size,
			end: Math.min(total, (index + 1) * size),
		})).filter(({ start }, index) => index === 0 || start < total);
		const [first = { start: 0, at: 0, end: total }, ...rest] = this.#segments;
		this.#waiting = rest;
		return first;
	}

	/** One segment for the whole file, for servers without ranges. `total`: null = until the body ends. */
	async startWhole(total: number | null): Promise<DownloadRange> {
		await this.restart();
		const segment = { start: 0, at: 0, end: total };
		this.#total = total;
		this.#segments = [segment];
		return segment;
	}

	async write(segment: DownloadRange, bytes: Uint8Array): Promise<void> {
		const position = segment.at;
		await this.#file.write(bytes, position);
		// Bytes that follow the hashed part are hashed as they arrive, others later from the disk.
		if (position === this.#hashed) {
			this.#hash.update(bytes);
			this.#hashed += bytes.length;
		}
		segment.at += bytes.length;
		this.#unsaved += bytes.length;
	}

	async complete(segment: DownloadRange): Promise<void> {
		segment.end ??= segment.at;
		this.#total ??= segment.at;
		this.#hashing = this.#hashing.then(() => this.#catchUp());
		await this.#hashing;
		if (this.#segments.some(isOpen)) await this.save();
	}

	/** Records what has been written, so that it survives a crash. */
	save(): Promise<void> {
		this.#unsaved = 0;
		this.#saving = this.#saving.then(() => this.#save());
		return this.#saving;
	}

	/** Discards all data. */
	async restart(): Promise<void> {
		this.#validator = '';
		this.#total = null;
		this.#segments = [];
		this.#waiting = [];
		this.#hash = createHash('sha256');
		this.#hashed = 0;
		this.#unsaved = 0;
		await rm(`${this.path}.json`, { force: true });
		await this.#file.truncate(0);
	}

	/** Call when all segments are complete. Returns size and digest. */
	async finish(): Promise<{ bytes: number; sha256: string }> {
		await this.#hashing;
		await this.#catchUp();
		await this.#file.flush();
		return { bytes: this.#hashed, sha256: this.#hash.digest('hex') };
	}

	/** Keeps the data for a later attempt. Safe to call twice. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		try {
			if (this.#unsaved > 0) await this.save();
		} catch {
			// On a full disk the note may not be written; the unsaved bytes are then downloaded again.
		}
		await this.#file.close();
	}

	/** Removes the note, once the file has its final name. */
	forget(): Promise<void> {
		return rm(`${this.path}.json`, { force: true });
	}

	async remove(): Promise<void> {
		await rm(this.path, { force: true });
		await this.forget();
	}

	async #save(): Promise<void> {
		const segments = this.#segments.flatMap(({ start, at, end }) =>
			end === null ? [] : [{ start, at, end }],
		);
		// Without ranges a download cannot resume; with neither validator nor digest the segments could be of two versions.
		const isOneVersion = this.#validator !== '' || this.#isProven;
		if (this.#total === null || !isOneVersion || segments.length === 0) return;
		const note: Note = { url: this.#url, validator: this.#validator, total: this.#total, segments };
		// The bytes must be on disk before the note that lists them.
		await this.#file.flush();
		const fresh = `${this.path}.json.new`;
		await writeFile(fresh, JSON.stringify(note));
		await renameOver(fresh, `${this.path}.json`);
	}

	/** Hashes from the disk up to the first missing byte. */
	async #catchUp(): Promise<void> {
		const buffer = new Uint8Array(readAtOnce);
		for (;;) {
			const segment = this.#segments.find(
				({ start, end }) => start <= this.#hashed && this.#hashed < (end ?? 0),
			);
			const until = segment === undefined || isOpen(segment) ? this.#hashed : (segment.end ?? this.#hashed);
			const length = Math.min(buffer.length, until - this.#hashed);
			if (length <= 0) return;
			const got = await this.#file.read(buffer.subarray(0, length), this.#hashed);
			if (got < length) throw new Error(`${this.path} is shorter than what was written to it`);
			this.#hash.update(buffer.subarray(0, got));
			this.#hashed += got;
		}
	}
}

function isOpen({ at, end }: DownloadRange): boolean {
	return end === null || at < end;
}

/** A link would be followed out of the folder, and a pipe read for ever. */
async function removeUnlessFile(path: string): Promise<void> {
	const info = await lstat(path).catch(() => undefined);
	if (info?.isFile() === false) await rm(path, { recursive: true });
}

/** undefined if it is absent, truncated by a crash, or nothing that was written here: the download then starts over. */
async function readNote(path: string): Promise<Note | undefined> {
	try {
		if ((await lstat(path)).size > maxNoteBytes) return undefined;
		const note: unknown = JSON.parse(await readFile(path, 'utf8'));
		return isNote(note) ? note : undefined;
	} catch {
		return undefined;
	}
}

function isNote(value: unknown): value is Note {
	if (typeof value !== 'object' || value === null) return false;
	const { url, validator, total, segments } = value as Record<keyof Note, unknown>;
	if (typeof url !== 'string' || typeof validator !== 'string' || !Array.isArray(segments)) return false;
	let covered = 0;
	for (const segment of segments as unknown[]) {
		if (typeof segment !== 'object' || segment === null) return false;
		const { start, at, end } = segment as Record<keyof DownloadRange, unknown>;
		const isSound = [start, at, end].every(Number.isSafeInteger);
		if (!isSound || start !== covered || Number(at) < covered || Number(at) > Number(end)) return false;
		covered = Number(end);
	}
	return segments.length > 0 && covered === total;
}
