/** Tracks the pulls of this process: one per model, shared by all callers. */

import { asEarshotError, type EarshotError } from '../../core/errors.js';
import type { Manifest } from '../store/store.js';
import type { PullProgress } from './deps.js';

/** `waiting`: another process is pulling the same model. */
export type PullState = 'starting' | PullProgress['state'] | 'failed' | 'cancelled';

export interface PullStatus {
	readonly id: string;
	readonly state: PullState;
	/** The file being downloaded. */
	readonly file: string;
	readonly received: number;
	readonly total: number | null;
	/** Why a source was abandoned for the next one; kept in all later reports. */
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

	/** `work` must end when its signal aborts. */
	constructor(id: string, work: (signal: AbortSignal) => AsyncIterable<PullProgress>) {
		this.id = id;
		this.#status = { id, state: 'starting', file: '', received: 0, total: null };
		this.#finished = this.#run(work);
	}

	get status(): PullStatus {
		return this.#status;
	}

	/** Never rejects: a failure is a status. */
	get finished(): Promise<PullStatus> {
		return this.#finished;
	}

	get isRunning(): boolean {
		return !['done', 'failed', 'cancelled'].includes(this.#status.state);
	}

	/** The current status and every change, up to the last one. A slow reader skips some. */
	async *statuses(signal: AbortSignal): AsyncGenerator<PullStatus> {
		let last: PullStatus | undefined;
		while (!signal.aborted) {
			if (this.#status !== last) {
				last = this.#status;
				yield last;
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
			for await (const progress of work(this.#stop.signal)) this.#setStatus({ id: this.id, ...progress });
			if (this.isRunning) this.#setStatus({ ...this.#status, state: 'cancelled' });
		} catch (thrown) {
			const error = asEarshotError(thrown);
			const state = error.code === 'cancelled' ? 'cancelled' : 'failed';
			this.#setStatus({ ...this.#status, state, error });
		}
		return this.#status;
	}

	#setStatus(status: PullStatus): void {
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
	readonly #pulls = new Map<string, Pull>();

	/** The last pull of that model, running or ended. */
	find(id: string): Pull | undefined {
		return this.#pulls.get(id);
	}

	/** Joins the running pull, else starts one. */
	start(id: string, work: (signal: AbortSignal) => AsyncIterable<PullProgress>): Pull {
		const running = this.#pulls.get(id);
		if (running?.isRunning) return running;
		const pull = new Pull(id, work);
		this.#pulls.set(id, pull);
		return pull;
	}

	async close(): Promise<void> {
		await Promise.all([...this.#pulls.values()].map((pull) => pull.cancel()));
	}
}
