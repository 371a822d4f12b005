/** Recordings that a gateway sends to workers directly. */

import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { Directory, type WorkerEntry } from '../../../src/cluster/directory.js';
import { UnitQueue } from '../../../src/cluster/unit-queue.js';
import { Announcer } from '../../../src/cluster/workers/announcer.js';
import { ClusterPool } from '../../../src/cluster/workers/cluster-pool.js';
import { clusterKey } from '../../../src/cluster/workers/key.js';
import { clusterProtocol, optionsHeader, protocolHeader } from '../../../src/cluster/workers/protocol.js';
import { QueuedRequests } from '../../../src/cluster/workers/queued-requests.js';
import { WorkerClient } from '../../../src/cluster/workers/worker-client.js';
import { WorkerServer } from '../../../src/cluster/workers/worker-server.js';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { EarshotError } from '../../../src/core/errors.js';
import { Metrics } from '../../../src/core/metrics.js';
import type { Capabilities } from '../../../src/core/speech/model-info.js';
import { noOptions, type TranscribeOptions } from '../../../src/core/speech/options.js';
import type { TranscriptEvent } from '../../../src/core/speech/transcript.js';
import { decodeOptions, encodeOptions } from '../../../src/jobs/encode-options.js';
import { FolderBlobs } from '../../../src/jobs/folder/folder-blobs.js';
import { minimumRateWindowMs } from '../../../src/server/request/minimum-rate.js';
import { MemoryRecords } from '../../helpers/cluster/memory-records.js';
import { MemoryTransport } from '../../helpers/cluster/memory-transport.js';
import { eventsOf, FakeClock, FakePool, FakeTranscriber, info } from '../../helpers/fakes.js';
import { beach } from '../../helpers/transcripts.js';

const never = new AbortController().signal;

async function cluster() {
	const records = new MemoryRecords();
	const directory = new Directory(records, systemClock);
	const key = await clusterKey(records);
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	let announced = 0;
	return {
		records,
		directory,
		key,
		folder,
		async worker({
			slots = 2,
			clock = systemClock,
			...more
		}: Partial<WorkerEntry> & { slots?: number; clock?: Clock } = {}) {
			const tiny = new FakeTranscriber();
			const pool = new FakePool(tiny);
			const server = new WorkerServer({
				pool,
				key,
				slots,
				temporaryFolder: folder,
				minUploadBytesPerSecond: 500,
				metrics: new Metrics(),
				clock,
			});
			await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve));
			onTestFinished(() => server.close());
			const address = `http://127.0.0.1:${(server.http.address() as AddressInfo).port}`;
			await directory.announce(entry(`w${announced++}`, address, { slots, ...more }));
			return { server, pool, tiny, address };
		},
		gateway(local?: FakePool, hasLocalCapacity = () => true, defaultModel = '') {
			const onError = () => {};
			const transport = new MemoryTransport(systemClock);
			const queue = new UnitQueue({ records, transport, clock: systemClock, worker: 'gateway', onError });
			const blobs = new FolderBlobs(path.join(folder, 'blobs'));
			const pool = new ClusterPool({
				directory: new Directory(records, systemClock),
				client: new WorkerClient(key),
				queued: new QueuedRequests({ records, queue, blobs, directory, clock: systemClock, onError }),
				clock: systemClock,
				local,
				defaultModel,
				hasLocalCapacity,
			});
			onTestFinished(() => pool.close());
			return pool;
		},
	};
}

function entry(id: string, address: string, more: Partial<WorkerEntry> = {}): WorkerEntry {
	return {
		...{ id, address, slots: 2, busySlots: 0, queuedSeconds: 0, freeBytes: 1e9, idleSeconds: 0 },
		...{ defaultModel: 'tiny', protocol: clusterProtocol },
		models: [
			{
				...{ id: 'tiny', aliases: ['whisper-1'], type: 'fake', created: 1, ownedBy: 'earshot', demo: false },
				...{ capabilities: null, state: 'loaded', bytes: 1, speed: 20, loadSeconds: 5 },
			},
		],
		...more,
	};
}

async function all(events: AsyncIterable<TranscriptEvent>): Promise<TranscriptEvent[]> {
	const found: TranscriptEvent[] = [];
	for await (const event of events) found.push(event);
	return found;
}

