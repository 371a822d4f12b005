/** Events of a job, for one who watches it: messages say that there is news, and the records what it is. */

import type { JobEvent } from '../jobs/queue.js';
import type { ClipEvent } from '../speech/events.js';
import type { UnitRecord } from './core/unit-record.js';
import type { Records } from './records/records.js';
import { clipsOf, topicOfJob } from './unit-keys.js';

export async function* watchUnits(
	records: Records,
	jobId: string,
	unitsOf: () => Promise<readonly UnitRecord[]>,
	signal: AbortSignal,
): AsyncGenerator<JobEvent> {
	const news: string[] = [];
	let wake = () => {};
	const stop = await records.subscribe(topicOfJob(jobId), (message) => {
		// One reading finds all clips that have come meanwhile.
		if (!news.includes(message)) news.push(message);
		wake();
	});
	const end = () => wake();
	signal.addEventListener('abort', end);
	try {
		const sent = new Map((await unitsOf()).map(({ unit: { part }, clips }) => [part, clips]));
		while (!signal.aborted) {
			const message = news.shift();
			if (message === undefined) {
				await new Promise<void>((resolve) => {
					wake = resolve;
					if (news.length > 0 || signal.aborted) resolve();
				});
			} else if (message === 'clip') yield* newClips(records, await unitsOf(), sent);
			else if (message === 'progress') yield progressOf(await unitsOf());
			else yield { type: 'changed' };
		}
	} finally {
		signal.removeEventListener('abort', end);
		stop();
	}
}

/** `sent`: how many clips of each part have been sent. */
async function* newClips(
	records: Records,
	units: readonly UnitRecord[],
	sent: Map<number, number>,
): AsyncGenerator<JobEvent> {
	for (const { unit, clips } of units) {
		const from = sent.get(unit.part) ?? 0;
		if (clips <= from) continue;
		const lines = await records.list(clipsOf(unit), from);
		sent.set(unit.part, from + lines.length);
		for (const line of lines) yield { type: 'clip', part: unit.part, clip: JSON.parse(line) as ClipEvent };
	}
}

function progressOf(units: readonly UnitRecord[]): JobEvent {
	const durations = units.map(({ duration }) => duration);
	return {
		type: 'progress',
		processed: units.reduce((sum, { processed }) => sum + processed, 0),
		duration: durations.includes(null) ? null : durations.reduce<number>((sum, each) => sum + (each ?? 0), 0),
	};
}
