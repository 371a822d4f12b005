/** A long recording on several workers, from the submission to the result. */

import { describe, expect, it, vi } from 'vitest';
import { EarshotError } from '../../../src/core/errors.js';
import type { ResultBlob } from '../../../src/jobs/contents.js';
import { type JobsInMemory, jobsInMemory } from '../../helpers/cluster/divided-jobs.js';
import { gate } from '../../helpers/fakes.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

vi.setConfig({ testTimeout: 120_000 });

/** 16 clips of 20 s, so that there are three groups. */
function arrange({ seconds = 400, declared = seconds }: { seconds?: number; declared?: number | null } = {}) {
	const spans = Array.from({ length: Math.floor(seconds / 25) }, (_, at) => ({
		start: at * 25 + 2,
		end: at * 25 + 22,
	}));
	const recording = new ScriptedRecording(seconds, spans);
	recording.declared = declared;
	return { recording, jobs: jobsInMemory(recording) };
}

/** Removes so many results with such a name as soon as each is stored, and gives their names. */
function loseResults({ storage: { blobs } }: JobsInMemory, name: RegExp, count: number): readonly string[] {
	const lost: string[] = [];
	const put = blobs.put.bind(blobs);
	blobs.put = async (key, source) => {
		const ref = await put(key, source);
		const last = key.split('/')[1] ?? '';
		if (name.test(last) && last.endsWith('.json') && lost.length < count) {
			lost.push(last);
			await blobs.delete(key);
		}
		return ref;
	};
	return lost;
}

async function whole(): Promise<ResultBlob['transcript']> {
	const { jobs } = arrange();
	jobs.worker('alone');
	const { id } = await jobs.submit({ mayDivide: false });
	return (await jobs.service.result(await jobs.ended(id))).transcript;
}

