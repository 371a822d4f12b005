import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EarshotError } from '../../../src/core/errors.js';
import type { PoolMetrics } from '../../../src/core/metrics.js';
import type { TranscriptEvent } from '../../../src/core/speech/transcript.js';
import { findIn, type ModelEntry } from '../../../src/models/registry/entry.js';
import type { ServedModels } from '../../../src/models/registry/watch.js';
import { type PoolOptions, RunnerPool } from '../../../src/pool/pool.js';
import { FakeClock, FakeLog } from '../../helpers/fakes.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { plainTranscription } from '../../helpers/options.js';
import { isAlive, patient, untilEnded, untilHung } from '../../helpers/processes.js';
import { testSettings } from '../../helpers/settings.js';

const script = fileURLToPath(new URL('../../helpers/fake-runner.mjs', import.meta.url));
const never = new AbortController().signal;

function entry(
	id: string,
	given: Pick<Partial<ModelEntry>, 'aliases' | 'files' | 'keepAliveMs' | 'options'> = {},
): ModelEntry {
	return {
		id,
		type: 'whisper_cpp',
		aliases: [],
		files: {},
		options: {},
		languages: null,
		ownedBy: 'test',
		demo: false,
		...given,
	};
}

/** A registry that a test changes by hand. */
class Served implements ServedModels {
	entries: readonly ModelEntry[];
	diarizer: string | undefined;
	ready: ServedModels['ready'] = async () => {};
	absence: ServedModels['absence'] = () => undefined;
	readonly #listeners: (() => void)[] = [];

	constructor(...entries: ModelEntry[]) {
		this.entries = entries;
	}

	get listed(): readonly ModelEntry[] {
		return this.entries;
	}

	get defaultModel(): string {
		return this.entries[0]?.id ?? '';
	}

	find(wanted: string): ModelEntry {
		const found = findIn(this.entries, wanted);
		if (found) return found;
		throw new EarshotError('model_not_found', wanted);
	}

	onChange(listener: () => void): void {
		this.#listeners.push(listener);
	}

