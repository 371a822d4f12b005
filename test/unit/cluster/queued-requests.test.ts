/** Requests whose clients wait, of a server that reaches no worker directly. */

import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Directory, type WorkerEntry } from '../../../src/cluster/directory.js';
import { ClusterPool } from '../../../src/cluster/workers/cluster-pool.js';
import { clusterProtocol } from '../../../src/cluster/workers/protocol.js';
import { QueuedRequests } from '../../../src/cluster/workers/queued-requests.js';
import { WorkerClient } from '../../../src/cluster/workers/worker-client.js';
import type { Clock } from '../../../src/core/clock.js';
import { EarshotError } from '../../../src/core/errors.js';
import { noOptions } from '../../../src/core/speech/options.js';
import type { Transcript, TranscriptEvent } from '../../../src/core/speech/transcript.js';
import { type JobsInMemory, jobsInMemory } from '../../helpers/cluster/divided-jobs.js';
import { able, FakeClock, gate } from '../../helpers/fakes.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

vi.setConfig({ testTimeout: 120_000 });

const never = new AbortController().signal;

class CountingClient extends WorkerClient {
	readonly asked: string[] = [];

	override load(...args: Parameters<WorkerClient['load']>) {
		this.asked.push(args[0]);
		return super.load(...args);
	}

	override transcribe(...args: Parameters<WorkerClient['transcribe']>) {
		this.asked.push(args[0]);
		return super.transcribe(...args);
	}
}

/** Four clips of 20 s. */
function arrange() {
	const spans = [0, 1, 2, 3].map((at) => ({ start: at * 25 + 2, end: at * 25 + 22 }));
	const recording = new ScriptedRecording(100, spans);
	recording.declared = 100;
	const jobs = jobsInMemory(recording);
	const { records, clock, storage } = jobs;
	const client = new CountingClient('key');
	return {
		...{ jobs, recording, client },
		/** As a worker announces itself; returns what ends that. */
		async announce(more: Partial<WorkerEntry> = {}) {
			const directory = new Directory(records, clock);
			await directory.announce(entry(more));
			return clock.every(2000, () => void directory.announce(entry(more)));
		},
		gateway(own: Clock = clock) {
			const directory = new Directory(records, clock);
			const onError = (error: unknown) => {
				throw error;
			};
			const queued = new QueuedRequests({ ...storage, records, directory, clock: own, onError });
			const pool = new ClusterPool({
				...{ directory, client, queued, clock },
				...{ local: undefined, defaultModel: '' },
			});
			onTestFinished(() => pool.close());
			return pool;
		},
	};
}

function entry(more: Partial<WorkerEntry>): WorkerEntry {
	const about = { aliases: [], type: 'fake', created: 1, ownedBy: 'earshot', demo: false };
	return {
		...{ id: 'w', address: '', slots: 2, busySlots: 0, queuedSeconds: 0, freeBytes: 1e9, idleSeconds: 0 },
		...{ defaultModel: 'tiny', protocol: clusterProtocol },
		models: [
			{ id: 'tiny', ...about, capabilities: able, state: 'loaded', bytes: 1, speed: 20, loadSeconds: 5 },
		],
		...more,
	};
}

/** A request whose events are collected as they come. */
function request(pool: ClusterPool, signal = never) {
	const events: TranscriptEvent[] = [];
	let outcome: 'done' | EarshotError | undefined;
	const run = async (): Promise<void> => {
		const lease = await pool.lease('tiny', signal);
		for await (const event of lease.transcribe({ bytes: Buffer.from('any') }, noOptions, signal))
			events.push(event);
	};
	const running = run().then(
		() => {
			outcome = 'done';
		},
		(thrown: EarshotError) => {
			outcome = thrown;
		},
	);
	return {
		events,
		running,
		get outcome() {
			return outcome;
		},
		get transcript(): Transcript | undefined {
			const last = events.at(-1);
			return last?.type === 'done' ? last.transcript : undefined;
		},
	};
}

async function byJob(jobs: JobsInMemory): Promise<Transcript> {
	const { id } = await jobs.submit({ mayDivide: false });
	const { transcript } = await jobs.service.result(await jobs.ended(id));
	await jobs.service.cancelOrDelete((await jobs.storage.store.get(id))!);
	return transcript;
}

/** All that there is of jobs and requests, in the queue and the store. */
async function left({ records, storage }: JobsInMemory): Promise<string[]> {
	const found = records.names().filter((name) => name.includes('trj_'));
	for await (const { key } of storage.blobs.list('trj_')) found.push(key);
	return found;
}

