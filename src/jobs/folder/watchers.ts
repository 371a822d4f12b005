/** Subscriptions to the events of jobs. */

import type { JobEvent } from '../queue.js';

/** Longest backlog of a slow subscriber; beyond it, one `changed` replaces all events, and it reads the job anew. */
const maxWaiting = 1000;

export class Watchers {
	readonly #watchers = new Map<string, Set<(event: JobEvent | undefined) => void>>();

	notify(jobId: string, event: JobEvent): void {
		for (const take of this.#watchers.get(jobId) ?? []) take(event);
	}

	/** Ends all subscriptions. */
	end(): void {
		for (const watchers of this.#watchers.values()) for (const take of [...watchers]) take(undefined);
	}

	/** Subscribes to events from this call on. */
	watch(jobId: string, signal: AbortSignal): AsyncIterable<JobEvent> {
		const waiting: JobEvent[] = [];
		let isEnded = signal.aborted;
		let wake = (): void => {};
		const take = (event: JobEvent | undefined): void => {
			if (event === undefined) isEnded = true;
			else if (waiting.length < maxWaiting) waiting.push(event);
			else waiting.splice(0, waiting.length, { type: 'changed' });
			if (isEnded) this.#remove(jobId, take);
			wake();
		};
		const end = (): void => take(undefined);
		if (!isEnded) {
			signal.addEventListener('abort', end, { once: true });
			const watchers = this.#watchers.get(jobId) ?? new Set();
			this.#watchers.set(jobId, watchers.add(take));
		}
		return (async function* () {
			try {
				for (;;) {
					const event = waiting.shift();
					if (event) yield event;
					else if (isEnded) return;
					else
						await new Promise<void>((resolve) => {
							wake = resolve;
						});
				}
			} finally {
				signal.removeEventListener('abort', end);
				end();
			}
		})();
	}

	#remove(jobId: string, take: (event: JobEvent | undefined) => void): void {
		const watchers = this.#watchers.get(jobId);
		watchers?.delete(take);
		if (watchers?.size === 0) this.#watchers.delete(jobId);
	}
}
