/**
 * Starts batches of clips on an engine as soon as a slot is free, without waiting for a batch to fill up. Each loaded
 * model has one scheduler.
 */

import { asEarshotError, EarshotError } from '../core/errors.js';
import type { BatchReport, SchedulerState } from '../core/metrics.js';
import type { Clip, ClipResult } from '../core/speech/clip.js';
import type { RecognizeOptions } from '../core/speech/options.js';
import type { Stopwatch } from '../core/speech/timing.js';
import type { Batch, Engine, Limits } from '../engines/engine.js';
import { canJoin, costOf, isCompatible, pickBatch } from './batch.js';
import { isInteractive, secondsOf } from './fairness.js';
import { Queue } from './queue.js';
import {
	type BusySlot,
	type Grant,
	grantFor,
	type RunningBatch,
	slotsLeftToBackground,
	slotToJoin,
	takesPrioritySlot,
} from './slots.js';
import type { RecordingQueue } from './waiting.js';

export interface Submission {
	/** Any object that identifies the recording; its clips share one queue. */
	readonly recording: object;
	/** Whether the recording has background priority from the start; absent = only after `interactiveSeconds` of it have
	 * been started. */
	readonly background?: boolean;
	readonly clip: Clip;
	readonly options: RecognizeOptions;
	readonly signal: AbortSignal;
	/** Called when the clip is handed to the engine. */
	readonly onStart?: () => void;
	/** Called when the engine has finished with the clip, with or without a result; after a cancellation, this happens
	 * later than the rejection. */
	readonly onEnd?: (hasResult: boolean) => void;
	/** Measures the recording's time in queue and in the engine. */
	readonly stopwatch?: Stopwatch;
}

/** Receives the scheduler's events, for metrics. */
export interface SchedulerObserver {
	/** `Scheduler.state` has changed. */
	changed(): void;
	/** A batch has finished. */
	ran(batch: BatchReport): void;
}

interface Waiting extends Submission {
	/** Aborts when the caller cancels this clip. One per clip: a shared signal would collect a listener per batch. */
	readonly cancellation: AbortController;
	settle(result: ClipResult): void;
	fail(error: EarshotError): void;
}

interface Running extends RunningBatch {
	readonly batch: readonly Waiting[];
	readonly unfinished: Set<Waiting>;
	readonly background: boolean;
}

interface Failed {
	readonly waiting: Waiting;
	readonly error: EarshotError;
}

/** A batch to start now. */
interface Start {
	readonly batch: readonly Waiting[];
	readonly grant: Grant;
	readonly background: boolean;
}

export class Scheduler {
	readonly #engine: Engine;
	readonly #maxThreads: number;
	readonly #queue = new Queue<Waiting>();
	/** Recordings whose signal has a listener. */
	readonly #watched = new WeakSet<object>();
	readonly #running = new Set<Running>();
	/** At most one observer. */
	observer: SchedulerObserver | undefined;
	/** Number of active `reserveSlot` calls. */
	#reservations = 0;
	#dispatching = false;
	#closed = false;
	#idle: (() => void) | undefined;

	/** `maxThreads`: number of threads that all slots may use together. */
	constructor(engine: Engine, maxThreads: number) {
		this.#engine = engine;
		this.#maxThreads = maxThreads;
	}

	get state(): SchedulerState {
		return {
			slots: this.#engine.limits.slots,
			busySlots: this.#slots().length,
			waitingClips: this.#queue.clips,
			waitingSeconds: this.#queue.seconds,
		};
	}

