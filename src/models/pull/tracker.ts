/** PullTracker under way in this process: one job for each model, however many ask. */

import { asEarshotError, type EarshotError } from '../../errors.js';
import type { Manifest } from '../store/store.js';
import type { PullProgress } from './deps.js';

/** `waiting` is for another process that fetches the same model. */
export type PullState = 'starting' | PullProgress['state'] | 'failed' | 'cancelled';

export interface PullStatus {
	readonly id: string;
	readonly state: PullState;
	/** What is arriving now. */
	readonly file: string;
	readonly received: number;
	readonly total: number | null;
	/** Why a source was left for the next; stays from then on. */
	readonly warning?: string;
	/** With `done`. */
	readonly manifest?: Manifest;
	/** With `failed`. */
	readonly error?: EarshotError;
}

export class Pull {
	readonly id: string;
	readonly #stop = new AbortController();
	readonly #finished: Promise<PullStatus>;
	#status: PullStatus;
	#waiting: (() => void)[] = [];

	/** `work` ends when its signal fires. */
	constructor(id: string, work: (signal: AbortSignal) => AsyncIterable<PullProgress>) {
		this.id = id;
		this.#status = { id, state: 'starting', file: '', received: 0, total: null };
		this.#finished = this.#run(work);
	}

	get status(): PullStatus {
		return this.#status;
	}

	/** Never rejects: failing is a status. */
	get finished(): Promise<PullStatus> {
		return this.#finished;
	}

	get isRunning(): boolean {
		return !['done', 'failed', 'cancelled'].includes(this.#status.state);
	}

	/** The status now and whenever it changes, up to the last one. A slow reader misses some. */
	async *statuses(signal: AbortSignal): AsyncGenerator<PullStatus> {
		let told: PullStatus | undefined;
		while (!signal.aborted) {
			if (this.#status !== told) {
				told = this.#status;
				yield told;
			} else if (this.isRunning) {
				await this.#change(signal);
			} else {
				return;
			}
		}
	}

	cancel(): Promise<PullStatus> {
		this.#stop.abort();
		return this.#finished;
	}

	async #run(work: (signal: AbortSignal) => AsyncIterable<PullProgress>): Promise<PullStatus> {
		try {
			for await (const progress of work(this.#stop.signal)) this.#tell({ id: this.id, ...progress });
			if (this.isRunning) this.#tell({ ...this.#status, state: 'cancelled' });
		} catch (thrown) {
			const error = asEarshotError(thrown);
			const state = error.code === 'cancelled' ? 'cancelled' : 'failed';
			this.#tell({ ...this.#status, state, error });
		}
		return this.#status;
	}

	#tell(status: PullStatus): void {
		this.#status = status;
		for (const wake of this.#waiting.splice(0)) wake();
	}

	#change(signal: AbortSignal): Promise<void> {
		return new Promise((resolve) => {
			const wake = (): void => {
				signal.removeEventListener('abort', wake);
				resolve();
			};
			signal.addEventListener('abort', wake, { once: true });
			this.#waiting.push(wake);
		});
	}
}

export class PullTracker {
	readonly #jobs = new Map<string, Pull>();

	/** The last job of that model, running or over. */
	job(id: string): Pull | undefined {
		return this.#jobs.get(id);
	}

	/** Joins the job that runs, else starts one. */
	start(id: string, work: (signal: AbortSignal) => AsyncIterable<PullProgress>): Pull {
		const running = this.#jobs.get(id);
		if (running?.isRunning) return running;
		const job = new Pull(id, work);
		this.#jobs.set(id, job);
		return job;
	}

	async close(): Promise<void> {
		await Promise.all([...this.#jobs.values()].map((job) => job.cancel()));
	}
}
