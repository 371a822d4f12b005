/**
 * Hands batches of clips to an engine the moment a lane is free. No timer: a free lane takes what waits.
 * One per loaded model.
 */

import type { Clip, ClipResult, Engine, Limits, RecognizeOptions } from '../engines/engine.js';
import { asEarshotError, EarshotError } from '../errors.js';
import { pickBatch } from './pick-batch.js';
import { Queue } from './queue.js';

export interface Submission {
	/** Any object that stands for the recording; its clips share one line. */
	readonly recording: object;
	readonly clip: Clip;
	readonly options: RecognizeOptions;
	readonly signal: AbortSignal;
	/** Called when the clip is handed to the engine. */
	readonly onStart?: () => void;
}

interface Waiting extends Submission {
	settle(result: ClipResult): void;
	fail(error: EarshotError): void;
}

export class Scheduler {
	readonly #engine: Engine;
	readonly #maxThreads: number;
	readonly #queue = new Queue<Waiting>();
	readonly #watched = new WeakSet<object>();
	#running = 0;
	#closed = false;
	#idle: (() => void) | undefined;

	/** `maxThreads`: threads all lanes may use together. */
	constructor(engine: Engine, maxThreads: number) {
		this.#engine = engine;
		this.#maxThreads = maxThreads;
	}

	/** Settles with the clip's result, or rejects with an EarshotError: `cancelled` when the signal fires. */
	submit(submission: Submission): Promise<ClipResult> {
		if (this.#closed) return Promise.reject(new EarshotError('closed', 'the model is being unloaded'));
		if (submission.signal.aborted) return Promise.reject(cancelled());
		return new Promise((settle, fail) => {
			this.#watch(submission.recording, submission.signal);
			this.#queue.push(submission.recording, { ...submission, settle, fail });
			this.#dispatch();
		});
	}

	/** Refuses what waits, lets what runs finish, then closes the engine. */
	async close(): Promise<void> {
		if (!this.#closed) {
			this.#closed = true;
			for (const waiting of this.#queue.lines.flatMap((line) => line.waiting)) {
				waiting.fail(new EarshotError('closed', 'the model is being unloaded'));
			}
			this.#queue.take(this.#queue.lines.flatMap((line) => line.waiting));
			if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
		}
		await this.#engine.close();
	}

	/** Clips of a recording that nobody waits for any more vanish from the queue at once. */
	#watch(recording: object, signal: AbortSignal): void {
		if (this.#watched.has(recording)) return;
		this.#watched.add(recording);
		signal.addEventListener(
			'abort',
			() => {
				for (const waiting of this.#queue.drop(recording)) waiting.fail(cancelled());
			},
			{ once: true },
		);
	}

	#dispatch(): void {
		while (this.#running < this.#engine.limits.lanes) {
			const batch = pickBatch(this.#queue.lines, this.#batchLimits());
			if (batch.length === 0) return;
			this.#queue.take(batch);
			void this.#run(batch);
		}
	}

	/** Settles the clip; never rejects. */
	async #runAlone(waiting: Waiting, threads: number): Promise<void> {
		try {
			const { clip, options, signal } = waiting;
			const [result] = await this.#engine.run({ clips: [clip], options, threads }, signal);
			if (result) waiting.settle(result);
			else waiting.fail(new EarshotError('engine_failed', 'the engine gave no result for a clip'));
		} catch (thrown) {
			waiting.fail(waiting.signal.aborted ? cancelled() : asEarshotError(thrown));
		}
	}

	/** A batch takes no more than its share of what waits: lanes that stay empty would be worse than small batches. */
	#batchLimits(): Limits {
		const { limits } = this.#engine;
		if (limits.maxBatchClips === 1) return limits;
		const waiting = this.#queue.lines.reduce((sum, line) => sum + line.waiting.length, 0);
		const share = Math.max(1, Math.ceil(waiting / (limits.lanes - this.#running)));
		return { ...limits, maxBatchClips: Math.min(limits.maxBatchClips, share) };
	}

	/** Settles its own clips; never rejects. */
	async #run(batch: readonly Waiting[]): Promise<void> {
		const options = batch[0]?.options;
		if (!options) return;
		// All cores to one clip when nothing else wants them; one share per lane otherwise.
		const alone = this.#running === 0 && this.#queue.isEmpty;
		const threads = alone
			? this.#maxThreads
			: Math.max(1, Math.floor(this.#maxThreads / this.#engine.limits.lanes));
		this.#running++;
		const { signal, release } = whenAllGone(batch.map((waiting) => waiting.signal));
		try {
			for (const waiting of batch) waiting.onStart?.();
			const results = await this.#engine.run(
				{ clips: batch.map(({ clip }) => clip), options, threads },
				signal,
			);
			batch.forEach((waiting, index) => {
				const result = results[index];
				if (waiting.signal.aborted) waiting.fail(cancelled());
				else if (result) waiting.settle(result);
				else waiting.fail(new EarshotError('engine_failed', 'the engine gave no result for a clip'));
			});
		} catch (thrown) {
			const error = asEarshotError(thrown);
			// One of them failed, and which is not known: each has its own try, and its own end.
			const again = batch.length > 1 && error.code === 'engine_failed';
			for (const waiting of batch) {
				if (waiting.signal.aborted) waiting.fail(cancelled());
				else if (again) await this.#runAlone(waiting, threads);
				else waiting.fail(error);
			}
		} finally {
			release();
			this.#running--;
			if (this.#running === 0) this.#idle?.();
			this.#dispatch();
		}
	}
}

function cancelled(): EarshotError {
	return new EarshotError('cancelled', 'the recording was cancelled');
}

/** Aborts once every one of `signals` has: a batch runs on while anybody waits for it. */
function whenAllGone(signals: readonly AbortSignal[]): { signal: AbortSignal; release: () => void } {
	const all = new AbortController();
	const check = () => {
		if (signals.every((signal) => signal.aborted)) all.abort();
	};
	for (const signal of signals) signal.addEventListener('abort', check);
	return {
		signal: all.signal,
		release: () => {
			for (const signal of signals) signal.removeEventListener('abort', check);
		},
	};
}
