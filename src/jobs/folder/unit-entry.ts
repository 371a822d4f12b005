/** A unit in the folder queue, with its state in memory. */

import { EarshotError, toWire, type WireError } from '../../core/errors.js';
import type { BlobRef } from '../blobs.js';
import { maxAttempts, type Unit, type UnitState } from '../queue.js';
import type { UnitHistory, UnitJournal } from './unit-journal.js';

export class UnitEntry {
	readonly unit: Unit;
	readonly journal: UnitJournal;
	lease: { revoke(reason: EarshotError): void } | undefined;
	lastLease: number;
	/** Leases since the last finished clip that ended without a release or failure, such as those of a killed server. */
	deaths: number;
	/** Retryable failures in a row since the last clip. */
	failures = 0;
	firstFailedMs = 0;
	notBeforeMs = Number.NEGATIVE_INFINITY;
	processed: number;
	duration: number | null = null;
	done: BlobRef | undefined;
	failed: WireError | undefined;
	/** Whether the failure has been written to the journal. */
	isFailureKept: boolean;

	constructor(unit: Unit, journal: UnitJournal, { lease, deaths, clips, done, failed }: UnitHistory) {
		this.unit = unit;
		this.journal = journal;
		this.lastLease = lease;
		this.deaths = deaths;
		this.processed = clips.at(-1)?.processed ?? 0;
		this.done = done;
		this.isFailureKept = failed !== undefined;
		const isPoison = done === undefined && deaths >= maxAttempts;
		this.failed = failed ?? (isPoison ? this.#deathError : undefined);
	}

	get state(): UnitState['state'] {
		return this.unitState.state;
	}

	get unitState(): UnitState {
		const { part } = this.unit;
		if (this.done) return { part, state: 'done', result: this.done };
		if (this.failed) return { part, state: 'failed', error: this.failed };
		return { part, state: this.lease ? 'leased' : 'waiting' };
	}

	/** The error of a unit that has reached `maxAttempts`. */
	get #deathError(): WireError {
		return toWire(
			new EarshotError(
				'engine_failed',
				`the process that transcribed this recording died ${this.deaths} times in a row after second ${Math.floor(this.processed)} of it`,
			),
		);
	}

	/** Clears the failure and all counters. */
	retry(): void {
		this.failed = undefined;
		this.deaths = 0;
		this.progressed();
	}

	progressed(): void {
		this.failures = 0;
		this.notBeforeMs = Number.NEGATIVE_INFINITY;
	}
}
