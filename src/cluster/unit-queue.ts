/** The queue of a cluster: the records hold the state of units, and the transport delivers them to workers. */

import type { Clock } from '../core/clock.js';
import { EarshotError, type WireError } from '../core/errors.js';
import type { ClipEvent } from '../core/speech/events.js';
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
import { ClipReader } from './clip-reader.js';
import { progressOf } from './core/job-progress.js';
import { asUnitRecord, cancelled, leased, newRecord, requeued, type UnitRecord } from './core/unit-record.js';
import { objectIn, objectsIn } from './records/objects.js';
import { changeRecord, everything, type Records } from './records/records.js';
import type { Transport, UnitDelivery, UnitName } from './transport/transport.js';
import {
	changeOf,
	clipsOf,
	heldTopic,
	modelsIndex,
	readMembers,
	recordOfUnit,
	releasedTopic,
	topicOfJob,
	unitsOfJob,
	waitingIndex,
} from './unit-keys.js';
import { ClusterLease } from './unit-lease.js';
import { WakeSignal } from './wake-signal.js';
import { watchUnits } from './watch.js';

export interface UnitQueueOptions {
	readonly records: Records;
	readonly transport: Transport;
	readonly clock: Clock;
	/** Unique id of this process. */
	readonly worker: string;
	/** Ids of the models for which it may lease units now, if the caller of `lease` names none; absent = all. */
	readonly modelsFor?: () => Promise<readonly string[] | undefined>;
	/** As in `Unit`, for this process; absent: it takes any unit, and any worker may take its groups. */
	readonly numerics?: string;
	/** The `numerics` of all live workers. */
	readonly availableNumerics?: () => Promise<ReadonlySet<string>>;
	readonly onError: (error: unknown) => void;
}

/** Poll interval, since a message may be lost. */
const pollIntervalMs = 1000;

export class UnitQueue implements JobQueue {
	readonly #options: UnitQueueOptions;
	readonly #leases = new Set<ClusterLease>();
	readonly #closing = new AbortController();

	constructor(options: UnitQueueOptions) {
		this.#options = options;
	}