async function transcribe(
	gateway: ClusterPool,
	bytes = Buffer.from('audio'),
	options: Partial<TranscribeOptions> = {},
	signal = never,
): Promise<TranscriptEvent[]> {
	const lease = await gateway.lease('whisper-1', signal);
	try {
		return await all(lease.transcribe({ bytes }, { ...noOptions, ...options }, signal));
	} finally {
		lease.release();
	}
}

test('a recording goes to the worker as it is, and its events come back as they are', async () => {
	const { worker, gateway } = await cluster();
	const { tiny } = await worker();
	const events = await transcribe(gateway(), Buffer.from('the recording'), { prompt: 'ä "quote"\n' });
	expect(events).toEqual(await all(eventsOf(beach)));
	expect(tiny.calls.map(({ bytes, options }) => [String(bytes), options.prompt])).toEqual([
		['the recording', 'ä "quote"\n'],
	]);
});

test('a large one and one from a file go through a file of the worker, which is removed', async () => {
	const { worker, gateway, folder } = await cluster();
	const { tiny } = await worker();
	const bytes = Buffer.alloc(9 << 20, 'x');
	const file = path.join(folder, 'upload');
	writeFileSync(file, bytes);
	const lease = await gateway().lease('tiny', never);
	await all(lease.transcribe({ path: file }, noOptions, never));
	expect(tiny.calls[0]!.bytes.equals(bytes)).toBe(true);
	await expect.poll(() => readdirSync(folder)).toEqual(['upload']);
});

test('known voices travel with their bytes', async () => {
	const known = [
		{ name: 'Ada', reference: { bytes: new Uint8Array([1, 2, 255]) } },
		{ name: 'Eve', reference: { bytes: Buffer.from([3, 4]) } },
		{ name: 'Bob', reference: { voice: [0.5, 0.25], fingerprint: 'f' } },
	];
	const options = { ...noOptions, speakers: { known } };
	const decoded = decodeOptions(String(await encodeOptions(options))).speakers?.known ?? [];
	expect(decoded.map(({ reference }) => ('bytes' in reference ? [...reference.bytes] : reference))).toEqual([
		[1, 2, 255],
		[3, 4],
		known[2]?.reference,
	]);
	expect(
		decoded.every(({ reference }) => !('bytes' in reference) || reference.bytes instanceof Uint8Array),
	).toBe(true);
});

test('an error of the model is the error of the request', async () => {
	const { worker, gateway } = await cluster();
	const { tiny } = await worker();
	// biome-ignore lint/correctness/useYield: fails before the first event
	tiny.script = async function* () {
		throw new EarshotError('audio_unsupported', 'no audio in it', { param: 'file' });
	};
	await expect(transcribe(gateway())).rejects.toMatchObject({
		code: 'audio_unsupported',
		message: 'no audio in it',
		param: 'file',
	});
});

test('the one with the least to do gets it', async () => {
	const { worker, gateway } = await cluster();
	const busy = await worker({ queuedSeconds: 300 });
	const free = await worker({ queuedSeconds: 3 });
	await transcribe(gateway());
	expect([busy.tiny.calls.length, free.tiny.calls.length]).toEqual([0, 1]);
});

test('another worker takes over from one that cannot be reached, and from one that is full', async () => {
	const { worker, gateway, directory } = await cluster();
	await directory.announce(entry('a-gone', 'http://127.0.0.1:1'));
	const full = await worker({ slots: 1 });
	let end = () => {};
	full.tiny.script = async function* () {
		await new Promise<void>((resolve) => {
			end = resolve;
		});
		yield* eventsOf(beach);
	};
	const pool = gateway();
	await pool.lease('tiny', never);
	const first = transcribe(pool);
	await expect.poll(() => full.tiny.calls.length).toBe(1);
	const other = await worker();
	await new Promise((resolve) => setTimeout(resolve, 1100));
	expect(await transcribe(pool)).toEqual(await all(eventsOf(beach)));
	expect(other.tiny.calls.length).toBe(1);
	end();
	await first;
});

