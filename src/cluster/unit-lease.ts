/** The lease by which this process works on a unit of a cluster. */

import type { Clock } from '../core/clock.js';
import { EarshotError, type WireError } from '../core/errors.js';
import type { ClipEvent } from '../core/speech/events.js';
import type { BlobRef } from '../jobs/blobs.js';
import type { Unit, UnitDivision, UnitGroup, UnitLease } from '../jobs/queue.js';
import {
	asUnitRecord,
	checkpointed,
	completed,
	failed,
	holds,
	progressed,
	returned,
	type UnitRecord,
	withGroup,
} from './core/unit-record.js';
import { objectIn } from './records/objects.js';
import { type Commit, changeRecord, type Records } from './records/records.js';
import { lockMs, type UnitDelivery } from './transport/transport.js';
import {
	changeOf,
	clipsOf,
	finishedTopic,
	heldTopic,
	recordOfUnit,
	releasedTopic,
	topicOfJob,
} from './unit-keys.js';

export interface ClusterLeaseOptions {
	readonly records: Records;
	readonly delivery: UnitDelivery;
	readonly record: UnitRecord;
	readonly clips: readonly ClipEvent[];
	/** Groups that earlier leases have divided off. */
	readonly groups: readonly UnitGroup[];
	/** As in `Unit`, for this process. */
	readonly numerics: string | undefined;
	readonly clock: Clock;
	/** Called once, when the lease has ended or is lost. */
	readonly onEnd: (lease: ClusterLease) => void;
	/** Called with errors of a renewal or of the subscription; the next renewal tries again. */
	readonly onError: (error: unknown) => void;
}

/** Renewal interval: the lease survives the loss of one renewal. */
const renewEveryMs = lockMs / 3;

/** Time limit for returning an unfinished unit. */
const abandonMs = 2000;

/** Progress is published at most this often. */
const progressEveryMs = 1000;

export class ClusterLease implements UnitLease {
	readonly unit: Unit;
	readonly number: number;
	readonly attempt: number;
	readonly clips: readonly ClipEvent[];
	readonly division?: UnitDivision;
	readonly #options: ClusterLeaseOptions;
	readonly #lost = new AbortController();
	readonly #stop: (() => void)[] = [];
	/** Queue of changes to the record, applied one after the other: if clips arrived out of order, the record would
	 * refuse them. */
	#changing: Promise<unknown> = Promise.resolve();
	#isEnded = false;
	#progressMs = Number.NEGATIVE_INFINITY;