	async enqueue(unit: Unit): Promise<void> {
		this.#checkOpen();
		// If the record of a group is damaged, the whole recording must be transcribed again.
		if (unit.part === 0 && (await this.#read(unit.jobId)).damaged.length > 0) await this.forget(unit.jobId);
		await this.#enqueueOne(unit);
		if (unit.part > 0) return;
		for (const { unit: group, stage } of await this.#unitsOf(unit.jobId))
			if (group.part > 0 && (stage === 'failed' || stage === 'cancelled')) await this.#enqueueOne(group);
	}

	async #enqueueOne(unit: Unit): Promise<void> {
		await changeRecord(this.#options.records, recordOfUnit(unit), (found) => {
			const before = asUnitRecord(objectIn(found));
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
		const wakeSignal = new WakeSignal();
		const stop = waitMs > 0 ? await records.subscribe(releasedTopic, () => wakeSignal.notify()) : () => {};
		const end = () => wakeSignal.notify();
		for (const each of [signal, this.#closing.signal]) each?.addEventListener('abort', end);
		try {
			for (;;) {
				this.#checkOpen();
				if (signal?.aborted) return null;
				wakeSignal.reset();
				const lease = await this.#leaseNow(caps);
				if (lease) return lease;
				const rest = until - clock.now();
				if (rest <= 0) return null;
				await wakeSignal.wait(Math.min(rest, pollIntervalMs), clock);
			}
		} finally {
			for (const each of [signal, this.#closing.signal]) each?.removeEventListener('abort', end);
			stop();
		}
	}

	async #leaseNow(caps: LeaseCaps): Promise<UnitLease | null> {
		// A lease beyond a worker's own slots is only useful on a single machine: here other workers have slots for the
		// unit.
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

	/** Null: the unit needs no more work. `for others`: it needs a later version of Earshot, or other processors. */
	async #begin(delivery: UnitDelivery, caps: LeaseCaps): Promise<UnitLease | null | 'for others'> {
		const { records, worker, clock, numerics, availableNumerics, onError } = this.#options;
		let isForOtherWorkers = false;
		const available = await availableNumerics?.();
		const record = await changeRecord(records, recordOfUnit(delivery), (found) => {
			const before = asUnitRecord(objectIn(found));
			isForOtherWorkers =
				before !== undefined && needsOtherWorker(before.unit, caps, { numerics, available });
			const after = before && !isForOtherWorkers ? leased(before, worker) : null;
			if (!before || !after) return undefined;
			const publish = [{ topic: topicOfJob(delivery.jobId), message: 'changed' }];
			return { commit: { ...changeOf(after.unit, before, after), publish }, value: after };
		});
		if (isForOtherWorkers) {
			await delivery.again(pollIntervalMs);
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
			clips: objectsIn<ClipEvent>(lines),
			groups: groups.flatMap(({ unit: { group } }) => (group ? [group] : [])),
			onEnd: (ended) => this.#leases.delete(ended),
		});
		this.#leases.add(lease);
		return lease;
	}

	async cancel(jobId: string): Promise<void> {
		// The worker that holds part 0 may divide off more groups until that part is cancelled.
		await this.#cancelAll([{ jobId, part: 0 }]);
		await this.#cancelAll(await this.#names(jobId));
	}

	async #cancelAll(names: readonly UnitName[]): Promise<void> {
		const { records, transport } = this.#options;
		for (const name of names) {
			const unit = await changeRecord(records, recordOfUnit(name), (found) => {
				const before = asUnitRecord(objectIn(found));
				const after = before && cancelled(before);
				if (!before || !after) return undefined;
				const publish = [{ topic: topicOfJob(name.jobId), message: 'cancelled' }];
				return { commit: { ...changeOf(before.unit, before, after), publish }, value: before.unit };
			});
			if (unit) await transport.remove(unit);
		}
	}

	async units(jobId: string): Promise<readonly UnitState[]> {
		const { records, damaged } = await this.#read(jobId);
		// A recording of one unit is queued again; for a divided one it is unknown what is missing.
		const damagedParts = records.length + damaged.length > 1 ? damaged : [];
		return [
			...records.flatMap((record) => stateOf(record) ?? []),
			...damagedParts.map(({ part }) => ({ part, state: 'failed', error: damage(part) }) as const),
		];
	}

	async progress(jobId: string): Promise<JobProgress | null> {
		const records = await this.#unitsOf(jobId);
		const [first] = records;
		if (!first) return null;
		return {
			...progressOf(records),
			ahead: records.every(({ stage }) => stage === 'held' || stage === 'released')
				? await this.#ahead(first.unit)
				: null,
		};
	}

	async #ahead(unit: Unit): Promise<{ units: number; seconds: number }> {
		const rank = { interactive: 0, normal: 1, bulk: 2 } as const;
		const waiting = await this.#options.records.between(waitingIndex(unit.model), ...everything);
		const others = readMembers(waiting).filter(
			(other) =>
				other.jobId !== unit.jobId &&
				(rank[other.class] < rank[unit.class] || (other.class === unit.class && other.score < unit.queuedAt)),
		);
		return { units: others.length, seconds: others.reduce((sum, { seconds }) => sum + seconds, 0) };
	}

	async clips(jobId: string): Promise<readonly ClipEvent[]> {
		return await new ClipReader(this.#options.records).next(await this.#unitsOf(jobId));
	}

	async depth(): Promise<readonly QueueDepth[]> {
		const depths = new Map<string, QueueDepth>();
		for (const model of await this.#models()) {
			const waiting = await this.#options.records.between(waitingIndex(model), ...everything);
			for (const { class: priority, seconds, score, tenant, jobId } of readMembers(waiting)) {
				// A request, which the server of its client counts.
				if (tenant === jobId) continue;
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
		return watchUnits(jobId, signal, { records, clock, unitsOf: () => this.#unitsOf(jobId) });
	}

	async announce(jobId: string): Promise<void> {
		await this.#options.records.commit({ publish: [{ topic: topicOfJob(jobId), message: 'changed' }] });
	}

	async forget(jobId: string): Promise<void> {
		await this.cancel(jobId);
		for (const name of await this.#names(jobId)) {
			await changeRecord(this.#options.records, recordOfUnit(name), (found) => {
				const before = asUnitRecord(objectIn(found));
				const ofJob = { name: unitsOfJob(jobId), member: String(name.part), score: null };
				const change = before
					? changeOf(before.unit, before, undefined)
					: { remove: [recordOfUnit(name)], index: [ofJob] };
				return { commit: { ...change, removeLists: [clipsOf(name)] }, value: true };
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
		return (await this.#read(jobId)).records;
	}

	/** In order of parts. `damaged`: units whose records can no longer be read. */
	async #read(jobId: string): Promise<{ records: UnitRecord[]; damaged: UnitName[] }> {
		const names = await this.#names(jobId);
		const found = await this.#options.records.get(names.map(recordOfUnit));
		const records = found.map((record) => asUnitRecord(objectIn(record)));
		return {
			records: records.filter((record) => record !== undefined),
			damaged: names.filter((_, position) => records[position] === undefined),
		};
	}

	#checkOpen(): void {
		if (this.#closing.signal.aborted) throw new EarshotError('closed', 'the queue is closed');
	}
}

function stateOf({ unit: { part }, stage, result, error }: UnitRecord): UnitState | undefined {
	if (stage === 'done' && result) return { part, state: stage, result };
	if (stage === 'failed' && error) return { part, state: stage, error };
	if (stage === 'cancelled') return undefined;
	return { part, state: stage === 'leased' ? 'leased' : 'waiting' };
}

function damage(part: number): WireError {
	const message = `the record of part ${part} of this recording can no longer be read: try the job again`;
	return { code: 'internal', message };
}

/** Whether a worker must leave a unit to others: it does not understand the unit's schema, or its results might
 * differ from those of the rest of the recording while a worker with matching numerics is available. Pure. */
function needsOtherWorker(
	unit: Unit,
	{ schema }: LeaseCaps,
	{
		numerics,
		available,
	}: { readonly numerics: string | undefined; readonly available: ReadonlySet<string> | undefined },
): boolean {
	if (unit.schema > schema) return true;
	return unit.numerics !== undefined && unit.numerics !== numerics && available?.has(unit.numerics) === true;
}