	become(...entries: ModelEntry[]): void {
		this.entries = entries;
		for (const listener of this.#listeners) listener();
	}
}

function arrange(...entries: ModelEntry[]) {
	return arrangeWith({}, ...entries);
}

function arrangeWith(given: Partial<PoolOptions>, ...entries: ModelEntry[]) {
	const models = new Served(...entries);
	const reported: string[] = [];
	const metrics: PoolMetrics = {
		loaded: (model) => reported.push(`${model} loaded`),
		loadFailed: (model) => reported.push(`${model} failed to load`),
		unloaded: (model, reason) => reported.push(`${model} unloaded: ${reason}`),
		restarted: (model, reason) => reported.push(`${model} restarted: ${reason}`),
		refused: (model, reason) => reported.push(`${model} refused: ${reason}`),
		memory() {},
		scheduled: (model) => reported.push(`${model} reported`),
	};
	const clock = new FakeClock();
	const pool = new RunnerPool({
		models,
		settings: testSettings({ maxAudioSeconds: 1, modelDir: '' }),
		script,
		env: {},
		clock,
		metrics,
		keepAliveMs: 60_000,
		budgetBytes: 0,
		maxRunnerBytes: 0,
		hangTimeoutMs: 0,
		createdAt: () => 0,
		...given,
	});
	onTestFinished(() => pool.close());
	async function* run(model: string, recording = '/ok/1'): AsyncGenerator<TranscriptEvent> {
		const lease = await pool.lease(model, never);
		try {
			yield* lease.transcribe({ path: recording }, plainTranscription, never);
		} finally {
			lease.release();
		}
	}
	const shown = (id: string) => pool.models.find((model) => model.id === id);
	return { models, pool, clock, run, shown, reported };
}

/** The process that did it. */
async function workerOf(events: AsyncIterable<TranscriptEvent>): Promise<string> {
	for await (const event of events) if (event.type === 'done') return event.transcript.text.trim();
	throw new Error('no transcript');
}

describe('when models.yaml has changed', () => {
	it('a model that is as it was keeps its process, whatever it is called now', async () => {
		const { models, run } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		models.become(entry('a', { aliases: ['b'] }), entry('c'));
		expect(await workerOf(run('b'))).toBe(before);
	});

	it('a model with other files is reloaded', async () => {
		const { models, run } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		models.become(entry('a', { files: { model: '/other' } }));
		expect(await workerOf(run('a'))).not.toBe(before);
	});

	it('a model that was removed is unloaded and not found', async () => {
		const { models, pool, run } = arrange(entry('a'), entry('b'));
		await workerOf(run('a'));
		models.become(entry('b'));
		expect(pool.models.map(({ id }) => id)).toEqual(['b']);
		expect(pool.defaultModel).toBe('b');
		await expect(workerOf(run('a'))).rejects.toMatchObject({ code: 'model_not_found' });
	});

	it('a recording that is being worked on is finished by the process that has it', async () => {
		const { models, run } = arrange(entry('a'));
		const events = run('a', '/ok/2')[Symbol.asyncIterator]();
		expect((await events.next()).value).toMatchObject({ type: 'started' });
		models.become(entry('a', { files: { model: '/other' } }));
		const rest: string[] = [];
		for (let next = await events.next(); !next.done; next = await events.next()) rest.push(next.value.type);
		expect(rest.at(-1)).toBe('done');
	});
});

describe('a model whose files are not here yet', () => {
	it('is not loaded before they are', async () => {
		const { models, run } = arrange(entry('a'));
		const order: string[] = [];
		models.ready = async () => {
			order.push('ready');
		};
		await workerOf(run('a'));
		expect(order).toEqual(['ready']);
	});

	it('is not queried for them again while it is in memory', async () => {
		const { models, pool, run } = arrange(entry('a'));
		await workerOf(run('a'));
		models.ready = async () => {
			throw new EarshotError('model_not_found', 'To fetch it: earshot pull a');
		};
		await workerOf(run('a'));
		await pool.unload('a');
		await expect(workerOf(run('a'))).rejects.toThrow('earshot pull a');
	});

	it('is refused as the registry says', async () => {
		const { models, pool, run } = arrange(entry('a'));
		models.ready = async () => {
			throw new EarshotError('model_not_found', 'To fetch it: earshot pull a');
		};
		await expect(workerOf(run('a'))).rejects.toThrow('earshot pull a');
		expect(pool.models[0]?.state).toBe('unloaded');
	});
});

describe('a model without work', () => {
	it('stays for the time that is set, and its process ends then', async () => {
		const { clock, run, shown } = arrange(entry('a'));
		const pid = Number(await workerOf(run('a')));
		clock.advance(59_999);
		expect(shown('a')).toMatchObject({ state: 'loaded', pid, idleMs: 59_999, unloadsInMs: 1 });
		clock.advance(1);
		expect(shown('a')).toMatchObject({ state: 'unloaded', idleMs: null, unloadsInMs: null });
		await untilEnded(pid);
	});

	it('stays for as long again after each request', async () => {
		const { clock, run } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		clock.advance(40_000);
		await workerOf(run('a'));
		clock.advance(40_000);
		expect(await workerOf(run('a'))).toBe(before);
	});

	it('is loaded again by the next request, even while its process is still ending', async () => {
		const { clock, run } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		clock.advance(60_000);
		expect(await workerOf(run('a'))).not.toBe(before);
	});

	it('goes with its last request where it is to go at once, and waits for its first one', async () => {
		const { pool, run, shown } = arrange(entry('a', { keepAliveMs: 0 }));
		await pool.load('a', never);
		const pid = shown('a')?.pid;
		expect(shown('a')).toMatchObject({ state: 'loaded', unloadsInMs: null });
		const [first, second] = await Promise.all([workerOf(run('a', '/ok/3')), workerOf(run('a'))]);
		expect([first, second]).toEqual([[pid, pid, pid].join(' '), String(pid)]);
		expect(shown('a')?.state).toBe('unloaded');
		await untilEnded(pid);
	});

	it('stays for ever if set so', async () => {
		const { clock, run, shown } = arrange(entry('a', { keepAliveMs: Infinity }));
		await workerOf(run('a'));
		clock.advance(1e12);
		expect(shown('a')).toMatchObject({ state: 'loaded', idleMs: 1e12, unloadsInMs: null });
	});

	it('follows changes of models.yaml without a reload', async () => {
		const { models, clock, run, shown } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		models.become(entry('a', { keepAliveMs: 1000 }));
		expect(await workerOf(run('a'))).toBe(before);
		clock.advance(1000);
		expect(shown('a')?.state).toBe('unloaded');
	});

	it('is not without work while a request has it, however long that takes', async () => {
		const { pool, clock, shown } = arrange(entry('a'));
		const lease = await pool.lease('a', never);
		clock.advance(1e9);
		expect(shown('a')).toMatchObject({ state: 'loaded', requests: 1, idleMs: null });
		lease.release();
		lease.release();
		expect(shown('a')).toMatchObject({ requests: 0, idleMs: 0, unloadsInMs: 60_000 });
	});

	it('stays loaded as if it had been used if all callers cancelled before it was loaded', async () => {
		const { pool, clock, shown } = arrange(entry('a'));
		const leaver = new AbortController();
		const lease = pool.lease('a', leaver.signal);
		leaver.abort();
		await expect(lease).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => shown('a')?.unloadsInMs === 60_000, patient);
		clock.advance(60_000);
		expect(shown('a')?.state).toBe('unloaded');
	});
});