test('a worker that dies before its first event is replaced, and the client notices nothing', async () => {
	const { worker, gateway } = await cluster();
	const one = await worker();
	const two = await worker({ queuedSeconds: 100 });
	one.tiny.script = async function* () {
		yield (await all(eventsOf(beach)))[0]!;
		one.server.http.closeAllConnections();
		await new Promise(() => {});
	};
	expect(await transcribe(gateway())).toEqual(await all(eventsOf(beach)));
	expect([one.tiny.calls.length, two.tiny.calls.length]).toEqual([1, 1]);
});

test('one that dies later ends the request, which says so', async () => {
	const { worker, gateway } = await cluster();
	const { tiny, server } = await worker();
	tiny.script = async function* () {
		const events = await all(eventsOf(beach));
		yield* events.slice(0, 2);
		await new Promise((resolve) => setTimeout(resolve, 50));
		server.http.closeAllConnections();
		await new Promise(() => {});
	};
	await expect(transcribe(gateway())).rejects.toMatchObject({ code: 'closed' });
});

test('a client that goes ends the work of the worker', async () => {
	const { worker, gateway } = await cluster();
	const { tiny, server } = await worker();
	let aborted: AbortSignal | undefined;
	tiny.script = async function* (_, signal) {
		aborted = signal;
		yield (await all(eventsOf(beach)))[0]!;
		await new Promise((resolve) => signal.addEventListener('abort', resolve));
		throw new EarshotError('cancelled', 'the recording was cancelled');
	};
	const control = new AbortController();
	const running = transcribe(gateway(), Buffer.from('x'), {}, control.signal);
	await expect.poll(() => aborted).toBeDefined();
	control.abort();
	await expect(running).rejects.toMatchObject({ code: 'cancelled' });
	await expect.poll(() => [aborted!.aborted, server.busySlots]).toEqual([true, 0]);
});

test('models of this process go first, and workers when it has no room', async () => {
	const { worker, gateway } = await cluster();
	const { tiny } = await worker();
	const local = new FakePool(new FakeTranscriber());
	let hasRoom = true;
	const pool = gateway(local, () => hasRoom);
	await transcribe(pool);
	expect([local.tiny.calls.length, tiny.calls.length]).toEqual([1, 0]);
	hasRoom = false;
	await transcribe(pool);
	expect([local.tiny.calls.length, tiny.calls.length]).toEqual([1, 1]);
});

test('a live session runs on this machine, even with its slots taken and a worker that is free', async () => {
	const { worker, gateway } = await cluster();
	await worker();
	const local = new FakePool(new FakeTranscriber());
	const pool = gateway(local, () => false);
	const lease = await pool.lease('whisper-1', never, 'live');
	expect(local.leased).toBe(1);
	expect(lease.info).toBe(local.tiny.info);
	const without = gateway();
	await without.lease('tiny', never);
	await expect(without.lease('tiny', never, 'live')).rejects.toMatchObject({ code: 'unsupported_value' });
});

test('without any worker it is said what to do', async () => {
	const { gateway } = await cluster();
	const pool = gateway();
	await expect(pool.lease('tiny', never)).rejects.toMatchObject({
		code: 'closed',
		message: 'No worker is running: start one with `earshot worker`',
	});
	expect(pool.checkReadiness()).toEqual({ status: 'degraded', reason: 'No worker is available' });
});

test('a gateway is ready when a worker serves the default model, however it is reached', async () => {
	const { directory, gateway } = await cluster();
	await directory.announce(entry('w', ''));
	const [pool, other] = [gateway(), gateway(undefined, () => true, 'large')];
	for (const each of [pool, other]) await each.lease('tiny', never).catch(() => {});
	expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	expect(other.checkReadiness()).toEqual({
		status: 'degraded',
		reason: 'No worker serves the default model `large`',
	});
});

test('workers that were last read ten minutes ago are not counted on', async () => {
	const records = new MemoryRecords();
	const clock = new FakeClock();
	const directory = new Directory(records, clock);
	await directory.announce(entry('w', ''));
	await directory.workers();
	clock.advance(9 * 60_000);
	expect(directory.known).toHaveLength(1);
	clock.advance(60_000);
	expect(directory.known).toEqual([]);
});

