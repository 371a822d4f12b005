import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readBlob } from '../../../src/jobs/blobs.js';
import { openFolderJobs } from '../../../src/jobs/folder/folder-jobs.js';
import { historyOf, UnitJournal, wholeLines } from '../../../src/jobs/folder/unit-journal.js';
import { newJobId } from '../../../src/jobs/job.js';
import { maxAttempts } from '../../../src/jobs/queue.js';
import { clipOf, job, unit } from '../../contract/jobs/storage.contract.js';
import { FakeClock } from '../../helpers/fakes.js';

function folder(): string {
	const made = mkdtempSync(path.join(tmpdir(), 'earshot-journal-'));
	onTestFinished(() => rmSync(made, { recursive: true, force: true }));
	return made;
}

it.each(['{"clip":{"clip":1', '\0\0\0\0', '{"clip":', '{}x\n'])(
	'a torn end (%j) counts for nothing',
	(torn) => {
		const whole = `${JSON.stringify({ lease: 1 })}\n${JSON.stringify({ clip: clipOf(0) })}\n`;
		const { lines, size } = wholeLines(Buffer.from(whole + torn));
		expect(lines).toHaveLength(2);
		expect(size).toBe(whole.length);
	},
);

it('every prefix of a journal is a history with the clips before it', () => {
	const lines = [
		{ unit: unit() },
		{ lease: 1 },
		{ clip: clipOf(0) },
		{ lease: 2 },
		{ clip: clipOf(1) },
		{ done: { key: 'r', size: 1, sha256: '' } },
	];
	const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
	let before = 0;
	for (let end = 0; end <= bytes.length; end++) {
		const { clips } = historyOf(wholeLines(bytes.subarray(0, end)).lines);
		expect(clips.length).toBeGreaterThanOrEqual(before);
		expect(clips).toEqual([clipOf(0), clipOf(1)].slice(0, clips.length));
		before = clips.length;
	}
	expect(before).toBe(2);
});

it('clips behind a gap are not believed', () => {
	expect(historyOf([{ clip: clipOf(0) }, { clip: clipOf(2) }]).clips).toEqual([clipOf(0)]);
});

it('leases that just stop are deaths, until a clip comes or one is given back', () => {
	const deaths = (...lines: Parameters<typeof historyOf>[0]) => historyOf(lines).deaths;
	expect(deaths({ lease: 1 }, { lease: 2 })).toBe(2);
	expect(deaths({ lease: 1 }, { lease: 2 }, { clip: clipOf(0) }, { lease: 3 })).toBe(2);
	expect(deaths({ lease: 1 }, { lease: 2 }, { released: 2 })).toBe(0);
	expect(deaths({ lease: 1 }, { failed: { code: 'internal', message: '' } }, { again: true })).toBe(0);
});

it('what is torn is cut off, so that later lines are whole', async () => {
	const file = path.join(folder(), 'part-0.jsonl');
	const first = (await UnitJournal.open(file, () => 0)).journal;
	await first.append({ clip: clipOf(0) }, true);
	await first.close();
	appendFileSync(file, '{"clip":{"cl');
	const { journal, history } = await UnitJournal.open(file, () => 0);
	expect(history.clips).toEqual([clipOf(0)]);
	await journal.append({ clip: clipOf(1) }, false);
	await journal.close();
	expect(wholeLines(readFileSync(file)).lines).toHaveLength(2);
});

it('a unit over which three servers have died in a row has failed, with the second where that was', async () => {
	const place = path.join(folder(), 'jobs');
	const given = unit();
	const file = path.join(place, given.jobId, 'part-0.jsonl');
	const storage = await openFolderJobs(place, new FakeClock());
	await storage.store.create(job({ id: given.jobId }));
	await storage.queue.enqueue(given);
	await storage.close();
	appendFileSync(file, `${JSON.stringify({ lease: 1 })}\n${JSON.stringify({ clip: clipOf(0) })}\n`);
	for (let lease = 2; lease <= maxAttempts; lease++) appendFileSync(file, `${JSON.stringify({ lease })}\n`);
	const next = await openFolderJobs(place, new FakeClock());
	onTestFinished(() => next.close());
	const [state] = await next.queue.units(given.jobId);
	expect(state).toMatchObject({ state: 'failed', error: { code: 'engine_failed' } });
	expect(JSON.stringify(state)).toContain('3 times in a row after second 1');
});

/** The disk has room for half of what is written, until the returned function is called. */
async function fillDisk(): Promise<() => void> {
	const file = path.join(folder(), 'any');
	const handle = await open(file, 'w');
	const prototype = Object.getPrototypeOf(handle) as typeof handle;
	await handle.close();
	const original = prototype.appendFile;
	const spy = vi.spyOn(prototype, 'appendFile').mockImplementation(async function (
		this: typeof handle,
		data,
	) {
		const bytes = Buffer.from(data as Uint8Array);
		await original.call(this, bytes.subarray(0, bytes.length / 2));
		throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
	});
	onTestFinished(() => spy.mockRestore());
	return () => spy.mockRestore();
}

it('on a full disk a clip is kept in memory, and comes to the disk with a later one, whole', async () => {
	const file = path.join(folder(), 'part-0.jsonl');
	const { journal } = await UnitJournal.open(file, () => 0);
	await journal.append({ clip: clipOf(0) }, false);
	const free = await fillDisk();
	await journal.append({ clip: clipOf(1) }, false);
	await expect(journal.append({ released: 1 }, true)).rejects.toMatchObject({ code: 'ENOSPC' });
	expect((await journal.read()).clips).toEqual([clipOf(0), clipOf(1)]);
	expect(wholeLines(readFileSync(file)).lines).toEqual([{ clip: clipOf(0) }]);
	free();
	await journal.append({ clip: clipOf(2) }, false);
	await journal.close();
	expect(historyOf(wholeLines(readFileSync(file)).lines).clips).toEqual([clipOf(0), clipOf(1), clipOf(2)]);
});

it('on a full disk no blob is half there, and none that was there is lost', async () => {
	const storage = await openFolderJobs(path.join(folder(), 'jobs'), new FakeClock());
	onTestFinished(() => storage.close());
	const bytes = async function* (text: string) {
		yield Buffer.from(text);
	};
	const key = `${newJobId()}/audio`;
	await storage.blobs.put(key, bytes('first'));
	await fillDisk();
	await expect(storage.blobs.put(key, bytes('second'))).rejects.toMatchObject({ code: 'ENOSPC' });
	expect((await readBlob(storage.blobs, key)).toString()).toBe('first');
});
