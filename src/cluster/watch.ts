/** Events of a job, for one who watches it: messages say that there is news, and the records what it is. */

import type { Clock } from '../clock.js';
import type { JobEvent } from '../jobs/queue.js';
import { ClipReader } from './clip-reader.js';
import { heardOf } from './core/job-progress.js';
import type { UnitRecord } from './core/unit-record.js';
import type { Records } from './records/records.js';
import { topicOfJob } from './unit-keys.js';

/** A message may be lost, as while the server of the queue restarts. */
const lookEveryMs = 10_000;

export interface WatchOptions {
	readonly records: Records;
	readonly clock: Clock;
	readonly unitsOf: () => Promise<readonly UnitRecord[]>;
}

/** The first event is `changed`, after which nothing is missed: what came before may have been. */
export async function* watchUnits(
	jobId: string,
	signal: AbortSignal,
	{ records, clock, unitsOf }: WatchOptions,
): AsyncGenerator<JobEvent> {
	const news: string[] = ['changed'];
	let wake = () => {};
	const add = (message: string): void => {
		// One reading finds all clips that have come meanwhile.
		if (!news.includes(message)) news.push(message);
		wake();
	};
	const stop = await records.subscribe(topicOfJob(jobId), add);
	const stopLooking = clock.every(lookEveryMs, () => add('changed'));
	const end = () => wake();
	signal.addEventListener('abort', end);
	try {
		const clips = new ClipReader(records);
		await clips.next(await unitsOf());
		while (!signal.aborted) {
			const message = news.shift();
			if (message === undefined) {
				await new Promise<void>((resolve) => {
					wake = resolve;
					if (news.length > 0 || signal.aborted) resolve();
				});
			} else if (message === 'progress') yield { type: 'progress', ...heardOf(await unitsOf()) };
			else {
				// A group that is done lets out the clips of the next one, too.
				for (const clip of await clips.next(await unitsOf())) yield { type: 'clip', clip };
				if (message !== 'clip') yield { type: 'changed' };
			}
		}
	} finally {
		signal.removeEventListener('abort', end);
		stopLooking();
		stop();
	}
}
