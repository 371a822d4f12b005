/** What has happened to a unit, a line each: `<folder>/<job id>/part-<n>.jsonl`. A torn last line counts for nothing. */

import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { codeOf } from '../../disk/disk.js';
import type { WireError } from '../../errors.js';
import type { ClipEvent } from '../../speech/events.js';
import type { BlobRef } from '../blobs.js';
import type { Unit } from '../queue.js';

export type JournalLine =
	/** The first one. */
	| { readonly unit: Unit }
	| { readonly lease: number }
	| { readonly clip: ClipEvent }
	/** A lease ended, and nothing is held against the unit. */
	| { readonly released: number }
	| { readonly done: BlobRef }
	| { readonly failed: WireError }
	/** A failed unit waits again. */
	| { readonly again: true };

export interface UnitHistory {
	/** undefined where there is no journal. */
	readonly unit: Unit | undefined;
	/** Of the last lease; 0 = there was none. */
	readonly lease: number;
	/** Leases since the last clip that just stopped. */
	readonly deaths: number;
	/** In order from the first, without gaps. */
	readonly clips: readonly ClipEvent[];
	readonly done: BlobRef | undefined;
	readonly failed: WireError | undefined;
}

/** Pure. */
export function historyOf(lines: readonly JournalLine[]): UnitHistory {
	let unit: Unit | undefined;
	let lease = 0;
	let deaths = 0;
	let done: BlobRef | undefined;
	let failed: WireError | undefined;
	const clips: ClipEvent[] = [];
	for (const line of lines) {
		if ('unit' in line) ({ unit } = line);
		else if ('lease' in line) {
			lease = line.lease;
			deaths++;
		} else if ('clip' in line) {
			if (line.clip.clip !== clips.length) continue;
			clips.push(line.clip);
			deaths = Math.min(deaths, 1);
		} else if ('released' in line) deaths = 0;
		else if ('done' in line) done ??= line.done;
		else if ('failed' in line) failed = line.failed;
		else {
			failed = undefined;
			deaths = 0;
		}
	}
	return { unit, lease, deaths, clips, done, failed };
}

/** The whole lines, and the bytes that they take. Pure. */
export function wholeLines(bytes: Buffer): { readonly lines: JournalLine[]; readonly size: number } {
	const lines: JournalLine[] = [];
	let size = 0;
	for (;;) {
		const end = bytes.indexOf(0x0a, size);
		if (end < 0) return { lines, size };
		try {
			lines.push(JSON.parse(bytes.toString('utf8', size, end)) as JournalLine);
		} catch {
			// A power cut may leave zeros in place of what was not on disk yet.
			return { lines, size };
		}
		size = end + 1;
	}
}

/** Time between two waits for the disk, milliseconds: what comes in between may be lost in a power cut. */
const syncEveryMs = 1000;

export class UnitJournal {
	readonly #file: string;
	readonly #now: () => number;
	#handle: FileHandle | undefined;
	/** Of the lines that are in the file. */
	#size: number;
	/** Lines that the disk had no room for. */
	#missing: JournalLine[] = [];
	#syncedMs = Number.NEGATIVE_INFINITY;
	#turn: Promise<void> = Promise.resolve();

	private constructor(file: string, now: () => number, size: number) {
		this.#file = file;
		this.#now = now;
		this.#size = size;
	}

	/** Cuts off a torn last line. */
	static async open(
		file: string,
		now: () => number,
	): Promise<{ readonly journal: UnitJournal; readonly history: UnitHistory }> {
		const bytes = await bytesOf(file);
		const { lines, size } = wholeLines(bytes);
		if (size < bytes.length) await truncate(file, size);
		return { journal: new UnitJournal(file, now, size), history: historyOf(lines) };
	}

	/** In order. `isLasting`: resolves when it is on disk; else at most a second later than that, and a disk without room
	 * is no failure: the line comes with the next one. */
	append(line: JournalLine, isLasting: boolean): Promise<void> {
		const turn = this.#turn.then(() => this.#append(line, isLasting));
		this.#turn = turn.catch(() => {});
		return turn;
	}

	/** All lines that were appended before are read too. */
	async read(): Promise<UnitHistory> {
		await this.#turn;
		const { lines } = wholeLines(await bytesOf(this.#file));
		return historyOf([...lines, ...this.#missing]);
	}

	async close(): Promise<void> {
		await this.#turn;
		const handle = this.#handle;
		this.#handle = undefined;
		await handle?.close();
	}

	async #append(line: JournalLine, isLasting: boolean): Promise<void> {
		const lines = [...this.#missing, line];
		this.#missing = [];
		try {
			await this.#write(Buffer.from(lines.map((each) => `${JSON.stringify(each)}\n`).join('')), isLasting);
		} catch (thrown) {
			// The next line must not be glued to half of this one.
			await this.#handle?.truncate(this.#size).catch(() => {});
			// Who is told of a failure does without the line.
			this.#missing = isLasting ? lines.slice(0, -1) : lines;
			if (isLasting) throw thrown;
		}
	}

	async #write(bytes: Buffer, isLasting: boolean): Promise<void> {
		this.#handle ??= await open(this.#file, 'a+', 0o600);
		await this.#handle.appendFile(bytes);
		this.#size += bytes.length;
		const now = this.#now();
		if (!isLasting && now - this.#syncedMs < syncEveryMs) return;
		this.#syncedMs = now;
		await this.#handle.datasync();
	}
}

async function bytesOf(file: string): Promise<Buffer> {
	return await readFile(file).catch((thrown: unknown) => {
		if (codeOf(thrown) === 'ENOENT') return Buffer.alloc(0);
		throw thrown;
	});
}
