/**
 * Hands batches of clips to an engine the moment a slot is free. No timer: a free slot takes what waits.
 * One per loaded model.
 */

import type { Batch, Engine, Limits } from '../engines/engine.js';
import { asEarshotError, EarshotError } from '../errors.js';
import type { BatchReport, SchedulerState } from '../metrics.js';
import type { Clip, ClipResult } from '../speech/clip.js';
import type { RecognizeOptions } from '../speech/options.js';
import type { Stopwatch } from '../speech/timing.js';
import { costOf, fitsBeside, pickBatch, suits } from './batch.js';
import { isInteractive, secondsOf } from './fairness.js';
import { Queue } from './queue.js';
import {
	type BusySlot,
	type Grant,
	grantFor,
	type RunningBatch,
	slotToJoin,
	takesPrioritySlot,
} from './slots.js';
import type { RecordingQueue } from './waiting.js';

export interface Submission {
	/** Any object that stands for the recording; its clips share one queue. */
	readonly recording: object;
	readonly clip: Clip;
	readonly options: RecognizeOptions;
	readonly signal: AbortSignal;
	/** Called when the clip is handed to the engine. */
	readonly onStart?: () => void;
	/** The recording's. */
	readonly stopwatch?: Stopwatch;
}

/** Who wants to know how it goes. */
export interface SchedulerWatcher {
	/** What waits or runs is not what it was. */
	changed(): void;
	ran(batch: BatchReport): void;
}

interface Waiting extends Submission {
	/** Nobody waits for the clip any more. Of its own, since every batch of a long recording listens. */
	readonly left: AbortController;
	settle(result: ClipResult): void;
	fail(error: EarshotError): void;
}

interface Running extends RunningBatch {
	readonly batch: readonly Waiting[];
	/** Clips that are not done. */
	readonly left: Set<Waiting>;
	readonly background: boolean;
}

interface Failed {
	readonly waiting: Waiting;
	readonly error: EarshotError;
}

/** What begins now. */
interface Start {
	readonly batch: readonly Waiting[];
	readonly grant: Grant;
	readonly background: boolean;
}

export class Scheduler {
	readonly #engine: Engine;
	readonly #maxThreads: number;
	readonly #queue = new Queue<Waiting>();
	readonly #watched = new WeakSet<object>();
	readonly #running = new Set<Running>();
	/** One at most. */
	watcher: SchedulerWatcher | undefined;
	#dispatching = false;
	#closed = false;
	#idle: (() => void) | undefined;

