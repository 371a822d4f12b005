/** Reports the scheduler's state to the server, a few times a second while it changes. */

import type { BatchReport, RunnerReport } from '../../core/metrics.js';
import type { Scheduler, SchedulerObserver } from '../../scheduler/scheduler.js';

/** Interval of the reports: rare enough to cost nothing, often enough for monitoring. */
const everyMs = 200;

export class Reporter implements SchedulerObserver {
	readonly #scheduler: Scheduler;
	readonly #send: (report: RunnerReport) => void;
	#batches: BatchReport[] = [];
	#timer: NodeJS.Timeout | undefined;

	constructor(scheduler: Scheduler, send: (report: RunnerReport) => void) {
		this.#scheduler = scheduler;
		this.#send = send;
		scheduler.observer = this;
	}

	ran(batch: BatchReport): void {
		this.#batches.push(batch);
	}

	changed(): void {
		this.#timer ??= setTimeout(() => this.flush(), everyMs).unref();
	}

	/** Sends what has not been reported yet. */
	flush(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const batches = this.#batches;
		this.#batches = [];
		this.#send({ state: this.#scheduler.state, batches });
	}
}
