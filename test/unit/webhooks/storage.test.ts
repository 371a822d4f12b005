/** One suite for every place where webhooks are kept. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Records } from '../../../src/cluster/records/records.js';
import { recordWebhooks } from '../../../src/cluster/webhooks/record-webhooks.js';
import { systemClock } from '../../../src/core/clock.js';
import {
	type Delivery,
	deliveryKeptMs,
	finishedDelivery,
	newDelivery,
} from '../../../src/webhooks/deliveries.js';
import { newEndpoint, type WebhookEndpoint } from '../../../src/webhooks/endpoints.js';
import { folderWebhooks } from '../../../src/webhooks/folder/folder-webhooks.js';
import type { WebhookStorage } from '../../../src/webhooks/storage.js';
import { queueServers } from '../../helpers/cluster/clients.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';

const ofRecords = (records: Records): WebhookStorage =>
	recordWebhooks({ records, clock: systemClock, onError: () => {} });

async function onServer({
	start,
	open,
}: (typeof queueServers)[number]): Promise<() => Promise<WebhookStorage>> {
	const server = await start();
	onTestFinished(() => server.close());
	return async () => {
		const opened = await open({ url: server.url, waitsForServer: false, onError: () => {} });
		onTestFinished(() => opened.close());
		return ofRecords(opened.records);
	};
}

/** Opens the same place again and again, as several servers do. */
const places: readonly {
	readonly name: string;
	readonly skip?: string | undefined;
	readonly isFolder?: boolean;
	readonly place: () => Promise<() => Promise<WebhookStorage>>;
}[] = [
	{
		name: 'a folder',
		isFolder: true,
		place: async () => {
			const folder = mkdtempSync(path.join(tmpdir(), 'earshot-webhooks-'));
			onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
			return async () => folderWebhooks(path.join(folder, 'webhooks'));
		},
	},
	{
		name: 'records in memory',
		place: async () => {
			const records = new MemoryRecords();
			return async () => ofRecords(records);
		},
	},
	...queueServers.map((server) => ({
		name: server.name,
		skip: server.skip,
		place: () => onServer(server),
	})),
];

const fields = {
	name: 'mine',
	url: 'https://a.example/in',
	eventTypes: ['transcription.completed'],
} as const;

const delivery = (job: number, owner = 'anna', createdAt = 1_800_000_000 + job): Delivery =>
	newDelivery(
		{ type: 'transcription.completed', jobId: `trj_${job}`, owner, createdAt },
		{ endpointId: null, url: fields.url, secret: null },
		createdAt * 1000,
	);

async function listed(storage: WebhookStorage, owner = 'anna'): Promise<Delivery[]> {
	const found: Delivery[] = [];
	for await (const each of storage.deliveries.list(owner)) found.push(each);
	return found;
}