describe('an unloaded model', () => {
	it('has given its process up, after what runs is through', async () => {
		const { pool, shown, reported } = arrange(entry('a'));
		const lease = await pool.lease('a', never);
		const pid = shown('a')?.pid;
		const unloaded = pool.unload('a');
		expect(shown('a')?.state).toBe('loaded');
		lease.release();
		await unloaded;
		expect([shown('a')?.state, isAlive(pid), shown('a')?.memoryBytes]).toEqual(['unloaded', false, 0]);
		expect(reported).toEqual(['a loaded', 'a unloaded: requested']);
	});

	it('is reported as unloaded only after the last message of its process', async () => {
		const { pool, reported } = arrange(entry('a', { options: { reports: true } }));
		await pool.load('a', never);
		await pool.unload('a');
		expect(reported).toEqual(['a loaded', 'a reported', 'a unloaded: requested']);
	});

	it('may be unloaded again, and is not found where it is not served', async () => {
		const { pool } = arrange(entry('a'));
		await pool.unload('a');
		await pool.unload('a');
		await expect(pool.unload('b')).rejects.toMatchObject({ code: 'model_not_found' });
	});
});

describe('a model in backoff', () => {
	it('is refused, reported as such, and tried again when it is loaded', async () => {
		const { pool, run, shown, reported } = arrange(entry('a', { options: { die: true } }));
		for (const code of ['model_load_failed', 'model_load_failed', 'model_backoff', 'model_backoff'])
			await expect(workerOf(run('a'))).rejects.toMatchObject({ code });
		expect(shown('a')?.state).toBe('backoff');
		expect(reported).toEqual([
			'a failed to load',
			'a failed to load',
			'a refused: backoff',
			'a refused: backoff',
		]);
		await expect(pool.load('a', never)).rejects.toMatchObject({ code: 'model_load_failed' });
		await pool.unload('a');
		expect(shown('a')?.state).toBe('unloaded');
	});
});

