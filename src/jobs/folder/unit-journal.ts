/** Journal of a unit, one JSON line per event: `<folder>/<job id>/part-<n>.jsonl`. A truncated last line is ignored. */

import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import type { WireError } from '../../core/errors.js';
import { codeOf } from '../../core/errors.js';
import type { ClipEvent } from '../../core/speech/events.js';
import type { BlobRef } from '../blobs.js';
import type { Unit } from '../queue.js';

export type JournalLine =
	/** Always the first line. */
	| { readonly unit: Unit }
	| { readonly lease: number }
	| { readonly clip: ClipEvent }
	/** A lease ended without a crash. */
	| { readonly released: number }
	| { readonly done: BlobRef }
	| { readonly failed: WireError }
	/** A failed unit was queued again. */
	| { readonly again: true };

export interface UnitHistory {
	/** undefined if there is no journal. */
	readonly unit: Unit | undefined;
	/** Fencing token of the last lease; 0 = there was none. */
	readonly lease: number;
	/** Leases since the last finished clip that ended without a release or failure. */
	readonly deaths: number;
	/** In order from the first, without gaps. */
	readonly clips: readonly ClipEvent[];
	readonly done: BlobRef | undefined;
	readonly failed: WireError | undefined;
}

/** Replays the journal. Pure. */
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

/** The complete lines, and their size in bytes. Pure. */
export function wholeLines(bytes: Buffer): { readonly lines: JournalLine[]; readonly size: number } {
	const lines: JournalLine[] = [];
	let size = 0;
	for (;;) {
		const end = bytes.indexOf(0x0a, size);
		if (end < 0) return { lines, size };
		try {
			lines.push(JSON.parse(bytes.toString('utf8', size, end)) as JournalLine);
		} catch {
			// A power failure may leave zeros in place of unsynced data.
			return { lines, size };
		}
		size = end + 1;
	}
}

/** Shortest time between two syncs to disk, ms: lines written in between may be lost in a power failure. */
const syncEveryMs = 1000;

export class UnitJournal {
	readonly #file: string;
	readonly #now: () => number;
	#handle: FileHandle | undefined;
	/** Bytes of the complete lines in the file. */
	#size: number;
	/** Lines that could not be written, such as on a full disk; the next append retries them. */
	#missing: JournalLine[] = [];
	#syncedMs = Number.NEGATIVE_INFINITY;
	#turn: Promise<void> = Promise.resolve();

	private constructor(file: string, now: () => number, size: number) {
		this.#file = file;
		this.#now = now;
		this.#size = size;
	}

	/** Reads the journal and cuts off a truncated last line. */
	static async open(
		file: string,
		now: () => number,
	): Promise<{ readonly journal: UnitJournal; readonly history: UnitHistory }> {
		const bytes = await bytesOf(file);
		const { lines, size } = wholeLines(bytes);
		if (size < bytes.length) await truncate(file, size);
		return { journal: new UnitJournal(file, now, size), history: historyOf(lines) };
	}

	/** Appends lines in the order of the calls. With `isLasting`, resolves when the line is on disk, and throws when it
	 * cannot be written. Otherwise the line may reach the disk later, and one that cannot be written is retried with the
	 * next append. */
	append(line: JournalLine, isLasting: boolean): Promise<void> {
		const turn = this.#turn.then(() => this.#append(line, isLasting));
		this.#turn = turn.catch(() => {});
		return turn;
	}

	/** Includes all lines appended before. */
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
			// The next line must not follow a partial one.
			await this.#handle?.truncate(this.#size).catch(() => {});
			// A caller that receives the error handles the missing line itself.
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