describe.each(places.filter(({ skip }) => skip === undefined))('webhooks in $name', ({ place, isFolder }) => {
	test('endpoints are seen by every server, by their owner alone, the newest first', async () => {
		const open = await place();
		const [one, other] = [await open(), await open()];
		const made = [10, 20].map((nowSeconds) => newEndpoint('anna', fields, { others: 0, nowSeconds }));
		for (const each of made) await one.endpoints.add('anna', () => each);
		await one.endpoints.add('ben', () => newEndpoint('ben', fields, { others: 0, nowSeconds: 30 }));
		expect(await other.endpoints.list('anna')).toEqual([made[1], made[0]]);
		expect(await other.endpoints.find(made[0]!.id)).toEqual(made[0]);
		await other.endpoints.change(made[0]!.id, (found) => ({ ...found, isDisabled: true }));
		expect((await one.endpoints.find(made[0]!.id))?.isDisabled).toBe(true);
		await other.endpoints.remove(made[1]!);
		expect(await one.endpoints.list('anna')).toHaveLength(1);
		expect(await one.endpoints.find(made[1]!.id)).toBeUndefined();
		expect(await one.endpoints.find('../other')).toBeUndefined();
		expect(await one.endpoints.change('../other', (found) => found)).toBeUndefined();
	});

	test('changes of an endpoint at the same moment are all made, and what was deleted stays so', async () => {
		const open = await place();
		const one = await open();
		// Servers with one folder are of one machine and user; the last of such changes wins between them.
		const other = isFolder ? one : await open();
		const servers = (count: number) => Array.from({ length: count }, (_, at) => (at % 2 ? one : other));
		const made = await Promise.all(
			servers(40).map(({ endpoints }) =>
				endpoints.add('anna', (others) => newEndpoint('anna', fields, { others, nowSeconds: 10 + others })),
			),
		);
		// Each knew of all before it.
		expect(new Set(made.map(({ createdAt }) => createdAt)).size).toBe(40);
		const [first, second] = [made[0]!, made[1]!];
		const longer = (found: WebhookEndpoint) => ({ ...found, name: `${found.name}+` });
		await Promise.all(servers(40).map(({ endpoints }) => endpoints.change(first.id, longer)));
		expect((await one.endpoints.find(first.id))?.name).toBe(`mine${'+'.repeat(40)}`);
		await Promise.all([
			...servers(10).map(({ endpoints }) => endpoints.change(second.id, longer)),
			other.endpoints.remove(second),
			...servers(10).map(({ endpoints }) => endpoints.change(second.id, longer)),
		]);
		expect(await one.endpoints.find(second.id)).toBeUndefined();
		expect(await one.endpoints.list('anna')).toHaveLength(39);
	});

	test('an endpoint that may not be added is not stored', async () => {
		const { endpoints } = await (await place())();
		const refuse = (others: number) => newEndpoint('anna', fields, { others: others + 100, nowSeconds: 0 });
		await expect(endpoints.add('anna', refuse)).rejects.toMatchObject({ code: 'invalid_request' });
		expect(await endpoints.list('anna')).toEqual([]);
	});

	test('a delivery is stored once, found by another server, and listed for a week after its end', async () => {
		const open = await place();
		const [one, other] = [await open(), await open()];
		const [first, second] = [delivery(1), delivery(2)];
		expect(await other.deliveries.has(first)).toBe(false);
		for (const each of [second, first, delivery(3, 'ben')]) await one.deliveries.keep(each);
		expect(await other.deliveries.has(first)).toBe(true);
		expect(await other.deliveries.pendingIds()).toEqual([first.id, second.id, delivery(3).id]);
		expect(await other.deliveries.pending(first.id)).toEqual(first);
		await other.deliveries.keep(finishedDelivery(first, 'delivered'));
		expect(await one.deliveries.pending(first.id)).toBeUndefined();
		expect(await one.deliveries.has(first)).toBe(true);
		expect((await listed(one)).map(({ id, state }) => [id, state])).toEqual([
			[second.id, 'pending'],
			[first.id, 'delivered'],
		]);
		await one.deliveries.sweep(Date.now());
		expect(await listed(one)).toHaveLength(2);
		await one.deliveries.sweep(first.createdAt * 1000 + Date.now() + 2 * deliveryKeptMs);
		expect((await listed(one)).map(({ id }) => id)).toEqual([second.id]);
	});

	test('one server delivers at a time, and the next when it gives up or is closed', async () => {
		const open = await place();
		const [one, other] = [await open(), await open()];
		const control = new AbortController();
		const lead = await one.lead(control.signal);
		const taken = vi.fn();
		const next = other.lead(control.signal).then((got) => {
			taken();
			return got;
		});
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(taken).not.toHaveBeenCalled();
		expect(lead.lost.aborted).toBe(false);
		await lead.release();
		const second = await next;
		const waiting = one.lead(control.signal);
		control.abort();
		await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
		await second.release();
	}, 30_000);
});

test('a gateway learns what another one has stored', async () => {
	const records = new MemoryRecords();
	const received: string[] = [];
	const stop = await ofRecords(records).listen((id) => void received.push(id));
	const made = delivery(1);
	await ofRecords(records).deliveries.keep(made);
	// A try that failed is known to whoever made it.
	await ofRecords(records).deliveries.keep({ ...made, tries: [{ at: 1, ms: 1, status: 500, error: null }] });
	await vi.waitFor(() => expect(received).toEqual([made.id]));
	stop();
});
