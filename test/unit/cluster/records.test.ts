/** One suite for the records of a cluster, wherever they are kept. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeRecord, type Records } from '../../../src/cluster/records/records.js';
import { queueServers } from '../../helpers/cluster/clients.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';

interface Place {
	readonly name: string;
	readonly skip: string | undefined;
	start(): Promise<{ records: Records; close(): Promise<void> }>;
}

const places: readonly Place[] = [
	{
		name: 'in memory',
		skip: undefined,
		start: async () => ({ records: new MemoryRecords(), close: async () => {} }),
	},
	...queueServers.map((server) => ({
		name: `in ${server.name}`,
		skip: server.skip,
		start: () => onServer(server),
	})),
];

async function onServer({
	start,
	open,
}: (typeof queueServers)[number]): Promise<{ records: Records; close(): Promise<void> }> {
	const server = await start();
	const opened = await open({ url: server.url, waitsForServer: true, onError: () => {} });
	return {
		records: opened.records,
		close: async () => {
			await opened.close();
			await server.close();
		},
	};
}

describe.each(places.filter(({ skip }) => skip === undefined))('records $name', ({ start }) => {
	let place: Awaited<ReturnType<Place['start']>>;
	let records: Records;
	beforeAll(async () => {
		place = await start();
		({ records } = place);
	});
	afterAll(() => place.close());

	test('have versions, and change only from the one that was expected', async () => {
		expect(await records.commit({ expect: { a: 0 }, put: { a: 'ä"\n' } })).toBe(true);
		expect(await records.commit({ expect: { a: 0 }, put: { a: 'again' } })).toBe(false);
		expect(await records.commit({ expect: { a: 1 }, put: { a: 'two' } })).toBe(true);
		expect(await records.get(['none', 'a'])).toEqual([undefined, { version: 2, value: 'two' }]);
		expect(await records.get([])).toEqual([]);
	});

	test('change together or not at all', async () => {
		await records.commit({ put: { b: '1' } });
		const changes = {
			expect: { b: 7 },
			put: { b: '2', c: '1' },
			remove: ['a'],
			index: [{ name: 'x', member: 'm', score: 1 }],
			count: [{ name: 'n', by: 5 }],
			append: [{ list: 'l', value: 'v' }],
		};
		expect(await records.commit(changes)).toBe(false);
		expect([await records.get(['c']), await records.sizes(['x']), await records.counts(['n'])]).toEqual([
			[undefined],
			[0],
			[0],
		]);
		expect(await records.list('l', 0)).toEqual([]);
		expect(await records.commit({ ...changes, expect: { b: 1 } })).toBe(true);
		expect([await records.get(['a', 'c']), await records.sizes(['x']), await records.counts(['n'])]).toEqual([
			[undefined, { version: 1, value: '1' }],
			[1],
			[5],
		]);
		expect(await records.list('l', 0)).toEqual(['v']);
	});

	test('a removed record begins anew', async () => {
		await records.commit({ put: { gone: '1' } });
		await records.commit({ remove: ['gone'] });
		expect(await records.commit({ expect: { gone: 0 }, put: { gone: '2' } })).toBe(true);
		expect(await records.get(['gone'])).toEqual([{ version: 1, value: '2' }]);
	});

	test('indexes are in order of score, then of member, page by page', async () => {
		const scores = { b: 2, a: 2, c: 1.5, d: 1_790_000_000.123 };
		await records.commit({
			index: Object.entries(scores).map(([member, score]) => ({ name: 'order', member, score })),
		});
		const page = async (order: 'asc' | 'desc', after?: string) =>
			(await records.page('order', { order, limit: 2, ...(after !== undefined && { after }) })).map(
				({ member }) => member,
			);
		expect([await page('asc'), await page('asc', 'a'), await page('asc', 'd')]).toEqual([
			['c', 'a'],
			['b', 'd'],
			[],
		]);
		expect([await page('desc'), await page('desc', 'b'), await page('desc', 'unknown')]).toEqual([
			['d', 'b'],
			['a', 'c'],
			[],
		]);
		expect(await records.between('order', 1.5, 2, 2)).toEqual([
			{ member: 'c', score: 1.5 },
			{ member: 'a', score: 2 },
		]);
		const all = await records.between('order', Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 10);
		expect(all.at(-1)).toEqual({ member: 'd', score: 1_790_000_000.123 });
		await records.commit({ index: [{ name: 'order', member: 'd', score: null }] });
		expect(await records.sizes(['order', 'nothing'])).toEqual([3, 0]);
	});

	test('`now` is the time of the server', async () => {
		const before = await records.now();
		await records.commit({ index: [{ name: 'time', member: 'm', score: 'now' }] });
		const [entry] = await records.page('time', { limit: 1, order: 'asc' });
		expect(entry!.score).toBeGreaterThanOrEqual(before);
		expect(Math.abs(before - Date.now())).toBeLessThan(60_000);
	});

	test('lists keep their order, and are read from a position', async () => {
		for (const value of ['0', '1', '2']) await records.commit({ append: [{ list: 'lines', value }] });
		expect(await records.list('lines', 1)).toEqual(['1', '2']);
		await records.commit({ removeLists: ['lines'] });
		expect(await records.list('lines', 0)).toEqual([]);
	});

	test('messages reach the subscribers of their topic', async () => {
		const received: string[] = [];
		let arrived = () => {};
		const stop = await records.subscribe('news', (message) => {
			received.push(message);
			arrived();
		});
		const first = new Promise<void>((resolve) => {
			arrived = resolve;
		});
		await records.commit({
			publish: [
				{ topic: 'other', message: 'no' },
				{ topic: 'news', message: 'yes ü' },
			],
		});
		await first;
		stop();
		await records.commit({ publish: [{ topic: 'news', message: 'late' }] });
		expect(received).toEqual(['yes ü']);
	});

	test('a failed commit sends no message', async () => {
		const received: string[] = [];
		const stop = await records.subscribe('quiet', (message) => received.push(message));
		await records.commit({ expect: { never: 3 }, publish: [{ topic: 'quiet', message: 'no' }] });
		await records.commit({ publish: [{ topic: 'quiet', message: 'yes' }] });
		await expect.poll(() => received).toEqual(['yes']);
		stop();
	});

	test('of fifty changes at once each is made', async () => {
		await Promise.all(
			Array.from({ length: 50 }, () =>
				changeRecord(records, 'sum', (found) => ({
					commit: { put: { sum: String(Number(found?.value ?? 0) + 1) } },
					value: true,
				})),
			),
		);
		expect((await records.get(['sum']))[0]).toEqual({ version: 50, value: '50' });
	});
});
