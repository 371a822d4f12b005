/** Parts of a cluster for tests. */

import { onTestFinished } from 'vitest';
import type { Records } from '../../../src/cluster/records/records.js';
import { Releaser } from '../../../src/cluster/releaser.js';
import type { Transport } from '../../../src/cluster/transport/transport.js';
import { UnitQueue, type UnitQueueOptions } from '../../../src/cluster/unit-queue.js';
import { systemClock } from '../../../src/core/clock.js';
import type { ClipEvent } from '../../../src/core/speech/events.js';
import type { Unit, UnitLease } from '../../../src/jobs/queue.js';
import { unitSchema } from '../../../src/jobs/queue.js';
import { FakeClock } from '../fakes.js';
import { queueServers } from './clients.js';
import { MemoryRecords } from './memory-records.js';
import { MemoryTransport } from './memory-transport.js';

export const jobId = (number: number): string => `trj_${number.toString(16).padStart(32, '0')}`;

let queued = 1_700_000_000;

export function unit(job: number, more: Partial<Unit> = {}): Unit {
	return {
		jobId: jobId(job),
		part: 0,
		model: 'tiny',
		class: 'normal',
		tenant: 'local',
		seconds: 60,
		schema: unitSchema,
		queuedAt: queued++,
		...more,
	};
}

export function clip(number: number): ClipEvent {
	return {
		type: 'clip',
		clip: number,
		start: number * 10,
		segments: [],
		language: 'en',
		processed: number * 10 + 10,
	};
}

export const blob = (key = 'result.json', sha256 = 'aa'): { key: string; size: number; sha256: string } => ({
	key,
	size: 1,
	sha256,
});

/** Of the processor of a worker. */
type Joining = Pick<UnitQueueOptions, 'numerics' | 'availableNumerics'>;

/** Several processes on one server. */
export interface TestCluster {
	/** Another process with a queue; ends with the test. */
	join(name: string, more?: Joining): Promise<UnitQueue>;
	/** As if that process had been killed: it says nothing any more. */
	kill(name: string): Promise<void>;
	/** Lets time pass, where it does not by itself. */
	pass(ms: number): Promise<void>;
	readonly records: Records;
	readonly transport: Transport;
}

export interface ClusterKind {
	readonly name: string;
	readonly skip: string | undefined;
	start(): Promise<TestCluster>;
}

export const clusterKinds: readonly ClusterKind[] = [
	{ name: 'in memory', skip: undefined, start: async () => memoryCluster() },
	...queueServers.map((server) => ({
		name: `on ${server.name}`,
		skip: server.skip,
		start: () => serverCluster(server),
	})),
];

function memoryCluster(): TestCluster {
	const clock = new FakeClock();
	const records = new MemoryRecords(() => 1_700_000_000_000 + clock.now());
	const transport = new MemoryTransport(clock);
	const onError = (error: unknown) => {
		throw error;
	};
	const ends = new Map<string, () => void>();
	const settle = async () => {
		for (let turn = 0; turn < 200; turn++) await Promise.resolve();
	};
	return {
		records,
		transport,
		async join(name, more = {}) {
			// Dead processes keep their timers; a clock of its own that stops is what a kill does.
			const own = new MortalClock(clock);
			const releaser = new Releaser({ records, transport, clock: own, slotsFor: async () => 2, onError });
			const queue = new UnitQueue({ records, transport, clock: own, worker: name, onError, ...more });
			ends.set(name, () => own.die());
			await settle();
			onTestFinished(async () => {
				await releaser.close();
				await queue.close();
			});
			return queue;
		},
		async kill(name) {
			ends.get(name)?.();
		},
		async pass(ms) {
			for (let rest = ms; rest > 0; rest -= 250) {
				clock.advance(Math.min(rest, 250));
				await settle();
			}
		},
	};
}

class MortalClock extends FakeClock {
	readonly #clock: FakeClock;
	#isDead = false;

	constructor(clock: FakeClock) {
		super();
		this.#clock = clock;
	}

	override now(): number {
		return this.#clock.now();
	}

	override every(ms: number, act: () => void): () => void {
		return this.#clock.every(ms, () => {
			if (!this.#isDead) act();
		});
	}

	override after(ms: number, act: () => void): () => void {
		return this.#clock.after(ms, () => {
			if (!this.#isDead) act();
		});
	}

	die(): void {
		this.#isDead = true;
	}
}

async function serverCluster({ start, open }: (typeof queueServers)[number]): Promise<TestCluster> {
	const server = await start();
	onTestFinished(() => server.close());
	const connect = () => open({ url: server.url, waitsForServer: true, onError: () => {} });
	const first = await connect();
	onTestFinished(() => first.close());
	const ends = new Map<string, () => Promise<void>>();
	const onError = () => {};
	return {
		records: first.records,
		transport: first.transport,
		async join(name, more = {}) {
			const { records, transport, close } = await connect();
			const slotsFor = async () => 2;
			const releaser = new Releaser({ records, transport, clock: systemClock, slotsFor, onError });
			const queue = new UnitQueue({
				...{ records, transport, clock: systemClock, worker: name, onError },
				...more,
			});
			ends.set(name, close);
			onTestFinished(async () => {
				await releaser.close();
				await queue.close();
				await close();
			});
			return queue;
		},
		async kill(name) {
			await ends.get(name)?.();
		},
		pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
	};
}

/** The next unit, in as much time as a death takes to be noticed. */
export async function take(cluster: TestCluster, queue: UnitQueue, waitMs = 30_000): Promise<UnitLease> {
	let lease: UnitLease | null | undefined;
	const waiting = queue.lease({ schema: unitSchema }, { waitMs }).then((found) => {
		lease = found;
	});
	for (let rest = waitMs; rest > 0 && lease === undefined; rest -= 250) await cluster.pass(250);
	await waiting;
	if (!lease) throw new Error('no unit came');
	return lease;
}