	/** Settles with the clip's result, or rejects with an EarshotError: `cancelled` when the signal fires. */
	submit(submission: Submission): Promise<ClipResult> {
		if (this.#closed) return Promise.reject(new EarshotError('closed', 'the model is being unloaded'));
		if (submission.signal.aborted) return Promise.reject(cancelled());
		return new Promise((resolve, reject) => {
			const { recording, background = false, signal, stopwatch } = submission;
			const settle = (result: ClipResult) => {
				stopwatch?.ended();
				resolve(result);
			};
			this.#watch(recording, signal);
			this.#queue.push(recording, background, {
				...submission,
				cancellation: new AbortController(),
				settle,
				fail: reject,
			});
			stopwatch?.queued();
			this.observer?.changed();
			this.#dispatchSoon();
		});
	}

	/**
	 * Reserves one slot for interactive clips, which are expected soon, until the returned function is called. An engine
	 * with a single slot reserves none.
	 */
	reserveSlot(): () => void {
		this.#reservations++;
		let isReserved = true;
		return () => {
			if (!isReserved) return;
			isReserved = false;
			this.#reservations--;
			this.#dispatchSoon();
		};
	}

	/** Fails waiting clips with `closed`, lets running ones finish, then closes the engine. */
	async close(): Promise<void> {
		if (!this.#closed) {
			this.#closed = true;
			for (const waiting of this.#queue.clear()) {
				waiting.fail(new EarshotError('closed', 'the model is being unloaded'));
			}
			if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
		}
		await this.#engine.close();
	}

	/** Cancels the recording's clips, waiting and running, when its signal fires. */
	#watch(recording: object, signal: AbortSignal): void {
		if (this.#watched.has(recording)) return;
		this.#watched.add(recording);
		signal.addEventListener(
			'abort',
			() => {
				const running = [...this.#running].flatMap(({ batch }) => batch);
				const cancelledClips = running.filter((waiting) => waiting.recording === recording);
				for (const waiting of [...this.#queue.drop(recording), ...cancelledClips]) {
					waiting.cancellation.abort();
					waiting.fail(cancelled());
				}
				this.observer?.changed();
			},
			{ once: true },
		);
	}

	/** Dispatches in a microtask, so that clips submitted in the same turn can share threads and batches. */
	#dispatchSoon(): void {
		if (this.#dispatching) return;
		this.#dispatching = true;
		queueMicrotask(() => {
			this.#dispatching = false;
			this.#dispatch();
		});
	}

	#dispatch(): void {
		for (let next = this.#next(); next; next = this.#next()) {
			this.#queue.take(next.batch);
			void this.#run(next);
		}
	}

	/** The next batch to start; undefined when no clip waits or none may start now. */
	#next(): Start | undefined {
		const { queues } = this.#queue;
		const isReserved = this.#reservations > 0;
		const left = slotsLeftToBackground(isReserved, this.#slots(), this.#engine.limits.slots);
		const mayStart = left > 0 ? queues : queues.filter(isInteractive);
		const [first] = mayStart;
		const grant = first ? this.#freeSlot(isInteractive(first) ? Number.POSITIVE_INFINITY : left) : null;
		if (first && grant)
			return { batch: pickBatch(mayStart, this.#batchLimits()), grant, background: !isInteractive(first) };
		// Background clips must not join a slot that is being drained for the reservation.
		const mayJoin = left < 0 ? mayStart : queues;
		for (const queue of mayJoin) {
			// Only the head of the queue may join a busy slot: otherwise a slot would never drain for it.
			const found = (queue === mayJoin[0] ? this.#busySlotFor(queue) : null) ?? this.#prioritySlotFor(queue);
			if (found) return { batch: queue.waiting.slice(0, 1), grant: found, background: !isInteractive(queue) };
		}
		return undefined;
	}

	/** `mayTake`: number of slots that clips of the next clip's kind may take. */
	#freeSlot(mayTake: number): Grant | null {
		const { slots, maxClipThreads } = this.#engine.limits;
		const isLimited = Number.isFinite(mayTake);
		const maxThreads = isLimited ? Math.max(1, this.#maxThreads - 1) : this.#maxThreads;
		const rules = { slots, maxThreads, maxClipThreads };
		return grantFor(Math.min(this.#queue.clips, mayTake), [...this.#running], rules);
	}

	#prioritySlotFor(queue: RecordingQueue<Waiting>): Grant | null {
		const next = queue.waiting[0];
		const { slots, prioritySlot } = this.#engine.limits;
		const running = [...this.#running];
		if (!next || !prioritySlot || running.some(({ isPriority }) => isPriority)) return null;
		const interactive = isInteractive(queue);
		const joins = this.#joins(next);
		// Compatible running clips are no obstacle: `next` can join their batch once one of them has finished.
		const blocking = running.filter(
			({ background, threads, batch }) =>
				!joins || threads > 1 || background === interactive || !isCompatible(next, batch),
		);
		if (!takesPrioritySlot({ seconds: secondsOf(next), interactive }, blocking)) return null;
		return { threads: 1, isPriority: true, slot: slots };
	}

	#joins({ options }: Waiting): boolean {
		return this.#engine.batchesContinuously?.(options) === true;
	}

	/** Continuous batching: a place beside the clips that a busy slot is decoding. */
	#busySlotFor(queue: RecordingQueue<Waiting>): Grant | null {
		const next = queue.waiting[0];
		if (!next || !this.#joins(next)) return null;
		const { limits } = this.#engine;
		const slot = slotToJoin({ background: !isInteractive(queue) }, this.#slots(), (clips) =>
			canJoin(next, clips, limits),
		);
		return slot === undefined ? null : { threads: 1, isPriority: false, slot };
	}

	#slots(): BusySlot<Waiting>[] {
		const slots = new Map<number, BusySlot<Waiting>>();
		for (const running of this.#running) {
			const clips = [...(slots.get(running.slot)?.clips ?? []), ...running.unfinished];
			slots.set(running.slot, { ...running, clips });
		}
		return [...slots.values()];
	}

	/** Spreads waiting clips over the free slots: small batches are better than idle slots. */
	#batchLimits(): Limits {
		const { limits } = this.#engine;
		if (limits.maxBatchClips === 1) return limits;
		const freeSlots = limits.slots - this.#slots().filter(({ isPriority }) => !isPriority).length;
		const share = Math.ceil(this.#queue.clips / Math.max(1, freeSlots));
		return { ...limits, maxBatchClips: Math.min(limits.maxBatchClips, share) };
	}

	/** Runs the clips and settles each that succeeds. Resolves when all are done, with the failed ones unsettled. */
	async #transcribe(
		batch: readonly Waiting[],
		how: Omit<Batch, 'clips'>,
		done: (waiting: Waiting) => void,
	): Promise<readonly Failed[]> {
		const clips = batch.map(({ clip }) => clip);
		const signals = batch.map(({ cancellation }) => cancellation.signal);
		const results = this.#engine.run({ clips, ...how }, signals);
		const ends = await Promise.all(
			batch.map(async (waiting, at) => {
				const failed = await settledAs(waiting, results[at]);
				if (!failed) done(waiting);
				return failed;
			}),
		);
		return ends.filter((failed) => failed !== undefined);
	}

	/** Runs a batch and settles its clips; never rejects. */
	async #run({ batch, grant, background }: Start): Promise<void> {
		const options = batch[0]?.options;
		if (!options) return;
		const { threads, isPriority, slot } = grant;
		const seconds = Math.max(...batch.map(secondsOf));
		const unfinished = new Set(batch);
		const running = { threads, isPriority, slot, seconds, background, batch, unfinished };
		const how = { options, threads, slot, background };
		this.#running.add(running);
		const clipsInSlot = this.#slots().find((each) => each.slot === slot)?.clips.length ?? batch.length;
		const done = (waiting: Waiting) => {
			unfinished.delete(waiting);
			waiting.onEnd?.(true);
			// A waiting clip may join the batch in place of the finished one.
			if (unfinished.size > 0) this.#dispatchSoon();
		};
		const startedMs = performance.now();
		try {
			for (const waiting of batch) {
				waiting.stopwatch?.started();
				waiting.onStart?.();
			}
			for (const failed of await this.#transcribe(batch, how, done)) {
				// A library may fail a whole batch because of one clip: retry each on its own.
				const again = batch.length > 1 && failed.error.code === 'engine_failed';
				const ends = again ? await this.#transcribe([failed.waiting], how, done) : [failed];
				for (const { waiting, error } of ends) waiting.fail(error);
			}
		} catch (thrown) {
			for (const waiting of batch) waiting.fail(asEarshotError(thrown));
		} finally {
			this.#running.delete(running);
			for (const waiting of unfinished) waiting.onEnd?.(false);
			const { seconds: audio, padding } = costOf(batch, this.#engine.limits.padded);
			const runMs = performance.now() - startedMs;
			this.observer?.ran({ clips: clipsInSlot, seconds: audio, paddingSeconds: padding, runMs });
			if (this.#running.size === 0) this.#idle?.();
			this.#dispatch();
			this.observer?.changed();
		}
	}
}

/** Settles the clip when `result` resolves; returns the failure, without settling, when it rejects. */
async function settledAs(
	waiting: Waiting,
	result: Promise<ClipResult> | undefined,
): Promise<Failed | undefined> {
	try {
		if (!result) throw new EarshotError('engine_failed', 'the engine gave no result for a clip');
		waiting.settle(await result);
		return undefined;
	} catch (thrown) {
		return { waiting, error: waiting.cancellation.signal.aborted ? cancelled() : asEarshotError(thrown) };
	}
}

function cancelled(): EarshotError {
	return new EarshotError('cancelled', 'the recording was cancelled');
}