	constructor(options: ClusterLeaseOptions) {
		const { record, clips, groups, clock, onError } = options;
		this.#options = options;
		this.unit = record.unit;
		this.number = record.number;
		this.attempt = record.deaths + 1;
		this.clips = clips;
		if (record.unit.mayDivide) this.division = { groups, add: (group) => this.#divide(group) };
		this.#stop.push(clock.every(renewEveryMs, () => void this.renew().catch(onError)));
		void this.#listen().catch(onError);
	}

	get signal(): AbortSignal {
		return this.#lost.signal;
	}

	/** If the message is lost, the next renewal detects the cancellation. */
	async #listen(): Promise<void> {
		const { records, onError } = this.#options;
		const stop = await records.subscribe(topicOfJob(this.unit.jobId), (message) => {
			if (message === 'cancelled') void this.renew().catch(onError);
		});
		if (this.#isEnded) stop();
		else this.#stop.push(stop);
	}

	async renew(): Promise<boolean> {
		if (this.#isEnded) return false;
		const { records, delivery } = this.#options;
		// The record decides: even if the lock has expired, the unit still belongs to this lease unless another one has
		// taken it.
		const [, [found]] = await Promise.all([delivery.extend(), records.get([recordOfUnit(this.unit)])]);
		return this.#check(asUnitRecord(objectIn(found)));
	}

	async checkpoint(clip: ClipEvent): Promise<boolean> {
		return await this.#change(
			(record) =>
				// This is a retry: the first request succeeded, but its reply was lost.
				holds(record, this.number) && clip.clip < record.clips
					? record
					: checkpointed(record, this.number, clip),
			(record, after) => ({
				append: after === record ? [] : [{ list: clipsOf(this.unit), value: JSON.stringify(clip) }],
				publish: [{ topic: topicOfJob(this.unit.jobId), message: 'clip' }],
			}),
		);
	}

	async #divide(group: UnitGroup): Promise<boolean> {
		const { numerics } = this.#options;
		return await this.#change(
			(record) =>
				// This is a retry: the first request succeeded, but its reply was lost.
				holds(record, this.number) && group.group < (record.groups ?? 0)
					? record
					: (withGroup(record, this.number, group, numerics)?.whole ?? null),
			(before, after) => {
				const added = after === before ? null : withGroup(before, this.number, group, numerics);
				return {
					...(added && changeOf(added.group.unit, undefined, added.group)),
					publish: [
						{ topic: heldTopic, message: this.unit.model },
						{ topic: topicOfJob(this.unit.jobId), message: 'changed' },
					],
				};
			},
		);
	}

	async progress(processed: number, duration: number | null): Promise<boolean> {
		if (this.#isEnded) return false;
		const now = this.#options.clock.now();
		if (now - this.#progressMs < progressEveryMs) return true;
		this.#progressMs = now;
		return await this.#change(
			(record) => progressed(record, this.number, processed, duration),
			() => ({ publish: [{ topic: topicOfJob(this.unit.jobId), message: 'progress' }] }),
		);
	}

	async done(result: BlobRef): Promise<boolean> {
		const isDone = await this.#change(
			(record) =>
				record.stage === 'done' && record.number === this.number && record.result?.sha256 === result.sha256
					? record
					: completed(record, this.number, result),
			() => this.#ended,
		);
		if (isDone) await this.#options.delivery.finish();
		this.#end();
		return isDone;
	}

	async fail(error: WireError, retryable: boolean): Promise<boolean> {
		if (this.#isEnded) return false;
		try {
			return await this.#fail(error, retryable);
		} finally {
			// Even if the failure could not be written, the lease ends; the unit is delivered again when its lock expires.
			this.#end();
		}
	}

	async #fail(error: WireError, retryable: boolean): Promise<boolean> {
		const nowMs = await this.#options.records.now();
		let retryMs: number | null = null;
		const isTaken = await this.#change(
			(record) => {
				const after = failed(record, this.number, error, { retryable, nowMs });
				retryMs = after?.retryMs ?? null;
				return after?.record ?? null;
			},
			() => (retryMs === null ? this.#ended : this.#changed),
		);
		if (isTaken && retryMs !== null) await this.#options.delivery.again(retryMs);
		else if (isTaken) await this.#options.delivery.finish();
		return isTaken;
	}

	async release(): Promise<boolean> {
		try {
			const isReturned = await this.#change(
				(record) => returned(record, this.number),
				() => this.#changed,
			);
			if (!isReturned) return false;
			const { delivery, records } = this.#options;
			await delivery.again(0);
			await records.commit({ publish: [{ topic: releasedTopic, message: this.unit.model }] });
			return true;
		} finally {
			this.#end();
		}
	}

	/** Ends the lease at once and returns the unit if the queue can be reached within 2 s; otherwise the unit is
	 * delivered to another worker when its lock expires. */
	async abandon(reason: EarshotError): Promise<void> {
		if (this.#isEnded) return;
		this.#lost.abort(reason);
		const { clock } = this.#options;
		const tooLong = new Promise<void>((resolve) => void this.#stop.push(clock.after(abandonMs, resolve)));
		await Promise.race([this.release().catch(() => {}), tooLong]);
		this.#end();
	}

	/** Ends the lease at once; the unit is delivered to another worker when its lock expires. */
	revoke(reason: EarshotError): void {
		if (this.#isEnded) return;
		this.#end();
		this.#lost.abort(reason);
	}

	get #changed(): Commit {
		return { publish: [{ topic: topicOfJob(this.unit.jobId), message: 'changed' }] };
	}

	/** Also notifies the process that sends webhooks for finished jobs. */
	get #ended(): Commit {
		const { jobId } = this.unit;
		return {
			publish: [
				{ topic: topicOfJob(jobId), message: 'changed' },
				{ topic: finishedTopic, message: jobId },
			],
		};
	}

	#change(
		change: (record: UnitRecord) => UnitRecord | null,
		more: (before: UnitRecord, after: UnitRecord) => Commit,
	): Promise<boolean> {
		const changed = this.#changing.then(() => this.#changeNow(change, more));
		this.#changing = changed.catch(() => {});
		return changed;
	}

	async #changeNow(
		change: (record: UnitRecord) => UnitRecord | null,
		more: (before: UnitRecord, after: UnitRecord) => Commit,
	): Promise<boolean> {
		if (this.#isEnded) return false;
		let latest: UnitRecord | undefined;
		const isChanged = await changeRecord(this.#options.records, recordOfUnit(this.unit), (found) => {
			latest = asUnitRecord(objectIn(found));
			const after = latest && change(latest);
			if (!latest || !after) return undefined;
			const own = changeOf(this.unit, latest, after);
			const others = more(latest, after);
			const put = { ...own.put, ...others.put };
			const index = [...own.index, ...(others.index ?? [])];
			return { commit: { ...own, ...others, put, index }, value: true };
		});
		if (isChanged !== true) this.#check(latest);
		return isChanged === true;
	}

	#check(record: UnitRecord | undefined): boolean {
		if (this.#isEnded) return false;
		if (record && holds(record, this.number)) return true;
		const isCancelled = record === undefined || record.stage === 'cancelled';
		// No other process removes the delivery of a cancelled unit.
		if (isCancelled) void this.#options.delivery.finish();
		this.revoke(
			isCancelled
				? new EarshotError('cancelled', 'the job was cancelled')
				: new EarshotError('conflict', 'the unit was given to another worker'),
		);
		return false;
	}

	#end(): void {
		if (this.#isEnded) return;
		this.#isEnded = true;
		for (const stop of this.#stop.splice(0)) stop();
		this.#options.onEnd(this);
	}
}
