/** The mark by which machines know that their blob store is the same. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { foreignStore } from '../../../src/cluster/blobs/same-blobs.js';
import { jsonBytes } from '../../../src/jobs/blobs.js';
import { FolderBlobs } from '../../../src/jobs/folder/folder-blobs.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the mark of a store', () => {
	const records = () => new MemoryRecords();
	const blobs = () => new FolderBlobs(mkdtempSync(path.join(folder, 'store-')));

	const check = (queue: MemoryRecords, store: FolderBlobs) => foreignStore(queue, store, setImmediate);

	test('is the same for all, whoever comes first', async () => {
		const [queue, store] = [records(), blobs()];
		const found: Promise<string | undefined>[] = [1, 2, 3].map(() =>
			foreignStore(queue, store, () => Promise.race(found)),
		);
		expect(await Promise.all(found)).toEqual([undefined, undefined, undefined]);
		expect(await check(queue, store)).toBeUndefined();
	});

	test('is missed in an empty folder before the first job too, however often it is checked', async () => {
		const [queue, store, other] = [records(), blobs(), blobs()];
		await check(queue, store);
		for (let times = 0; times < 2; times++)
			expect(await check(queue, other)).toMatch(/^is not the place that the other machines/);
		expect(await check(queue, store)).toBeUndefined();
	});

	test('can be put into a store that was emptied on purpose, as the message says', async () => {
		const [queue, emptied] = [records(), blobs()];
		await check(queue, blobs());
		const [, mark = ''] = /(\{.*\})$/.exec((await check(queue, emptied)) ?? '') ?? [];
		await emptied.put('earshot/store.json', jsonBytes(JSON.parse(mark)));
		expect(await check(queue, emptied)).toBeUndefined();
	});

	test('of another queue is refused, and a queue that was lost takes the one that is there', async () => {
		const [queue, store] = [records(), blobs()];
		await check(queue, store);
		const other = records();
		await check(other, blobs());
		expect(await check(other, store)).toBeDefined();
		expect(await check(records(), store)).toBeUndefined();
	});
});