describe('a request, where no worker can be reached directly,', () => {
	test('is transcribed by way of the queue, with the text of a job, and leaves nothing', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		jobs.worker('w', 2);
		const sent = request(gateway());
		let listed = 0;
		await jobs.until(async () => {
			listed = Math.max(listed, (await jobs.storage.store.usage('local')).jobs);
			return sent.outcome !== undefined;
		});
		expect(sent.outcome).toBe('done');
		expect(listed).toBe(0);
		expect(await left(jobs)).toEqual([]);
		const segments = sent.events.flatMap((event) => (event.type === 'segments' ? event.segments : []));
		expect(sent.events[0]).toEqual({ type: 'started', duration: 100 });
		expect(segments).toEqual(sent.transcript?.segments);
		expect(sent.transcript).toEqual(await byJob(jobs));
	});

	test('has its text clip by clip, while the rest is transcribed', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		const held = gate();
		jobs.onClip = ({ start }) => (start > 50 ? held.promise : undefined);
		jobs.worker('w', 2);
		const sent = request(gateway());
		await jobs.until(() => sent.events.filter(({ type }) => type === 'segments').length === 2);
		expect(sent.events.map(({ type }) => type)).toEqual(['started', 'segments', 'segments']);
		held.open();
		await jobs.until(() => sent.outcome !== undefined);
		expect(sent.transcript?.segments).toHaveLength(4);
	});

	test('that is cancelled ends at the worker, and leaves nothing', async () => {
		const { jobs, recording, announce, gateway } = arrange();
		await announce();
		const held = gate();
		held.promise.catch(() => {});
		jobs.onClip = ({ start }) => (start > 20 ? held.promise : undefined);
		jobs.worker('w', 2);
		const control = new AbortController();
		const sent = request(gateway(), control.signal);
		await jobs.until(() => jobs.clipsRun.length > 0);
		control.abort();
		await jobs.until(() => sent.outcome !== undefined);
		expect(sent.outcome).toMatchObject({ code: 'cancelled' });
		await jobs.until(() => recording.open === 0);
		held.fail(new EarshotError('cancelled', 'it was cancelled'));
		await jobs.until(async () => (await left(jobs)).length === 0);
		expect(jobs.clipsRun).toHaveLength(1);
	});

	test('that is cancelled before a worker takes it is never begun', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		const control = new AbortController();
		const sent = request(gateway(), control.signal);
		await jobs.until(async () => (await left(jobs)).length > 3);
		control.abort();
		await jobs.until(async () => sent.outcome !== undefined && (await left(jobs)).length === 0);
		jobs.worker('w', 2);
		for (let turn = 0; turn < 100; turn++) await jobs.until(() => true);
		expect(jobs.clipsRun).toEqual([]);
	});

	test('fails as the model fails, once', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		let tries = 0;
		jobs.onClip = () => {
			tries++;
			throw new EarshotError('out_of_memory', 'no memory for it now', { retryAfterSeconds: 7 });
		};
		jobs.worker('w', 2);
		const sent = request(gateway());
		await jobs.until(() => sent.outcome !== undefined);
		expect(sent.outcome).toMatchObject({
			...{ code: 'out_of_memory', message: 'no memory for it now', retryAfterSeconds: 7 },
		});
		const before = tries;
		for (let turn = 0; turn < 1000; turn++) await jobs.until(() => true);
		expect(tries).toBe(before);
		expect(await left(jobs)).toEqual([]);
	});

	test('goes on at another worker behind the last clip when its worker stops', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		const held = gate();
		jobs.onClip = ({ worker, start }) => (worker === 'a' && start > 40 ? held.promise : undefined);
		const stopped = jobs.worker('a', 1);
		const sent = request(gateway());
		await jobs.until(() => sent.events.some(({ type }) => type === 'segments'));
		await jobs.until(() => jobs.clipsRun.length === 2);
		jobs.worker('b', 1);
		held.fail(new EarshotError('closed', 'it is stopped'));
		void stopped.stop();
		await jobs.until(() => sent.outcome !== undefined);
		expect(sent.outcome).toBe('done');
		const starts = jobs.clipsRun.map(({ start }) => start);
		expect([starts.length, new Set(starts).size]).toEqual([4, 4]);
	});

	test('gives up when no worker serves its model any more', async () => {
		const { jobs, announce, gateway } = arrange();
		const end = await announce();
		const sent = request(gateway());
		await jobs.until(async () => (await left(jobs)).length > 3);
		end();
		await jobs.until(() => sent.outcome !== undefined, 200);
		expect(sent.outcome).toMatchObject({
			code: 'closed',
			message: 'No worker that serves `tiny` is available any more: try again later',
		});
		expect(await left(jobs)).toEqual([]);
	});

	test('is removed by another server when its own has died', async () => {
		const { jobs, announce, gateway } = arrange();
		await announce();
		const dead = new FakeClock();
		const sent = request(gateway(dead));
		await jobs.until(async () => (await left(jobs)).length > 3);
		gateway();
		await jobs.until(async () => (await left(jobs)).length === 0, 500);
		await jobs.until(() => sent.outcome !== undefined, 500);
		expect(sent.outcome).toMatchObject({ code: 'closed' });
	});
});

describe('the queue is the way', () => {
	test('to a worker that cannot be connected to, which is not tried again soon', async () => {
		const { jobs, client, announce, gateway } = arrange();
		await announce({ address: 'http://127.0.0.1:1' });
		jobs.worker('w', 2);
		const pool = gateway();
		// Connections take real time, in which half a minute of the test's clock would pass.
		const first = request(pool);
		await jobs.until(() => first.outcome !== undefined, 0.01);
		const second = request(pool);
		await jobs.until(() => second.outcome !== undefined, 0.01);
		expect([first.outcome, second.outcome]).toEqual(['done', 'done']);
		expect(second.transcript).toEqual(first.transcript);
		expect(client.asked).toEqual(['http://127.0.0.1:1']);
		expect(first.events.filter(({ type }) => type === 'started')).toHaveLength(1);
	});

	test('to workers that have no room, after a second', async () => {
		const { jobs, client, announce, gateway } = arrange();
		await announce({ address: 'http://127.0.0.1:1', busySlots: 2 });
		jobs.worker('w', 2);
		const sent = request(gateway());
		await jobs.until(() => sent.outcome !== undefined);
		expect(sent.outcome).toBe('done');
		expect(client.asked).toEqual([]);
		expect(jobs.clock.now()).toBeGreaterThan(1000);
	});
});
