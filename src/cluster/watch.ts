/** Events of a job, for one who watches it: messages say that there is news, and the records what it is. */

import type { Clock } from '../clock.js';
import type { JobEvent } from '../jobs/queue.js';
import { ClipReader } from './clip-reader.js';
import { heardOf } from './core/job-progress.js';
import type { UnitRecord } from './core/unit-record.js';
import type { Records } from './records/records.js';
import { topicOfJob } from './unit-keys.js';

/** A message may be lost. */
const lookEveryMs = 5000;

export interface Watched {
	readonly records: Records;
	readonly clock: Clock;
	readonly jobId: string;
	readonly unitsOf: () => Promise<readonly UnitRecord[]>;
}

/** The first event is `changed`, when the messages come: what was before is read then. */
export async function* watchUnits(
	{ records, clock, jobId, unitsOf }: Watched,
	signal: AbortSignal,
): AsyncGenerator<JobEvent> {
	const news = ['changed'];
	let wake = () => {};
	const stop = await records.subscribe(topicOfJob(jobId), (message) => {
		// One reading finds all clips that have come meanwhile.
		if (!news.includes(message)) news.push(message);
		wake();
	});
	const stopLooking = clock.every(lookEveryMs, () => {
		if (!news.includes('changed')) news.push('changed');
		wake();
	});
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
