/** Events of a job for a watcher: messages only signal a change, and the records are then read to find what it is. */

import type { Clock } from '../core/clock.js';
import type { JobEvent } from '../jobs/queue.js';
import { ClipReader } from './clip-reader.js';
import { progressOf } from './core/job-progress.js';
import type { UnitRecord } from './core/unit-record.js';
import type { Records } from './records/records.js';
import { topicOfJob } from './unit-keys.js';

/** Poll interval: a message may be lost, for example while the queue server restarts. */
const pollIntervalMs = 10_000;

export interface WatchOptions {
	readonly records: Records;
	readonly clock: Clock;
	readonly unitsOf: () => Promise<readonly UnitRecord[]>;
}

/** The first event is `changed`; nothing after it is missed, but events before it may have been. */
export async function* watchUnits(
	jobId: string,
	signal: AbortSignal,
	{ records, clock, unitsOf }: WatchOptions,
): AsyncGenerator<JobEvent> {
	const messages: string[] = ['changed'];
	let wake = () => {};
	const add = (message: string): void => {
		// One read of the records finds all clips that have finished in the meantime.
		if (!messages.includes(message)) messages.push(message);
		wake();
	};
	const stop = await records.subscribe(topicOfJob(jobId), add);
	const stopPolling = clock.every(pollIntervalMs, () => add('changed'));
	const end = () => wake();
	signal.addEventListener('abort', end);
	try {
		const clips = new ClipReader(records);
		await clips.next(await unitsOf());
		while (!signal.aborted) {
			const message = messages.shift();
			if (message === undefined) {
				await new Promise<void>((resolve) => {
					wake = resolve;
					if (messages.length > 0 || signal.aborted) resolve();
				});
			} else if (message === 'progress') yield { type: 'progress', ...progressOf(await unitsOf()) };
			else {
				// When a group finishes, finished clips of the next group become readable too.
				for (const clip of await clips.next(await unitsOf())) yield { type: 'clip', clip };
				if (message !== 'clip') yield { type: 'changed' };
			}
		}
	} finally {
		signal.removeEventListener('abort', end);
		stopPolling();
		stop();
	}
}
