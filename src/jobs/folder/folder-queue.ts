/** A job queue within one process; each unit has a journal in its job's folder. */

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../core/clock.js';
import { makeFolder } from '../../core/disk/disk.js';
import { EarshotError, type WireError } from '../../core/errors.js';
import type { ClipEvent } from '../../core/speech/events.js';
import type {
	JobEvent,
	JobProgress,
	JobQueue,
	LeaseCaps,
	LeaseWait,
	QueueDepth,
	Unit,
	UnitLease,
	UnitState,
} from '../queue.js';
import { UnitTurns } from '../unit-turns.js';
import { FolderLease } from './folder-lease.js';
import { UnitEntry } from './unit-entry.js';
import { UnitJournal } from './unit-journal.js';
import { Watchers } from './watchers.js';

const journalName = /^part-(\d+)\.jsonl$/;

export class FolderQueue implements JobQueue {
	readonly #folder: string;
	readonly #clock: Clock;
	/** Parts of each job, in order. */
	readonly #jobs = new Map<string, UnitEntry[]>();
	/** In order of arrival. */
	readonly #waiting = new Set<UnitEntry>();
	readonly #turns = new UnitTurns();
	readonly #watchers = new Watchers();
	/** Callbacks that wake the `lease` calls waiting for a unit. */
	readonly #sleepers = new Set<() => void>();
	#changes = 0;
	/** Reads in progress of jobs' journals. */
	readonly #recovering = new Map<string, Promise<void>>();
	#isClosed = false;

	constructor(folder: string, clock: Clock) {
		this.#folder = folder;
		this.#clock = clock;
	}

	async enqueue(unit: Unit): Promise<void> {
		this.#refuseClosed();
		await this.#recover(unit.jobId);
		const existing = this.#find(unit.jobId, unit.part);
		if (existing === undefined) await this.#add(unit);
		else if (existing.state === 'failed') {
			await existing.journal.append({ again: true }, true);
			existing.retry();
			this.#wait(existing);
		} else return;
		this.#watchers.notify(unit.jobId, { type: 'changed' });
	}

