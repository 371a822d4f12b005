/** The queue of a cluster: what is true of units is in the records, and the transport hands them out. */

import type { Clock } from '../clock.js';
import { EarshotError } from '../errors.js';
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
} from '../jobs/queue.js';
import type { ClipEvent } from '../speech/events.js';
import { ClipReader } from './clip-reader.js';
import { heardOf } from './core/job-progress.js';
import { cancelled, leased, newRecord, requeued, type UnitRecord } from './core/unit-record.js';
import { changeRecord, type Records } from './records/records.js';
import type { Transport, UnitDelivery, UnitName } from './transport/transport.js';
import {
	changeOf,
	clipsOf,
	heldTopic,
	modelsIndex,
	readMember,
	recordOfUnit,
	releasedTopic,
	topicOfJob,
	unitsOfJob,
	waitingIndex,
} from './unit-keys.js';
import { ClusterLease } from './unit-lease.js';
import { watchUnits } from './watch.js';

export interface UnitQueueOptions {
	readonly records: Records;
	readonly transport: Transport;
	readonly clock: Clock;
	/** Names this process. */
	readonly worker: string;
	/** Models of which it may take units now, where a lease names none; absent = all. */
	readonly modelsFor?: () => Promise<readonly string[] | undefined>;
	/** As in `Unit`, of this process; absent: it takes any unit, and its groups may go to anybody. */
	readonly numerics?: string;
	/** Those of all workers that are there now. */
	readonly numericsThere?: () => Promise<ReadonlySet<string>>;
	readonly onError: (error: unknown) => void;
}

/** A message may be lost. */
const lookEveryMs = 1000;

const everything = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1_000_000] as const;

export class UnitQueue implements JobQueue {
	readonly #options: UnitQueueOptions;
	readonly #leases = new Set<ClusterLease>();
	readonly #closing = new AbortController();

	constructor(options: UnitQueueOptions) {
		this.#options = options;
	}