test('a worker announces the audio of all its recordings, also those of jobs, which take no slots', async () => {
	const { directory } = await cluster();
	const pool = new FakePool(new FakeTranscriber());
	const clock = new FakeClock();
	const announcer = new Announcer({
		...{ id: 'w', address: '', directory, pool, clock, slots: 2, busySlots: () => 0, budgetBytes: 0 },
		...{ bytesOf: () => 1, speedOf: () => 1, models: [], numerics: '', onError: () => {} },
	});
	onTestFinished(() => announcer.close());
	clock.advance(1000);
	await announcer.begin();
	expect(await directory.workers()).toMatchObject([{ queuedSeconds: 0, idleSeconds: 1 }]);
	pool.models[0] = { ...pool.models[0]!, requests: 3 };
	await announcer.begin();
	const busy = { busySlots: 0, queuedSeconds: 90, idleSeconds: 0 };
	await expect.poll(() => directory.workers(), { timeout: 5000 }).toMatchObject([busy]);
});

test('a model that no worker serves is not found', async () => {
	const { worker, gateway } = await cluster();
	await worker();
	await expect(gateway().lease('medium', never)).rejects.toMatchObject({ code: 'model_not_found' });
});

const announced = (capabilities: Capabilities | null): Partial<WorkerEntry> => ({
	models: [{ ...entry('', '').models[0]!, capabilities, state: 'unloaded' }],
});

test('what workers announce of a model is all that a request needs to know', async () => {
	const { worker, gateway } = await cluster();
	const { pool } = await worker(announced(info({ prompt: false }).capabilities));
	const lease = await gateway().lease('tiny', never);
	expect([lease.info, pool.asked]).toMatchObject([{ id: 'tiny', capabilities: { prompt: false } }, []]);
});

test('a model is loaded first where only that shows what it supports', async () => {
	const { worker, gateway } = await cluster();
	const { pool } = await worker(announced(null));
	const lease = await gateway().lease('tiny', never);
	expect([lease.info.capabilities, pool.asked]).toEqual([info().capabilities, ['tiny']]);
});

test('where no worker can be connected to, either, the error says what to do', async () => {
	const { directory, gateway } = await cluster();
	await directory.announce(entry('w', '', announced(null)));
	await expect(gateway().lease('tiny', never)).rejects.toMatchObject({
		code: 'overloaded',
		message: expect.stringContaining('try again later, or create a job'),
	});
});

test('models of all workers are listed, with what is known of them', async () => {
	const { worker, gateway } = await cluster();
	await worker();
	const pool = gateway();
	await pool.lease('tiny', never);
	expect(pool.models.map(({ id, aliases, state }) => ({ id, aliases, state }))).toEqual([
		{ id: 'tiny', aliases: ['whisper-1'], state: 'loaded' },
	]);
	expect(pool.defaultModel).toBe('tiny');
});

test.each([
	['without the key', {}, 401],
	['with another key', { authorization: 'Bearer guessed' }, 401],
])('a request %s is refused', async (_, headers, status) => {
	const { worker } = await cluster();
	const { address, tiny } = await worker();
	const reply = await fetch(`${address}/cluster/v1/transcribe?model=tiny`, { method: 'POST', headers });
	expect(reply.status).toBe(status);
	expect(tiny.calls).toEqual([]);
});

test('a worker says how it is, and serves nothing else', async () => {
	const { worker } = await cluster();
	const { address, server } = await worker();
	const status = async (where: string) => (await fetch(`${address}${where}`)).status;
	expect([await status('/health'), await status('/ready'), await status('/metrics')]).toEqual([
		200, 200, 200,
	]);
	expect([await status('/v1/models'), await status('/cluster/v1/load')]).toEqual([404, 404]);
	server.drain();
	expect(await status('/ready')).toBe(503);
});

test('a worker whose default model cannot be loaded is not ready, and says why', async () => {
	const { worker } = await cluster();
	const { address, pool } = await worker();
	pool.readiness = { status: 'degraded', reason: 'The default model `tiny` could not be loaded' };
	const answer = await fetch(`${address}/ready`);
	expect([answer.status, await answer.json()]).toEqual([503, pool.readiness]);
});

test('a message of another version is refused', async () => {
	const { worker, key } = await cluster();
	const { address } = await worker();
	const reply = await fetch(`${address}/cluster/v1/load?model=tiny`, {
		method: 'POST',
		headers: { authorization: `Bearer ${key}`, 'x-earshot-cluster-protocol': '2' },
	});
	expect([reply.status, await reply.json()]).toMatchObject([400, { error: { code: 'unsupported_value' } }]);
});

