/** What every implementation of the interfaces of jobs does: the folder, and queues and stores elsewhere. */

import { describe, expect, onTestFinished, test } from 'vitest';
import type { ClipEvent } from '../../../src/core/speech/events.js';
import { jsonBytes, readBlob } from '../../../src/jobs/blobs.js';
import { type Job, newJobId } from '../../../src/jobs/job.js';
import { type JobEvent, type Unit, type UnitLease, unitSchema } from '../../../src/jobs/queue.js';
import type { JobStorage } from '../../../src/jobs/storage.js';

export interface StorageContract {
	/** A new and empty one. */
	open(): Promise<JobStorage>;
	/** One with what an earlier one that was closed has left. */
	reopen(closed: JobStorage): Promise<JobStorage>;
	/** Lets the delays of failed units pass. */
	passTime(ms: number): Promise<void>;
	/** How long an event may take to come, ms. */
	readonly patienceMs: number;
}

const caps = { schema: unitSchema };

export function job(given: Partial<Job> = {}): Job {
	const id = given.id ?? newJobId();
	return {
		...{ id, version: 1, status: 'queued', owner: 'local', task: 'transcribe', model: 'tiny' },
		...{ priority: 'normal', format: 'json', metadata: {}, fingerprint: 'f', repeatKeys: [], bytes: 3 },
		...{ request: { key: `${id}/request.json`, size: 2, sha256: '' }, estimatedSeconds: 10, createdAt: 1000 },
		...{ audio: { key: `${id}/audio`, size: 3, sha256: '' }, startedAt: null, completedAt: null },
		...{ expiresAt: null, readAt: null, attempts: 0, durationSeconds: null, error: null, result: null },
		...{ isPublished: false, ...given },
	};
}

export function unit(given: Partial<Unit> = {}): Unit {
	return {
		...{ jobId: newJobId(), part: 0, model: 'tiny', class: 'normal', tenant: 'local', seconds: 10 },
		...{ schema: unitSchema, queuedAt: 1000, ...given },
	};
}

export const clipOf = (clip: number): ClipEvent => ({
	...{ type: 'clip', clip, start: clip, segments: [], language: 'en', processed: clip + 1 },
});