describe('a long recording', () => {
	it('is transcribed by several workers at once, with the transcript that one makes of it', async () => {
		const { jobs, recording } = arrange();
		// A worker that has a clip gets on only when another has one too: alone, none could end the job.
		const atWork = new Set<string>();
		const several = gate();
		jobs.onClip = ({ worker }) => {
			if (atWork.add(worker).size > 1) several.open();
			return several.promise;
		};
		for (const name of ['a', 'b', 'c']) jobs.worker(name, 1);
		const { id } = await jobs.submit();
		const job = await jobs.ended(id);
		expect(job).toMatchObject({ status: 'completed', durationSeconds: 400, attempts: 1, audio: null });
		expect(await jobs.storage.queue.units(id)).toHaveLength(4);
		const { transcript } = await jobs.service.result(job);
		expect(transcript).toEqual(await whole());
		expect(jobs.clipsRun.map(({ start }) => start).sort((a, b) => a - b)).toEqual(
			recording.spans.map(({ start }) => start - 0.3),
		);
		// Nothing is left of how it was made.
		expect(await jobs.blobsOf(id)).toEqual(['request.json', 'result.json']);
		expect(recording.open).toBe(0);
		expect(await jobs.metrics.render()).toMatch(/earshot_audio_seconds_total\{model="tiny"\} 397\.3/);
	});

	it.each([
		['is short', {}, { seconds: 250 }, []],
		['identifies speakers', { mayDivide: false }, {}, []],
	])('stays with one worker where it %s', async (_, more, how, fields) => {
		const { jobs } = arrange(how);
		for (const name of ['a', 'b']) jobs.worker(name, 1);
		const { id } = await jobs.submit({ ...more, fields });
		expect(await jobs.ended(id)).toMatchObject({ status: 'completed' });
		expect(await jobs.storage.queue.units(id)).toHaveLength(1);
	});

	it('of undeclared length is divided as well', async () => {
		const { jobs } = arrange({ declared: null });
		jobs.worker('a', 2);
		const { id } = await jobs.submit();
		const { transcript } = await jobs.service.result(await jobs.ended(id));
		expect(transcript).toEqual(await whole());
		expect(await jobs.storage.queue.units(id)).toHaveLength(4);
	});

	it('loses the clips in work of one group when a worker stops, and nothing of the others', async () => {
		const { jobs } = arrange();
		const held = gate();
		jobs.onClip = ({ worker, start }) => (worker === 'a' && start > 40 ? held.promise : undefined);
		const stopped = jobs.worker('a', 1);
		const { id } = await jobs.submit();
		await jobs.until(() => jobs.clipsRun.length === 2);
		jobs.worker('b', 2);
		await jobs.until(() => jobs.clipsRun.length >= 10);
		held.fail(new EarshotError('closed', 'it is stopped'));
		let isStopped = false;
		void stopped.stop().then(() => {
			isStopped = true;
		});
		await jobs.until(() => isStopped);
		const { transcript } = await jobs.service.result(await jobs.ended(id));
		expect(transcript).toEqual(await whole());
		const starts = jobs.clipsRun.map(({ start }) => start);
		expect(new Set(starts).size).toBe(starts.length);
	});

	it('that fails in one group says where, stops the others, and goes on with what there is when it is tried again', async () => {
		const { jobs } = arrange();
		let isBroken = true;
		const held = gate();
		held.promise.catch(() => {});
		jobs.onClip = ({ start }) => {
			if (isBroken && start > 150 && start < 160)
				throw new EarshotError('engine_failed', 'the engine crashed');
			return isBroken && start > 300 ? held.promise : undefined;
		};
		jobs.worker('a', 4);
		const { id } = await jobs.submit();
		const failed = await jobs.ended(id);
		expect(failed).toMatchObject({
			status: 'failed',
			error: {
				code: 'engine_failed',
				message: 'the engine crashed (from second 147 to 298 of the recording)',
			},
		});
		expect((await jobs.storage.queue.units(id)).map(({ state }) => state)).not.toContain('leased');
		isBroken = false;
		held.fail(new EarshotError('cancelled', 'it was cancelled'));
		const before = jobs.clipsRun.length;
		await jobs.service.retry(failed);
		const { transcript } = await jobs.service.result(await jobs.ended(id));
		expect(transcript).toEqual(await whole());
		expect(jobs.clipsRun.length - before).toBeLessThan(16);
		expect(await jobs.blobsOf(id)).toEqual(['request.json', 'result.json']);
	});

	it.each([
		['of a group', /^part-1-/],
		['of how it was cut', /^part-0-/],
	])('whose result %s is lost from the store is transcribed anew', async (_, name) => {
		const { jobs } = arrange();
		const lost = loseResults(jobs, name, 1);
		jobs.worker('a', 4);
		const { id } = await jobs.submit();
		const job = await jobs.ended(id, 500);
		expect(job).toMatchObject({ status: 'completed', attempts: 2 });
		expect((await jobs.service.result(job)).transcript).toEqual(await whole());
		expect(lost).toHaveLength(1);
		expect(await jobs.blobsOf(id)).toEqual(['request.json', 'result.json']);
	});

	it.each([
		['a group', true, /^part-1-/],
		['one worker', false, /^result\.json$/],
	])('whose result of %s is lost again and again fails, and says so', async (_, mayDivide, name) => {
		const { jobs } = arrange();
		const lost = loseResults(jobs, name, 3);
		jobs.worker('a', 4);
		const { id } = await jobs.submit({ mayDivide });
		const failed = await jobs.ended(id, 500);
		expect(failed).toMatchObject({ status: 'failed', attempts: 3, error: { code: 'internal' } });
		expect(failed.error?.message).toBe(
			'What was transcribed was missing from the store of recordings 3 times: see that nothing else removes files there, then try the job again',
		);
		expect(lost).toHaveLength(3);
		expect(await jobs.blobsOf(id)).toEqual(['audio', 'request.json']);
		await jobs.service.retry(failed);
		const again = await jobs.ended(id, 500);
		expect(again).toMatchObject({ status: 'completed' });
		expect((await jobs.service.result(again)).transcript).toEqual(await whole());
	});

	it('waits for a store of recordings that is away as a whole', async () => {
		const { jobs } = arrange();
		const { blobs } = jobs.storage;
		const get = blobs.get.bind(blobs);
		let isAway = false;
		jobs.storage.blobs.get = (key, range) => get(isAway ? 'trj_none/none' : key, range);
		jobs.worker('a', 4);
		const { id } = await jobs.submit();
		await jobs.until(async () => {
			const units = await jobs.storage.queue.units(id);
			isAway = units.length > 3 && units.some(({ state }) => state === 'done');
			return isAway;
		});
		let turns = 0;
		await jobs.until(async () => {
			await jobs.service.settle(id).catch(() => {});
			return turns++ > 300;
		}, 500);
		expect((await jobs.storage.store.get(id))?.status).toBe('in_progress');
		isAway = false;
		expect(await jobs.ended(id)).toMatchObject({ status: 'completed', attempts: 1 });
	});

	it('that is cancelled ends at all workers, and leaves nothing', async () => {
		const { jobs } = arrange();
		const held = gate();
		held.promise.catch(() => {});
		jobs.onClip = () => held.promise;
		for (const name of ['a', 'b', 'c']) jobs.worker(name, 1);
		const { id } = await jobs.submit();
		await jobs.until(async () =>
			(await jobs.storage.queue.units(id)).slice(1).some(({ state }) => state === 'leased'),
		);
		expect(await jobs.service.cancelOrDelete((await jobs.storage.store.get(id))!)).toBe('cancelled');
		held.fail(new EarshotError('cancelled', 'it was cancelled'));
		await jobs.until(async () => (await jobs.storage.queue.units(id)).length === 0);
		for (let turn = 0; turn < 50; turn++) await jobs.until(() => true);
		expect(jobs.clipsRun).toEqual([]);
		expect((await jobs.storage.store.get(id))?.status).toBe('cancelled');
		expect((await jobs.blobsOf(id)).filter((name) => name.endsWith('.json'))).toEqual(['request.json']);
	});

	it('reports its progress, and its text so far in order', async () => {
		const { jobs } = arrange();
		const held = gate();
		jobs.onClip = ({ start }) => (start < 140 ? held.promise : undefined);
		// One group each: the clips that wait would keep a second one's from the slots.
		for (const name of ['a', 'b', 'c']) jobs.worker(name, 1);
		const { id } = await jobs.submit();
		await jobs.until(() => jobs.clipsRun.length === 10);
		await jobs.until(async () => {
			const units = await jobs.storage.queue.units(id);
			return units.filter(({ state }) => state === 'done').length === 3;
		});
		expect(await jobs.storage.queue.clips(id)).toEqual([]);
		const progress = await jobs.storage.queue.progress(id);
		expect(progress).toMatchObject({ duration: 400, ahead: null });
		expect(progress?.processed).toBeCloseTo(250, 0);
		expect((await jobs.storage.store.get(id))?.status).toBe('in_progress');
		held.open();
		expect(await jobs.ended(id)).toMatchObject({ status: 'completed' });
	});
});