test.each([
	['a path that is none', '//[', '', 404],
	['another path', '/v1/models', '', 404],
	['no options', '/cluster/v1/transcribe?model=tiny', '', 400],
	['options that are cut off', '/cluster/v1/transcribe?model=tiny', '{"lang', 400],
	['options of another kind', '/cluster/v1/transcribe?model=tiny', '"text"', 400],
	['fewer bytes than it says', '/cluster/v1/transcribe?model=tiny', '{}', 400, 5000],
])('a worker refuses %s, and goes on', async (_, place, body, status, length = body.length) => {
	const { worker, key, gateway } = await cluster();
	const { address, server } = await worker();
	const headers = {
		authorization: `Bearer ${key}`,
		[protocolHeader]: String(clusterProtocol),
		[optionsHeader]: String(length),
	};
	const answer = await posted(`${address}${place}`, headers, body);
	expect(answer.status).toBe(status);
	expect(JSON.parse(answer.text).error.code).toBe(status === 400 ? 'invalid_request' : 'not_found');
	expect(server.busySlots).toBe(0);
	expect(await transcribe(gateway())).toEqual(await all(eventsOf(beach)));
});

test.each([
	['in its options', '{"lang', 100],
	['in the recording', `{}${'x'.repeat(100)}`, 2],
	['in a large recording, which is in a file', `{}${'x'.repeat(9 << 20)}`, 2],
])('a body that stops %s frees its slot after half a minute', async (_, body, optionsBytes) => {
	const { worker, key, gateway, folder } = await cluster();
	const clock = new FakeClock();
	const { address, server } = await worker({ slots: 1, clock });
	const waiting = clock.waiting;
	const sent = request(`${address}/cluster/v1/transcribe?model=tiny`, {
		method: 'POST',
		headers: {
			authorization: `Bearer ${key}`,
			[protocolHeader]: String(clusterProtocol),
			[optionsHeader]: String(optionsBytes),
		},
	});
	sent.on('error', () => {
		// The worker closes the connection after its response.
	});
	let answer: IncomingMessage | undefined;
	sent.once('response', (received) => {
		answer = received;
	});
	sent.write(body);
	const received = async () => await (await fetch(`${address}/metrics`)).text();
	await expect.poll(received).toContain(`earshot_uploads_bytes ${Math.max(0, body.length - optionsBytes)}\n`);
	expect([server.busySlots, clock.waiting]).toEqual([1, waiting + 1]);
	// In the first half minute enough may have arrived.
	const later = () => {
		clock.advance(minimumRateWindowMs);
		return answer?.statusCode;
	};
	await expect.poll(later).toBe(408);
	expect(JSON.parse(await text(answer!)).error.code).toBe('request_timeout');
	await expect.poll(() => [server.busySlots, clock.waiting, readdirSync(folder)]).toEqual([0, waiting, []]);
	expect(await transcribe(gateway())).toEqual(await all(eventsOf(beach)));
});

test('a worker that a recording reaches too slowly is replaced by another', async () => {
	const { worker, gateway } = await cluster();
	const slow = await worker();
	const other = await worker({ queuedSeconds: 100 });
	slow.server.http.removeAllListeners('request').on('request', (_, response) => {
		const error = { code: 'request_timeout', message: 'too slow' };
		response.writeHead(408, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
	});
	expect(await transcribe(gateway())).toEqual(await all(eventsOf(beach)));
	expect([slow.tiny.calls.length, other.tiny.calls.length]).toEqual([0, 1]);
});

/** By Node's client, which sends paths as they are. */
async function posted(url: string, headers: Record<string, string>, body: string) {
	const { hostname, port } = new URL(url.slice(0, url.indexOf('/', 'http://'.length)));
	const sent = request({
		hostname,
		port,
		path: url.slice(url.indexOf('/', 'http://'.length)),
		method: 'POST',
		headers,
	});
	sent.end(body);
	const [answer] = (await once(sent, 'response')) as [IncomingMessage];
	return { status: answer.statusCode, text: await text(answer) };
}