describe('the memory that models may take', () => {
	const mib = 2 ** 20;
	const big = (id: string, given: Partial<Pick<ModelEntry, 'keepAliveMs'>> = {}) =>
		entry(id, { options: { mib: 300 }, ...given });
	const two = { budgetBytes: 700 * mib };

	it('is reported as measured', async () => {
		const { run, shown } = arrange(big('a'));
		await workerOf(run('a'));
		expect(shown('a')?.memoryBytes).toBe(300 * mib);
	});

	it('is made free by the end of the one that has not been used for longest', async () => {
		const { run, clock, shown, reported } = arrangeWith(two, big('a'), big('b'), big('c'));
		for (const id of ['a', 'b', 'a', 'c']) {
			await workerOf(run(id));
			clock.advance(1);
		}
		expect(['a', 'b', 'c'].map((id) => shown(id)?.state)).toEqual(['loaded', 'unloaded', 'loaded']);
		await vi.waitUntil(() => reported.includes('b unloaded: memory'), patient);
	});

	it('is taken last from a model that is to stay', async () => {
		const { run, clock, shown } = arrangeWith(two, big('a', { keepAliveMs: Infinity }), big('b'), big('c'));
		for (const id of ['a', 'b', 'c']) {
			await workerOf(run(id));
			clock.advance(1);
		}
		expect(['a', 'b', 'c'].map((id) => shown(id)?.state)).toEqual(['loaded', 'unloaded', 'loaded']);
	});

	it('is never taken from a model at work: the request waits until it is through', async () => {
		const { pool, run, shown } = arrangeWith({ budgetBytes: 400 * mib }, big('a'), big('b'));
		const lease = await pool.lease('a', never);
		const pid = shown('a')?.pid;
		const waiting = workerOf(run('b'));
		await vi.waitUntil(() => shown('b')?.requests === 1, patient);
		expect([shown('a')?.state, shown('b')?.state]).toEqual(['loaded', 'unloaded']);
		lease.release();
		await waiting;
		await untilEnded(pid);
		expect([shown('a')?.state, shown('b')?.state]).toEqual(['unloaded', 'loaded']);
	});

	it('is refused after half a minute of waiting, with the time to come back', async () => {
		const { pool, run, clock, shown, reported } = arrangeWith({ budgetBytes: 400 * mib }, big('a'), big('b'));
		await pool.lease('a', never);
		const waiting = expect(workerOf(run('b'))).rejects.toMatchObject({
			code: 'out_of_memory',
			retryAfterSeconds: 10,
			message: expect.stringMatching(
				/^There is no memory for the model `b` now: it needs about 172 MiB of the budget of 400 MiB for all models/,
			),
		});
		await vi.waitUntil(() => shown('b')?.requests === 1, patient);
		clock.advance(30_000);
		await waiting;
		expect(reported).toEqual(['a loaded', 'b refused: memory']);
	});

	it('is not awaited by cancelled requests', async () => {
		const { pool, clock, shown } = arrangeWith({ budgetBytes: 400 * mib }, big('a'), big('b'));
		const lease = await pool.lease('a', never);
		const leaver = new AbortController();
		const left = pool.lease('b', leaver.signal);
		await vi.waitUntil(() => shown('b')?.requests === 1, patient);
		leaver.abort();
		await expect(left).rejects.toMatchObject({ code: 'cancelled' });
		lease.release();
		clock.advance(30_000);
		expect([shown('a')?.state, shown('b')?.state]).toEqual(['loaded', 'unloaded']);
	});

	it('never suffices for a model that needs more than all of it, which is reported at once', async () => {
		const { run, reported } = arrangeWith({ budgetBytes: 100 * mib }, big('a'));
		await expect(workerOf(run('a'))).rejects.toMatchObject({
			code: 'model_too_large',
			message:
				'The model `a` needs about 172 MiB of memory, more than the budget of 100 MiB for all models: raise --memory-budget-mb',
		});
		expect(reported).toEqual(['a failed to load']);
	});

	it('is kept to when models take more than was expected, by the end of the others', async () => {
		// Both are expected to fit, and do not: 300 MiB each, where 172 were expected.
		const { run, clock, shown, reported } = arrangeWith({ budgetBytes: 500 * mib }, big('a'), big('b'));
		await workerOf(run('a'));
		clock.advance(1);
		await workerOf(run('b'));
		expect([shown('a')?.state, shown('b')?.state]).toEqual(['unloaded', 'loaded']);
		await vi.waitUntil(() => reported.includes('a unloaded: memory'), patient);
	});
});