export function storageContract(name: string, contract: StorageContract): void {
	async function open(): Promise<JobStorage> {
		const storage = await contract.open();
		onTestFinished(() => storage.close());
		return storage;
	}

	async function leased(storage: JobStorage): Promise<UnitLease> {
		const lease = await storage.queue.lease(caps, { waitMs: contract.patienceMs });
		if (lease === null) throw new Error('nothing to lease');
		return lease;
	}

	describe(`the store of ${name}`, () => {
		test('keeps a job, and each change once', async () => {
			const { store } = await open();
			const made = job({ metadata: { who: 'me' } });
			expect(await store.create(made)).toEqual({ job: made, isNew: true });
			expect(await store.get(made.id)).toEqual(made);
			const begun = await store.update(made.id, 1, { status: 'in_progress', attempts: 1 });
			expect(begun).toMatchObject({ status: 'in_progress', attempts: 1, version: 2 });
			expect(await store.update(made.id, 1, { status: 'cancelled' })).toBeUndefined();
			expect(await store.get(made.id)).toEqual(begun);
			await expect(store.update(made.id, 2, { status: 'expired' })).rejects.toMatchObject({
				code: 'conflict',
			});
			expect(await store.delete(made.id)).toBe(true);
			expect(await store.delete(made.id)).toBe(false);
			expect(await store.get(made.id)).toBeUndefined();
			expect(await store.update(made.id, 2, { isPublished: true })).toBeUndefined();
		});

		test('of twenty changes of one version lets one win', async () => {
			const { store } = await open();
			const { id } = (await store.create(job())).job;
			const changes = await Promise.all(
				Array.from({ length: 20 }, (_, attempts) => store.update(id, 1, { attempts })),
			);
			expect(changes.filter((each) => each !== undefined)).toHaveLength(1);
		});

		test('of twenty jobs with one repeat key makes one, until its time is over or it is deleted', async () => {
			const { store } = await open();
			const repeatKeys = [{ key: 'k', until: 2000 }];
			const made = await Promise.all(Array.from({ length: 20 }, () => store.create(job({ repeatKeys }))));
			expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
			expect(new Set(made.map((each) => each.job.id)).size).toBe(1);
			const later = [{ key: 'k', until: 3000 }];
			expect((await store.create(job({ createdAt: 1999, repeatKeys: later }))).isNew).toBe(false);
			const second = await store.create(job({ createdAt: 2001, repeatKeys: later }));
			expect(second.isNew).toBe(true);
			await store.delete(second.job.id);
			expect((await store.create(job({ createdAt: 2002, repeatKeys: later }))).isNew).toBe(true);
		});

		test('lists in pages, both ways, by owner, status and metadata', async () => {
			const { store } = await open();
			const jobs = [3, 1, 2].map((time) =>
				job({ createdAt: time, owner: time === 2 ? 'b' : 'a', metadata: { time: String(time) } }),
			);
			for (const each of jobs) await store.create(each);
			const ids = async (filter: Partial<Parameters<typeof store.list>[0]>) => {
				const page = await store.list({ limit: 10, order: 'asc', ...filter });
				return page.jobs.map(({ createdAt }) => createdAt);
			};
			expect(await ids({})).toEqual([1, 2, 3]);
			expect(await ids({ order: 'desc' })).toEqual([3, 2, 1]);
			expect(await ids({ owner: 'a' })).toEqual([1, 3]);
			expect(await ids({ metadata: { time: '2' } })).toEqual([2]);
			expect(await ids({ metadata: { time: '2', other: 'x' } })).toEqual([]);
			expect(await ids({ status: 'failed' })).toEqual([]);
			const first = await store.list({ limit: 2, order: 'desc' });
			expect(first.hasMore).toBe(true);
			const after = first.jobs[1]?.id ?? '';
			expect(await store.list({ limit: 2, order: 'desc', after })).toMatchObject({
				jobs: [{ createdAt: 1 }],
				hasMore: false,
			});
			expect(await ids({ after: newJobId() })).toEqual([]);
		});

		test('lists unfinished and due jobs, and counts them', async () => {
			const { store } = await open();
			const all = async (jobs: AsyncIterable<Job>) => {
				const ids: string[] = [];
				for await (const { id } of jobs) ids.push(id);
				return ids;
			};
			const [later, sooner] = [job({ createdAt: 2 }), job({ createdAt: 1 })];
			const over = job({ status: 'cancelled', expiresAt: 500, isPublished: true, audio: null });
			const kept = job({ status: 'cancelled', expiresAt: 5000, isPublished: true, audio: null });
			const untold = job({ status: 'cancelled', expiresAt: 5000, audio: null });
			for (const each of [later, sooner, over, kept, untold]) await store.create(each);
			expect(await all(store.unfinished())).toEqual([sooner.id, later.id]);
			expect(new Set(await all(store.due(1000)))).toEqual(new Set([over.id, untold.id]));
			expect(await store.usage('local')).toMatchObject({
				jobs: 5,
				unfinishedOfOwner: 2,
				bytes: 6,
				byStatus: { queued: 2, cancelled: 3, completed: 0 },
			});
			expect(await store.usage('other')).toMatchObject({ unfinishedOfOwner: 0 });
		});

		test('keeps all when it is opened again', async () => {
			const storage = await contract.open();
			const made = job({ repeatKeys: [{ key: 'again', until: 5000 }] });
			await storage.store.create(made);
			const changed = await storage.store.update(made.id, 1, { status: 'in_progress' });
			await storage.close();
			const next = await contract.reopen(storage);
			onTestFinished(() => next.close());
			expect(await next.store.get(made.id)).toEqual(changed);
			expect((await next.store.create(job({ repeatKeys: made.repeatKeys }))).isNew).toBe(false);
		});
	});

	describe(`the queue of ${name}`, () => {
		test('hands a unit out once, and counts one result', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			await queue.enqueue(given);
			await queue.enqueue(given);
			expect(await queue.units(given.jobId)).toEqual([{ part: 0, state: 'waiting' }]);
			const lease = await leased(storage);
			expect(lease.unit).toEqual(given);
			expect(await queue.lease(caps)).toBeNull();
			expect(await queue.units(given.jobId)).toEqual([{ part: 0, state: 'leased' }]);
			const result = { key: `${given.jobId}/result.json`, size: 1, sha256: 'x' };
			expect(await lease.done(result)).toBe(true);
			expect(await lease.done(result)).toBe(false);
			expect(await queue.units(given.jobId)).toEqual([{ part: 0, state: 'done', result }]);
			await queue.enqueue(given);
			expect(await queue.lease(caps)).toBeNull();
		});

		test('keeps clips that are finished while others are being kept, in order, before it ends', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			await queue.enqueue(given);
			const lease = await leased(storage);
			const clips = Array.from({ length: 12 }, (_, index) => clipOf(index));
			const kept = Promise.all(clips.map((clip) => lease.checkpoint(clip)));
			const progress = lease.progress(1, 10);
			expect(await lease.release()).toBe(true);
			expect([...(await kept), await progress]).toEqual(Array(13).fill(true));
			expect(await queue.clips(given.jobId)).toEqual(clips);
			expect((await leased(storage)).clips).toEqual(clips);
		});

		test('keeps clips for the next lease, whose number is higher', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			await queue.enqueue(given);
			const first = await leased(storage);
			expect([first.clips, first.attempt]).toEqual([[], 1]);
			await first.checkpoint(clipOf(0));
			await first.checkpoint(clipOf(1));
			expect(await first.release()).toBe(true);
			expect(await first.checkpoint(clipOf(2))).toBe(false);
			expect(await first.renew()).toBe(false);
			const second = await leased(storage);
			expect(second.clips).toEqual([clipOf(0), clipOf(1)]);
			expect(second.number).toBeGreaterThan(first.number);
			expect(second.attempt).toBe(1);
			expect(await queue.clips(given.jobId)).toEqual([clipOf(0), clipOf(1)]);
			expect(await first.done({ key: 'late', size: 0, sha256: '' })).toBe(false);
			expect(await queue.progress(given.jobId)).toMatchObject({ processed: 2, ahead: null });
		});

		test('retries temporary failures after a delay, and not permanent ones', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			await queue.enqueue(given);
			const full = { code: 'disk_full', message: 'full' } as const;
			await (await leased(storage)).fail(full, true);
			expect(await queue.lease(caps)).toBeNull();
			await contract.passTime(6000);
			await (await leased(storage)).fail({ code: 'audio_unsupported', message: 'no' }, false);
			expect(await queue.units(given.jobId)).toMatchObject([
				{ part: 0, state: 'failed', error: { code: 'audio_unsupported' } },
			]);
			expect(await queue.lease(caps)).toBeNull();
			await queue.enqueue(given);
			expect((await leased(storage)).attempt).toBe(1);
		});

		test('that is cancelled is dropped, or lost by its worker', async () => {
			const storage = await open();
			const { queue } = storage;
			const [waiting, running] = [unit({ queuedAt: 2000 }), unit({ queuedAt: 1000 })];
			await queue.enqueue(running);
			const lease = await leased(storage);
			await queue.enqueue(waiting);
			await queue.cancel(running.jobId);
			await queue.cancel(waiting.jobId);
			await until(lease.signal);
			expect(lease.signal.reason).toMatchObject({ code: 'cancelled' });
			expect(await lease.done({ key: 'late', size: 0, sha256: '' })).toBe(false);
			expect(await queue.lease(caps)).toBeNull();
			expect(await queue.units(running.jobId)).toEqual([]);
		});

		test('fits: by model, by schema, and by what a worker is at', async () => {
			const storage = await open();
			const { queue } = storage;
			await queue.enqueue(unit({ model: 'big', tenant: 'a' }));
			expect(await queue.lease({ ...caps, models: ['tiny'] })).toBeNull();
			expect(await queue.lease({ ...caps, except: [{ model: 'big', tenant: 'a' }] })).toBeNull();
			expect(await queue.lease({ schema: unitSchema - 1 })).toBeNull();
			expect((await leased(storage)).unit.model).toBe('big');
		});

		test('wakes a worker that waits for work', async () => {
			const { queue } = await open();
			const waiting = queue.lease(caps, { waitMs: 60_000 });
			await queue.enqueue(unit());
			expect((await waiting)?.attempt).toBe(1);
			const control = new AbortController();
			const given = queue.lease(caps, { waitMs: 60_000, signal: control.signal });
			control.abort();
			expect(await given).toBeNull();
		});

		test('reports its depth and the position in it', async () => {
			const { queue } = await open();
			const units = [
				unit({ queuedAt: 1, seconds: 5 }),
				unit({ queuedAt: 2, seconds: 7 }),
				unit({ queuedAt: 3, class: 'bulk' }),
			];
			for (const each of units) await queue.enqueue(each);
			const depth = await queue.depth();
			expect(depth).toContainEqual({
				...{ model: 'tiny', class: 'normal', units: 2, seconds: 12, oldestQueuedAt: 1 },
			});
			expect(depth).toContainEqual({
				...{ model: 'tiny', class: 'bulk', units: 1, seconds: 10, oldestQueuedAt: 3 },
			});
			expect((await queue.progress(units[1]?.jobId ?? ''))?.ahead).toEqual({ units: 1, seconds: 5 });
			expect(await queue.progress(newJobId())).toBeNull();
		});

		test('sends events to watchers', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			const control = new AbortController();
			const events: JobEvent[] = [];
			const watching = (async () => {
				for await (const event of queue.watch(given.jobId, control.signal)) {
					events.push(event);
					if (event.type === 'progress') control.abort();
				}
			})();
			await queue.enqueue(given);
			const lease = await leased(storage);
			await lease.checkpoint(clipOf(0));
			await lease.progress(1, 2);
			await watching;
			expect(events).toContainEqual({ type: 'clip', clip: clipOf(0) });
			expect(events.at(-1)).toEqual({ type: 'progress', processed: 1, duration: 2 });
			expect(events[0]).toEqual({ type: 'changed' });
		});

		test('removes a unit, and accepts the same one again', async () => {
			const storage = await open();
			const { queue } = storage;
			const given = unit();
			await queue.enqueue(given);
			const lease = await leased(storage);
			await lease.checkpoint(clipOf(0));
			await queue.forget(given.jobId);
			expect(await lease.renew()).toBe(false);
			expect(await queue.clips(given.jobId)).toEqual([]);
			await queue.enqueue(given);
			expect((await leased(storage)).clips).toEqual([]);
		});

		test('keeps what is unfinished when it is opened again', async () => {
			const storage = await contract.open();
			const given = unit();
			await storage.store.create(job({ id: given.jobId }));
			await storage.queue.enqueue(given);
			const lease = await leased(storage);
			await lease.checkpoint(clipOf(0));
			await storage.close();
			expect(lease.signal.reason).toMatchObject({ code: 'closed' });
			const next = await contract.reopen(storage);
			onTestFinished(() => next.close());
			expect(await next.queue.units(given.jobId)).toEqual([{ part: 0, state: 'waiting' }]);
			const second = await leased(next);
			expect(second.clips).toEqual([clipOf(0)]);
			expect(second.number).toBeGreaterThan(lease.number);
		});
	});

	describe(`the blobs of ${name}`, () => {
		test('are stored whole or not at all, and read in parts', async () => {
			const { blobs } = await open();
			const key = `${newJobId()}/audio`;
			const ref = await blobs.put(key, pieces('hello ', 'world'));
			expect(ref).toEqual({
				key,
				size: 11,
				sha256: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
			});
			expect((await readBlob(blobs, key)).toString()).toBe('hello world');
			const part: Uint8Array[] = [];
			for await (const piece of blobs.get(key, { start: 6, end: 8 })) part.push(piece);
			expect(Buffer.concat(part).toString()).toBe('wo');
			await expect(
				blobs.put(
					key,
					(async function* () {
						yield Buffer.from('half');
						throw new Error('the client has gone');
					})(),
				),
			).rejects.toThrow('the client has gone');
			expect((await readBlob(blobs, key)).toString()).toBe('hello world');
		});

		test('are listed by prefix, and deleted', async () => {
			const { blobs } = await open();
			const [one, other] = [newJobId(), newJobId()];
			await blobs.put(`${one}/audio`, pieces('a'));
			await blobs.put(`${one}/result.json`, jsonBytes({}));
			await blobs.put(`${other}/audio`, pieces('b'));
			const keys = async (prefix: string) => {
				const found: string[] = [];
				for await (const { key } of blobs.list(prefix)) found.push(key);
				return found.sort();
			};
			expect(await keys(`${one}/`)).toEqual([`${one}/audio`, `${one}/result.json`]);
			expect(await keys('trj_')).toHaveLength(3);
			await blobs.delete(`${one}/audio`);
			await blobs.delete(`${one}/audio`);
			expect(await keys(`${one}/`)).toEqual([`${one}/result.json`]);
			await expect(readBlob(blobs, `${one}/audio`)).rejects.toMatchObject({ code: 'not_found' });
		});
	});
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
	for (const text of texts) yield Buffer.from(text);
}

function until(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		signal.addEventListener('abort', () => resolve());
	});
}
