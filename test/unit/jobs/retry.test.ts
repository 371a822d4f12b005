/** A second try of a failed job, while other servers look after it. */

import { expect, test } from 'vitest';
import { type UnitLease, unitSchema } from '../../../src/jobs/queue.js';
import { jobsInMemory } from '../../helpers/cluster/divided-jobs.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

test('a job that is tried again waits, though another server sweeps just then', async () => {
	const jobs = jobsInMemory(new ScriptedRecording(10, [{ start: 2, end: 8 }]));
	const { queue, store } = jobs.storage;
	const { id } = await jobs.submit({ mayDivide: false });
	let lease: UnitLease | null = null;
	void queue.lease({ schema: unitSchema }, { waitMs: 60_000 }).then((found) => {
		lease = found;
	});
	await jobs.until(() => lease !== null);
	await (lease as UnitLease | null)?.fail({ code: 'internal', message: 'broken' }, false);
	const failed = await jobs.ended(id);
	expect(failed.status).toBe('failed');

	const enqueue = queue.enqueue.bind(queue);
	queue.enqueue = async (unit) => {
		await jobs.service.settle(id);
		await enqueue(unit);
		await jobs.service.settle(id);
	};
	expect((await jobs.service.retry(failed)).status).toBe('queued');
	await jobs.service.settle(id);
	expect(await store.get(id)).toMatchObject({ status: 'queued', error: null });
	jobs.worker('a');
	expect(await jobs.ended(id)).toMatchObject({ status: 'completed', error: null });
});