describe('the log', () => {
	async function logged(
		work: (given: ReturnType<typeof arrange>) => Promise<unknown>,
		given: Partial<PoolOptions>,
		...entries: ModelEntry[]
	) {
		const log = new FakeLog();
		const arranged = arrangeWith({ log, ...given }, ...entries);
		await work(arranged);
		return log.lines.map(({ level, message, fields: { model, reason, code } }) =>
			[level, message, model, reason ?? code].join(' '),
		);
	}

	it('says which model is loaded on request, and with what result', async () => {
		const log = new FakeLog();
		const { run, pool } = arrangeWith({ log }, entry('a'));
		await workerOf(run('a'));
		const pid = pool.models[0]?.pid;
		expect(log.lines).toEqual([
			{ level: 'info', fields: { model: 'a', reason: 'request' }, message: 'loading a model' },
			{
				level: 'info',
				fields: {
					model: 'a',
					pid,
					ms: 0,
					memoryMb: 1,
					engine: 'fake',
					device: 'none',
					encoder: undefined,
					decoder: undefined,
				},
				message: 'model loaded',
			},
		]);
	});

	it('records an eviction, and why a model was loaded', async () => {
		const lines = await logged(
			async ({ pool, run }) => {
				await pool.load('a', never, 'start');
				await pool.load('b', never);
				await workerOf(run('a'));
			},
			{ budgetBytes: 400 * 2 ** 20 },
			entry('a', { options: { mib: 300 } }),
			entry('b', { options: { mib: 300 } }),
		);
		expect(lines.filter((line) => !line.includes('model loaded'))).toEqual([
			'info loading a model a start',
			'info model evicted: its memory is needed a memory',
			'info loading a model b requested',
			'info model evicted: its memory is needed b memory',
			'info loading a model a request',
		]);
	});

	it('records a process that dies, and its replacement', async () => {
		const log = new FakeLog();
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const { run, pool } = arrangeWith({ log }, entry('a'));
		await pool.load('a', never);
		const first = pool.models[0]?.pid;
		await workerOf(run('a', `/once${scratch.path}/died`));
		expect(log.lines.slice(2)).toEqual([
			{
				level: 'warn',
				fields: {
					model: 'a',
					pid: first,
					how: 'signal SIGKILL',
					recordings: 1,
					lastOutput: 'assertion failed: it hurts',
				},
				message: 'the process of a model died',
			},
			{
				level: 'info',
				fields: { model: 'a', pid: pool.models[0]?.pid, reason: 'died' },
				message: 'the process of a model was replaced after its death',
			},
		]);
		expect(pool.models[0]?.pid).not.toBe(first);
	});

	it('records a model that cannot be loaded, once for all waiting requests', async () => {
		const lines = await logged(
			({ pool }) => Promise.allSettled([pool.lease('a', never), pool.lease('a', never)]),
			{},
			entry('a', { options: { fail: true } }),
		);
		expect(lines).toEqual([
			'info loading a model a request',
			'error The model `a` could not be loaded: no such model a model_load_failed',
		]);
	});

	it('records a model in crash backoff', async () => {
		const log = new FakeLog();
		const { pool } = arrangeWith({ log }, entry('a', { options: { die: true } }));
		for (let attempt = 0; attempt < 3; attempt++) await pool.lease('a', never).catch(() => {});
		expect(log.lines.filter(({ message }) => /backoff/.test(message))).toEqual([
			{
				level: 'error',
				fields: { model: 'a', seconds: 10 },
				message: 'a model is in crash backoff: its process keeps crashing',
			},
		]);
	});
});

