/** In the runner: tells the server how the scheduler is doing, a few times a second while anything happens. */

import type { BatchReport, RunnerReport } from '../../metrics.js';
import type { Scheduler, SchedulerWatcher } from '../../scheduler/scheduler.js';

/** Rare enough to cost nothing, often enough for whoever watches. */
const everyMs = 200;

export class Reporter implements SchedulerWatcher {
	readonly #scheduler: Scheduler;
	readonly #send: (report: RunnerReport) => void;
	#batches: BatchReport[] = [];
	#timer: NodeJS.Timeout | undefined;

	constructor(scheduler: Scheduler, send: (report: RunnerReport) => void) {
		this.#scheduler = scheduler;
		this.#send = send;
		scheduler.watcher = this;
	}

	ran(batch: BatchReport): void {
		this.#batches.push(batch);
	}

	changed(): void {
		this.#timer ??= setTimeout(() => this.flush(), everyMs).unref();
	}

	/** What has not been told yet. */
	flush(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const batches = this.#batches;
		this.#batches = [];
		this.#send({ state: this.#scheduler.state, batches });
	}
}
