/** A lease of a unit in this process. No other process can lease the unit, so the lease is lost only with the job or
 * the queue. */

import type { EarshotError, WireError } from '../../core/errors.js';
import type { ClipEvent } from '../../core/speech/events.js';
import type { BlobRef } from '../blobs.js';
import { type JobEvent, secondsUntilRetry, type Unit, type UnitLease } from '../queue.js';
import type { UnitEntry } from './unit-entry.js';

export interface LeaseHooks {
	readonly now: () => number;
	readonly notify: (event: JobEvent) => void;
	/** The unit waits again, and may be leased after `delayMs`. */
	readonly onWaiting: (delayMs: number) => void;
	readonly fail: (error: WireError) => Promise<void>;
}

export class FolderLease implements UnitLease {
	readonly number: number;
	readonly attempt: number;
	clips: readonly ClipEvent[] = [];
	readonly #entry: UnitEntry;
	readonly #hooks: LeaseHooks;
	readonly #lost = new AbortController();
	#isEnded = false;

	constructor(entry: UnitEntry, hooks: LeaseHooks) {
		this.#entry = entry;
		this.#hooks = hooks;
		this.number = ++entry.lastLease;
		this.attempt = ++entry.deaths;
	}

	get unit(): Unit {
		return this.#entry.unit;
	}

	get signal(): AbortSignal {
		return this.#lost.signal;
	}

	/** Loads the checkpoints. Call it once, before the lease is handed out. */
	async begin(): Promise<void> {
		this.clips = (await this.#entry.journal.read()).clips;
	}

	revoke(reason: EarshotError): void {
		if (this.#isEnded) return;
		this.#end();
		this.#lost.abort(reason);
	}

	async renew(): Promise<boolean> {
		return !this.#isEnded;
	}

	async checkpoint(clip: ClipEvent): Promise<boolean> {
		if (this.#isEnded) return false;
		const entry = this.#entry;
		entry.deaths = 1;
		entry.progressed();
		entry.processed = Math.max(entry.processed, clip.processed);
		const kept = entry.journal.append({ clip }, false);
		this.#hooks.notify({ type: 'clip', clip });
		await kept;
		return true;
	}

	async progress(processed: number, duration: number | null): Promise<boolean> {
		if (this.#isEnded) return false;
		const entry = this.#entry;
		entry.processed = Math.max(entry.processed, processed);
		entry.duration = duration ?? entry.duration;
		this.#hooks.notify({ type: 'progress', processed: entry.processed, duration: entry.duration });
		return true;
	}

	async done(result: BlobRef): Promise<boolean> {
		if (this.#isEnded) return false;
		await this.#entry.journal.append({ done: result }, true);
		// The job may have been cancelled in the meantime.
		if (this.#isEnded) return false;
		this.#end();
		this.#entry.done = result;
		await this.#entry.journal.close();
		this.#hooks.notify({ type: 'changed' });
		return true;
	}

	async fail(error: WireError, retryable: boolean): Promise<boolean> {
		if (this.#isEnded) return false;
		const entry = this.#entry;
		const now = this.#hooks.now();
		if (entry.failures++ === 0) entry.firstFailedMs = now;
		const sinceSeconds = (now - entry.firstFailedMs) / 1000;
		const delay = retryable ? secondsUntilRetry(entry.failures, sinceSeconds, error.retryAfterSeconds) : null;
		if (delay === null) {
			this.#end();
			await this.#hooks.fail(error);
			return true;
		}
		entry.notBeforeMs = now + delay * 1000;
		await this.#requeue(delay * 1000);
		return true;
	}

	async release(): Promise<boolean> {
		if (this.#isEnded) return false;
		await this.#requeue(0);
		return true;
	}

	async #requeue(delayMs: number): Promise<void> {
		const entry = this.#entry;
		this.#end();
		entry.deaths = 0;
		// If this line cannot be written, the release counts as a crash after a restart.
		await entry.journal.append({ released: this.number }, true).catch(() => {});
		await entry.journal.close();
		this.#hooks.onWaiting(delayMs);
		this.#hooks.notify({ type: 'changed' });
	}

	#end(): void {
		this.#isEnded = true;
		this.#entry.lease = undefined;
	}
}