describe('readiness', () => {
	it('is that of the default model', async () => {
		const { pool, models } = arrange(entry('a'), entry('b', { options: { fail: true } }));
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
		await pool.lease('b', never).catch(() => {});
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
		models.absence = (id) => (id === 'a' ? 'missing' : undefined);
		expect(pool.checkReadiness()).toEqual({
			status: 'degraded',
			reason:
				'The default model `a` is in models.yaml, but its files are not on this machine; `earshot list` says what to do',
		});
		models.absence = () => 'mistake';
		expect(pool.checkReadiness().reason).toContain('has a mistake in models.yaml');
	});

	it('is loading until the first load is done, and not for a later one', async () => {
		const { pool } = arrange(entry('a'));
		const loading = pool.load('a', never);
		await vi.waitUntil(() => pool.models[0]?.state === 'loading', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'loading' });
		await loading;
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
		await pool.unload('a');
		const again = pool.load('a', never);
		await vi.waitUntil(() => pool.models[0]?.state === 'loading', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
		await again;
	});

	it('is degraded while the model cannot be loaded, which is retried every half minute on request', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const broken = scratch.file('broken', '');
		const { pool, clock } = arrange(entry('a', { options: { dieIf: broken } }));
		await pool.load('a', never).catch(() => {});
		const degraded = {
			status: 'degraded',
			reason: 'The default model `a` could not be loaded (model_load_failed); the log says why',
		};
		expect(pool.checkReadiness()).toEqual(degraded);
		rmSync(broken);
		clock.advance(29_999);
		expect(pool.checkReadiness()).toEqual(degraded);
		expect(pool.models[0]?.state).toBe('unloaded');
		clock.advance(1);
		expect(pool.checkReadiness()).toEqual(degraded);
		await vi.waitUntil(() => pool.models[0]?.state === 'loaded', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	});

	it('is degraded when the model needs more than all the memory that models may take', async () => {
		const { pool } = arrangeWith({ budgetBytes: 100 * 2 ** 20 }, entry('a', { options: { mib: 300 } }));
		await pool.load('a', never).catch(() => {});
		expect(pool.checkReadiness()).toMatchObject({
			status: 'degraded',
			reason: expect.stringContaining('model_too_large'),
		});
	});

	it('is degraded while the busy process does not respond', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const times = path.join(scratch.path, 'times');
		const { pool, clock, run } = arrangeWith({ hangTimeoutMs: 30_000 }, entry('a'));
		const result = workerOf(run('a', `/spin/1${times}`));
		await untilHung(times, 1);
		clock.advance(10_000);
		expect(pool.checkReadiness()).toEqual({
			status: 'degraded',
			reason: 'The default model `a` does not respond; its process will be replaced soon',
		});
		clock.advance(25_000);
		await result;
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	});

	it('stays degraded when models.yaml or the files have changed until a load succeeds, which is tried at once', async () => {
		const scratch = new Scratch();
		onTestFinished(() => scratch[Symbol.dispose]());
		const broken = scratch.file('broken', '');
		const { pool, models } = arrange(entry('a', { options: { dieIf: broken } }));
		await pool.load('a', never).catch(() => {});
		models.become(...models.entries);
		expect(pool.checkReadiness().status).toBe('degraded');
		await vi.waitUntil(() => pool.models[0]?.state === 'unloaded', patient);
		expect(pool.checkReadiness().status).toBe('degraded');
		rmSync(broken);
		models.become(...models.entries);
		expect(pool.checkReadiness().status).toBe('degraded');
		await vi.waitUntil(() => pool.models[0]?.state === 'loaded', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	});

	it('of an entry that was mended is known by a load, without a request', async () => {
		const { pool, models } = arrange(entry('a', { options: { fail: true } }));
		await pool.load('a', never).catch(() => {});
		models.become(entry('a'));
		await vi.waitUntil(() => pool.models[0]?.state === 'loaded', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	});

	it('does not count a load that was cancelled', async () => {
		const { pool } = arrange(entry('a'));
		const gone = new AbortController();
		const load = pool.load('a', gone.signal);
		gone.abort();
		await load.catch(() => {});
		await vi.waitUntil(() => pool.models[0]?.state === 'loaded', patient);
		expect(pool.checkReadiness()).toEqual({ status: 'ok' });
	});
});