	async lease(caps: LeaseCaps, { waitMs = 0, signal }: LeaseWait = {}): Promise<UnitLease | null> {
		this.#refuseClosed();
		const untilMs = this.#clock.now() + waitMs;
		while (!this.#isClosed && signal?.aborted !== true) {
			const seenChanges = this.#changes;
			const lease = await this.#lease(caps);
			const leftMs = untilMs - this.#clock.now();
			if (lease || leftMs <= 0) return lease;
			// A unit that arrived during the search found no sleeper to wake, so the loop searches again.
			if (seenChanges === this.#changes) await this.#sleep(leftMs, signal);
		}
		return null;
	}

	async cancel(jobId: string): Promise<void> {
		this.#refuseClosed();
		await this.#remove(jobId, new EarshotError('cancelled', `the job \`${jobId}\` was cancelled`));
		this.#watchers.notify(jobId, { type: 'changed' });
	}

	async units(jobId: string): Promise<readonly UnitState[]> {
		this.#refuseClosed();
		await this.#recover(jobId);
		return (this.#jobs.get(jobId) ?? []).map((entry) => entry.unitState);
	}

	async progress(jobId: string): Promise<JobProgress | null> {
		const parts = this.#jobs.get(jobId);
		const [first] = parts ?? [];
		if (parts === undefined || first === undefined) return null;
		const durations = parts.map(({ duration }) => duration);
		return {
			processed: parts.reduce((sum, { processed }) => sum + processed, 0),
			duration: durations.includes(null)
				? null
				: durations.reduce<number>((sum, each) => sum + (each ?? 0), 0),
			ahead: parts.some(({ state }) => state === 'waiting') ? this.#aheadOf(first) : null,
		};
	}

	async clips(jobId: string): Promise<readonly ClipEvent[]> {
		const entry = this.#find(jobId, 0);
		if (entry) return (await entry.journal.read()).clips;
		const { journal, history } = await UnitJournal.open(this.#fileOf(jobId, 0), () => this.#clock.now());
		await journal.close();
		return history.clips;
	}

	async depth(): Promise<readonly QueueDepth[]> {
		const depths = new Map<string, QueueDepth>();
		for (const { unit } of this.#waiting) {
			const key = `${unit.class} ${unit.model}`;
			const so = depths.get(key);
			depths.set(key, {
				model: unit.model,
				class: unit.class,
				units: (so?.units ?? 0) + 1,
				seconds: (so?.seconds ?? 0) + unit.seconds,
				oldestQueuedAt: Math.min(so?.oldestQueuedAt ?? Infinity, unit.queuedAt),
			});
		}
		return [...depths.values()];
	}

	watch(jobId: string, signal: AbortSignal): AsyncIterable<JobEvent> {
		return this.#watchers.watch(jobId, signal);
	}

	async announce(jobId: string): Promise<void> {
		this.#watchers.notify(jobId, { type: 'changed' });
	}

	async forget(jobId: string): Promise<void> {
		this.#refuseClosed();
		await this.#remove(jobId, new EarshotError('cancelled', `the job \`${jobId}\` was removed`));
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		const closed = new EarshotError('closed', 'the queue of jobs was closed');
		for (const parts of this.#jobs.values()) for (const entry of parts) entry.lease?.revoke(closed);
		this.#wake();
		this.#watchers.end();
		await Promise.all([...this.#jobs.values()].flat().map(({ journal }) => journal.close()));
	}

	#refuseClosed(): void {
		if (this.#isClosed) throw new EarshotError('closed', 'the queue of jobs was closed');
	}

	#find(jobId: string, part: number): UnitEntry | undefined {
		return this.#jobs.get(jobId)?.find(({ unit }) => unit.part === part);
	}

	#fileOf(jobId: string, part: number): string {
		return path.join(this.#folder, jobId, `part-${part}.jsonl`);
	}

	async #add(unit: Unit): Promise<void> {
		await makeFolder(path.join(this.#folder, unit.jobId), 0o700);
		const file = this.#fileOf(unit.jobId, unit.part);
		const { journal, history } = await UnitJournal.open(file, () => this.#clock.now());
		// Another call may have added the unit in the meantime.
		if (this.#find(unit.jobId, unit.part)) return await journal.close();
		this.#take(unit.jobId, [new UnitEntry(unit, journal, history)]);
		await journal.append({ unit }, true);
		// Thousands of units may wait, so their files do not stay open.
		await journal.close();
	}

	/** Restores the job's units from the journals of an earlier process. */
	#recover(jobId: string): Promise<void> {
		if (this.#jobs.has(jobId)) return Promise.resolve();
		const recovering = this.#recovering.get(jobId) ?? this.#read(jobId);
		this.#recovering.set(jobId, recovering);
		return recovering.finally(() => this.#recovering.delete(jobId));
	}

	async #read(jobId: string): Promise<void> {
		const found: UnitEntry[] = [];
		for (const part of await this.#partsOf(jobId)) {
			const { journal, history } = await UnitJournal.open(this.#fileOf(jobId, part), () => this.#clock.now());
			if (history.unit) found.push(new UnitEntry(history.unit, journal, history));
			else await journal.close();
		}
		if (found.length > 0) this.#take(jobId, found);
		for (const entry of found)
			if (entry.failed && !entry.isFailureKept) await this.#fail(entry, entry.failed);
	}

	#take(jobId: string, entries: readonly UnitEntry[]): void {
		const parts = [...(this.#jobs.get(jobId) ?? []), ...entries];
		this.#jobs.set(
			jobId,
			parts.sort((a, b) => a.unit.part - b.unit.part),
		);
		for (const entry of entries) if (entry.state === 'waiting') this.#wait(entry);
	}

	async #partsOf(jobId: string): Promise<number[]> {
		const names = await readdir(path.join(this.#folder, jobId)).catch(() => []);
		const parts = names.map((name) => journalName.exec(name)?.[1]).filter((part) => part !== undefined);
		return parts.map(Number).sort((a, b) => a - b);
	}

	#wait(entry: UnitEntry): void {
		this.#waiting.add(entry);
		this.#wake();
	}

	#aheadOf(entry: UnitEntry): { units: number; seconds: number } {
		let units = 0;
		let seconds = 0;
		for (const { unit } of this.#waiting) {
			if (unit.jobId === entry.unit.jobId) break;
			if (unit.model !== entry.unit.model) continue;
			units++;
			seconds += unit.seconds;
		}
		return { units, seconds };
	}

	async #lease(caps: LeaseCaps): Promise<FolderLease | null> {
		const now = this.#clock.now();
		const fitting = new Map<Unit, UnitEntry>();
		for (const entry of this.#waiting)
			if (fits(entry.unit, caps) && entry.notBeforeMs <= now) fitting.set(entry.unit, entry);
		const unit = this.#turns.next([...fitting.keys()]);
		const entry = unit && fitting.get(unit);
		if (unit === undefined || entry === undefined) return null;
		this.#waiting.delete(entry);
		this.#turns.took(
			unit,
			[...this.#waiting].map((each) => each.unit),
		);
		return await this.#begin(entry);
	}

	async #begin(entry: UnitEntry): Promise<FolderLease> {
		const lease = new FolderLease(entry, {
			now: () => this.#clock.now(),
			notify: (event) => this.#watchers.notify(entry.unit.jobId, event),
			onWaiting: (delayMs) => {
				this.#wait(entry);
				if (delayMs > 0) this.#clock.after(delayMs, () => this.#wake());
			},
			fail: (error) => this.#fail(entry, error),
		});
		entry.lease = lease;
		try {
			await entry.journal.append({ lease: lease.number }, true);
		} catch {
			// Without this line a crash during the lease is not counted; nothing else is lost.
		}
		await lease.begin();
		this.#watchers.notify(entry.unit.jobId, { type: 'changed' });
		return lease;
	}

	async #fail(entry: UnitEntry, error: WireError): Promise<void> {
		entry.failed = error;
		entry.isFailureKept = true;
		// If the disk is full, the failure is lost with this process, and the unit is tried again after a restart.
		await entry.journal.append({ failed: error }, true).catch(() => {});
		await entry.journal.close();
		this.#watchers.notify(entry.unit.jobId, { type: 'changed' });
	}

	async #remove(jobId: string, reason: EarshotError): Promise<void> {
		const parts = this.#jobs.get(jobId) ?? [];
		this.#jobs.delete(jobId);
		for (const entry of parts) {
			this.#waiting.delete(entry);
			entry.lease?.revoke(reason);
			await entry.journal.close();
		}
		for (const part of await this.#partsOf(jobId)) await rm(this.#fileOf(jobId, part), { force: true });
	}

	#wake(): void {
		this.#changes++;
		for (const wake of [...this.#sleepers]) wake();
	}

	#sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve) => {
			const wake = (): void => {
				this.#sleepers.delete(wake);
				signal?.removeEventListener('abort', wake);
				stop();
				resolve();
			};
			const stop = this.#clock.after(ms, wake);
			if (signal?.aborted) return wake();
			this.#sleepers.add(wake);
			signal?.addEventListener('abort', wake, { once: true });
		});
	}
}

function fits(unit: Unit, { models, schema, except = [] }: LeaseCaps): boolean {
	return (
		unit.schema <= schema &&
		(models === undefined || models.includes(unit.model)) &&
		!except.some(({ model, tenant }) => model === unit.model && tenant === unit.tenant)
	);
}