	/** `maxThreads`: threads all slots may use together. */
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
			const { recording, signal, stopwatch } = submission;
			const settle = (result: ClipResult) => {
				stopwatch?.ended();
				resolve(result);
			};
			this.#watch(recording, signal);
			this.#queue.push(recording, { ...submission, left: new AbortController(), settle, fail: reject });
			stopwatch?.queued();
			this.watcher?.changed();
			this.#dispatchSoon();
		});
	}

	/** Refuses what waits, lets what runs finish, then closes the engine. */
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

	/** Clips of a recording that nobody waits for any more vanish from the queue and leave their batches at once. */
	#watch(recording: object, signal: AbortSignal): void {
		if (this.#watched.has(recording)) return;
		this.#watched.add(recording);
		signal.addEventListener(
			'abort',
			() => {
				const running = [...this.#running].flatMap(({ batch }) => batch);
				const left = running.filter((waiting) => waiting.recording === recording);
				for (const waiting of [...this.#queue.drop(recording), ...left]) {
					waiting.left.abort();
					waiting.fail(cancelled());
				}
				this.watcher?.changed();
			},
			{ once: true },
		);
	}

	/** After the present turn: clips that come together are seen together, and share threads and batches. */
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

	/** The batch that may start now; undefined where nothing waits or may start. */
	#next(): Start | undefined {
		const { queues } = this.#queue;
		const [first] = queues;
		if (!first) return undefined;
		const grant = this.#slotFor();
		if (grant)
			return { batch: pickBatch(queues, this.#batchLimits()), grant, background: !isInteractive(first) };
		for (const queue of queues) {
			const place = (queue === first ? this.#placeFor(queue) : null) ?? this.#expressFor(queue);
			if (place) return { batch: queue.waiting.slice(0, 1), grant: place, background: !isInteractive(queue) };
		}
		return undefined;
	}

	#slotFor(): Grant | null {
		const { slots, maxClipThreads } = this.#engine.limits;
		const rules = { slots, maxThreads: this.#maxThreads, maxClipThreads };
		return grantFor(this.#queue.clips, [...this.#running], rules);
	}

	#expressFor(queue: RecordingQueue<Waiting>): Grant | null {
		const next = queue.waiting[0];
		const { slots, prioritySlot } = this.#engine.limits;
		const running = [...this.#running];
		if (!next || !prioritySlot || running.some(({ express }) => express)) return null;
		const interactive = isInteractive(queue);
		const joins = this.#joins(next);
		// Beside those that it suits a place will be free before their slot is.
		const inTheWay = running.filter(
			({ background, threads, batch }) =>
				!joins || threads > 1 || background === interactive || !suits(next, batch),
		);
		if (!takesPrioritySlot({ seconds: secondsOf(next), interactive }, inTheWay)) return null;
		return { threads: 1, express: true, slot: slots };
	}

	#joins({ options }: Waiting): boolean {
		return this.#engine.joins?.(options) === true;
	}

	/** For clips that gain by company, a place in a slot at work, which is free before the slot is. */
	#placeFor(queue: RecordingQueue<Waiting>): Grant | null {
		const next = queue.waiting[0];
		if (!next || !this.#joins(next)) return null;
		const { limits } = this.#engine;
		const slot = slotToJoin({ background: !isInteractive(queue) }, this.#slots(), (clips) =>
			fitsBeside(next, clips, limits),
		);
		return slot === undefined ? null : { threads: 1, express: false, slot };
	}

	#slots(): BusySlot<Waiting>[] {
		const slots = new Map<number, BusySlot<Waiting>>();
		for (const running of this.#running) {
			const clips = [...(slots.get(running.slot)?.clips ?? []), ...running.left];
			slots.set(running.slot, { ...running, clips });
		}
		return [...slots.values()];
	}

	/** A batch takes no more than its share of what waits: slots that stay empty would be worse than small batches. */
	#batchLimits(): Limits {
		const { limits } = this.#engine;
		if (limits.maxBatchClips === 1) return limits;
		const freeSlots = limits.slots - this.#slots().filter(({ express }) => !express).length;
		const share = Math.ceil(this.#queue.clips / Math.max(1, freeSlots));
		return { ...limits, maxBatchClips: Math.min(limits.maxBatchClips, share) };
	}

	/** Settles each clip as the engine does. Resolves when all are done, with those that failed, which are left to the
	 * caller. */
	async #hear(
		batch: readonly Waiting[],
		how: Omit<Batch, 'clips'>,
		done: (waiting: Waiting) => void,
	): Promise<readonly Failed[]> {
		const clips = batch.map(({ clip }) => clip);
		const signals = batch.map(({ left }) => left.signal);
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

	/** Settles its own clips; never rejects. */
	async #run({ batch, grant, background }: Start): Promise<void> {
		const options = batch[0]?.options;
		if (!options) return;
		const { threads, express, slot } = grant;
		const seconds = Math.max(...batch.map(secondsOf));
		const running = { threads, express, slot, seconds, background, batch, left: new Set(batch) };
		const how = { options, threads, slot, background };
		this.#running.add(running);
		const together = this.#slots().find((each) => each.slot === slot)?.clips.length ?? batch.length;
		const done = (waiting: Waiting) => {
			running.left.delete(waiting);
			// Its place may be somebody's.
			if (running.left.size > 0) this.#dispatchSoon();
		};
		const startedMs = performance.now();
		try {
			for (const waiting of batch) {
				waiting.stopwatch?.started();
				waiting.onStart?.();
			}
			for (const failed of await this.#hear(batch, how, done)) {
				// A library may fail all clips for one of them: each has its own try, and its own end.
				const again = batch.length > 1 && failed.error.code === 'engine_failed';
				const ends = again ? await this.#hear([failed.waiting], how, done) : [failed];
				for (const { waiting, error } of ends) waiting.fail(error);
			}
		} catch (thrown) {
			for (const waiting of batch) waiting.fail(asEarshotError(thrown));
		} finally {
			this.#running.delete(running);
			const { seconds: audio, padding } = costOf(batch, this.#engine.limits.padded);
			const runMs = performance.now() - startedMs;
			this.watcher?.ran({ clips: together, seconds: audio, paddingSeconds: padding, runMs });
			if (this.#running.size === 0) this.#idle?.();
			this.#dispatch();
			this.watcher?.changed();
		}
	}
}

/** Settles the clip as `result` does, but for a failure. */
async function settledAs(
	waiting: Waiting,
	result: Promise<ClipResult> | undefined,
): Promise<Failed | undefined> {
	try {
		if (!result) throw new EarshotError('engine_failed', 'the engine gave no result for a clip');
		waiting.settle(await result);
		return undefined;
	} catch (thrown) {
		return { waiting, error: waiting.left.signal.aborted ? cancelled() : asEarshotError(thrown) };
	}
}

function cancelled(): EarshotError {
	return new EarshotError('cancelled', 'the recording was cancelled');
}