	async enqueue(unit: Unit): Promise<void> {
		this.#checkOpen();
		await this.#enqueueOne(unit);
		if (unit.part > 0) return;
		for (const { unit: group, stage } of await this.#unitsOf(unit.jobId))
			if (group.part > 0 && (stage === 'failed' || stage === 'cancelled')) await this.#enqueueOne(group);
	}

	async #enqueueOne(unit: Unit): Promise<void> {
		await changeRecord(this.#options.records, recordOfUnit(unit), (found) => {
			const before = found && (JSON.parse(found.value) as UnitRecord);
			const after = before ? requeued(before) : newRecord(unit);
			if (after === null) return undefined;
			const publish = [
				{ topic: heldTopic, message: unit.model },
				{ topic: topicOfJob(unit.jobId), message: 'changed' },
			];
			return { commit: { ...changeOf(after.unit, before, after), publish }, value: true };
		});
	}

	async lease(caps: LeaseCaps, { waitMs = 0, signal }: LeaseWait = {}): Promise<UnitLease | null> {
		const { clock, records } = this.#options;
		const until = clock.now() + waitMs;
		const bell = new Bell();
		const stop = waitMs > 0 ? await records.subscribe(releasedTopic, () => bell.ring()) : () => {};
		const end = () => bell.ring();
		for (const each of [signal, this.#closing.signal]) each?.addEventListener('abort', end);
		try {
			for (;;) {
				this.#checkOpen();
				if (signal?.aborted) return null;
				bell.muffle();
				const lease = await this.#leaseNow(caps);
				if (lease) return lease;
				const rest = until - clock.now();
				if (rest <= 0) return null;
				await bell.rung(Math.min(rest, lookEveryMs), clock);
			}
		} finally {
			for (const each of [signal, this.#closing.signal]) each?.removeEventListener('abort', end);
			stop();
		}
	}

	async #leaseNow(caps: LeaseCaps): Promise<UnitLease | null> {
		// More than its lanes are for a machine that is alone: here others have room for them.
		if ((caps.except?.length ?? 0) > 0) return null;
		for (const model of caps.models ?? (await this.#modelsNow())) {
			for (;;) {
				const delivery = await this.#options.transport.next(model);
				if (delivery === undefined) break;
				const lease = await this.#begin(delivery, caps);
				if (lease === 'for others') break;
				if (lease) return lease;
			}
		}
		return null;
	}

	/** Null: nothing is to be done for it any more. `for others`: of a later version of Earshot, or with other processors. */
	async #begin(delivery: UnitDelivery, caps: LeaseCaps): Promise<UnitLease | null | 'for others'> {
		const { records, worker, clock, numerics, numericsThere, onError } = this.#options;
		let isForOthers = false;
		const there = await numericsThere?.();
		const record = await changeRecord(records, recordOfUnit(delivery), (found) => {
			const before = found && (JSON.parse(found.value) as UnitRecord);
			isForOthers = before !== undefined && isOfOthers(before.unit, caps, { numerics, there });
			const after = before && !isForOthers ? leased(before, worker) : null;
			if (!before || !after) return undefined;
			const publish = [{ topic: topicOfJob(delivery.jobId), message: 'changed' }];
			return { commit: { ...changeOf(after.unit, before, after), publish }, value: after };
		});
		if (isForOthers) {
			await delivery.again(lookEveryMs);
			return 'for others';
		}
		if (record?.stage !== 'leased') {
			await delivery.finish();
			return null;
		}
		const lines = await records.list(clipsOf(delivery), 0);
		const groups = record.groups ? await this.#unitsOf(delivery.jobId) : [];
		const lease = new ClusterLease({
			...{ records, delivery, record, clock, numerics, onError },
			clips: lines.map((line) => JSON.parse(line) as ClipEvent),
			groups: groups.flatMap(({ unit: { group } }) => (group ? [group] : [])),
			onEnd: (ended) => this.#leases.delete(ended),
		});
		this.#leases.add(lease);
		return lease;
	}

	async cancel(jobId: string): Promise<void> {
		// What has this part may divide off more groups until it is cancelled.
		await this.#cancelAll([{ jobId, part: 0 }]);
		await this.#cancelAll(await this.#names(jobId));
	}

	async #cancelAll(names: readonly UnitName[]): Promise<void> {
		const { records, transport } = this.#options;
		for (const name of names) {
			const unit = await changeRecord(records, recordOfUnit(name), (found) => {
				const before = found && (JSON.parse(found.value) as UnitRecord);
				const after = before && cancelled(before);
				if (!before || !after) return undefined;
				const publish = [{ topic: topicOfJob(name.jobId), message: 'cancelled' }];
				return { commit: { ...changeOf(before.unit, before, after), publish }, value: before.unit };
			});
			if (unit) await transport.remove(unit);
		}
	}

	async units(jobId: string): Promise<readonly UnitState[]> {
		return (await this.#unitsOf(jobId)).flatMap(({ unit: { part }, stage, result, error }): UnitState[] => {
			if (stage === 'done' && result) return [{ part, state: stage, result }];
			if (stage === 'failed' && error) return [{ part, state: stage, error }];
			if (stage === 'cancelled') return [];
			return [{ part, state: stage === 'leased' ? 'leased' : 'waiting' }];
		});
	}

	async progress(jobId: string): Promise<JobProgress | null> {
		const records = await this.#unitsOf(jobId);
		const [first] = records;
		if (!first) return null;
		return {
			...heardOf(records),
			ahead: records.every(({ stage }) => stage === 'held' || stage === 'released')
				? await this.#ahead(first.unit)
				: null,
		};
	}

	async #ahead(unit: Unit): Promise<{ units: number; seconds: number }> {
		const rank = { interactive: 0, normal: 1, bulk: 2 } as const;
		const waiting = await this.#options.records.between(waitingIndex(unit.model), ...everything);
		const others = waiting
			.map(({ member, score }) => ({ ...readMember(member), queuedAt: score }))
			.filter(
				(other) =>
					other.jobId !== unit.jobId &&
					(rank[other.class] < rank[unit.class] ||
						(other.class === unit.class && other.queuedAt < unit.queuedAt)),
			);
		return { units: others.length, seconds: others.reduce((sum, { seconds }) => sum + seconds, 0) };
	}

	async clips(jobId: string): Promise<readonly ClipEvent[]> {
		return await new ClipReader(this.#options.records).next(await this.#unitsOf(jobId));
	}

	async depth(): Promise<readonly QueueDepth[]> {
		const depths = new Map<string, QueueDepth>();
		for (const model of await this.#models()) {
			for (const { member, score } of await this.#options.records.between(
				waitingIndex(model),
				...everything,
			)) {
				const { class: priority, seconds } = readMember(member);
				const key = `${model} ${priority}`;
				const so = depths.get(key);
				depths.set(key, {
					model,
					class: priority,
					units: (so?.units ?? 0) + 1,
					seconds: (so?.seconds ?? 0) + seconds,
					oldestQueuedAt: Math.min(so?.oldestQueuedAt ?? score, score),
				});
			}
		}
		return [...depths.values()];
	}

	watch(jobId: string, signal: AbortSignal): AsyncIterable<JobEvent> {
		const { records, clock } = this.#options;
		return watchUnits({ records, clock, jobId, unitsOf: () => this.#unitsOf(jobId) }, signal);
	}

	async announce(jobId: string): Promise<void> {
		await this.#options.records.commit({ publish: [{ topic: topicOfJob(jobId), message: 'changed' }] });
	}

	async forget(jobId: string): Promise<void> {
		await this.cancel(jobId);
		for (const { unit } of await this.#unitsOf(jobId)) {
			await changeRecord(this.#options.records, recordOfUnit(unit), (found) => {
				const before = found && (JSON.parse(found.value) as UnitRecord);
				if (!before) return undefined;
				const commit = { ...changeOf(unit, before, undefined), removeLists: [clipsOf(unit)] };
				return { commit, value: true };
			});
		}
	}

	async close(): Promise<void> {
		if (this.#closing.signal.aborted) return;
		const reason = new EarshotError('closed', 'the queue is closed');
		this.#closing.abort(reason);
		await Promise.all([...this.#leases].map((lease) => lease.abandon(reason)));
	}

	async #modelsNow(): Promise<readonly string[]> {
		return (await this.#options.modelsFor?.()) ?? (await this.#models());
	}

	async #models(): Promise<string[]> {
		const entries = await this.#options.records.between(modelsIndex, ...everything);
		return entries.map(({ member }) => member);
	}

	async #names(jobId: string): Promise<UnitName[]> {
		const parts = await this.#options.records.between(unitsOfJob(jobId), ...everything);
		return parts.map(({ score: part }) => ({ jobId, part }));
	}

	async #unitsOf(jobId: string): Promise<UnitRecord[]> {
		const found = await this.#options.records.get((await this.#names(jobId)).map(recordOfUnit));
		return found.flatMap((record) => (record ? [JSON.parse(record.value) as UnitRecord] : []));
	}

	#checkOpen(): void {
		if (this.#closing.signal.aborted) throw new EarshotError('closed', 'the queue is closed');
	}
}

/** Whether a worker leaves a unit to others: it would not understand it, or its results might differ from those that the
 * rest of the recording has, and some are there whose would not. Pure. */
function isOfOthers(
	unit: Unit,
	{ schema }: LeaseCaps,
	{
		numerics,
		there,
	}: { readonly numerics: string | undefined; readonly there: ReadonlySet<string> | undefined },
): boolean {
	if (unit.schema > schema) return true;
	return unit.numerics !== undefined && unit.numerics !== numerics && there?.has(unit.numerics) === true;
}

/** Wakes one who waits, also if it rang a moment before. */
class Bell {
	#hasRung = false;
	#wake: (() => void) | undefined;

	ring(): void {
		this.#hasRung = true;
		this.#wake?.();
	}

	muffle(): void {
		this.#hasRung = false;
	}

	async rung(ms: number, clock: Clock): Promise<void> {
		if (this.#hasRung) return;
		await new Promise<void>((resolve) => {
			const stop = clock.after(ms, resolve);
			this.#wake = () => {
				stop();
				resolve();
			};
		});
		this.#wake = undefined;
	}
}
