import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ServedModels } from '../../src/catalog/live-serving.js';
import { findIn, type ModelEntry } from '../../src/catalog/model-entry.js';
import { EarshotError } from '../../src/errors.js';
import { HostPool } from '../../src/pool/pool.js';
import { defaultChunking, type TranscribeOptions } from '../../src/transcriber/transcriber.js';
import type { TranscriptEvent } from '../../src/transcriber/transcript.js';
import { FakeClock } from '../helpers/fakes.js';

const script = fileURLToPath(new URL('../helpers/fake-host.mjs', import.meta.url));
const never = new AbortController().signal;
const options: TranscribeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
	chunking: defaultChunking,
};

function entry(
	id: string,
	given: Pick<Partial<ModelEntry>, 'aliases' | 'files' | 'keepAliveMs'> = {},
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
	ready: ServedModels['ready'] = async () => {};
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
	const models = new Served(...entries);
	const clock = new FakeClock();
	const pool = new HostPool({
		models,
		settings: {
			numThreads: 1,
			lanes: 1,
			maxAudioSeconds: 1,
			sherpaDir: undefined,
			vadModel: '',
			useGpu: false,
			gpuDevice: 0,
			encoder: 'auto',
		},
		script,
		env: {},
		clock,
		keepAliveMs: 60_000,
		createdAt: () => 0,
	});
	onTestFinished(() => pool.close());
	async function* run(model: string, recording = '/ok/1'): AsyncGenerator<TranscriptEvent> {
		const lease = await pool.lease(model, never);
		try {
			yield* lease.transcribe({ path: recording }, options, never);
		} finally {
			lease.release();
		}
	}
	const shown = (id: string) => pool.models.find((model) => model.id === id);
	return { models, pool, clock, run, shown };
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

	it('a model with other files is loaded anew', async () => {
		const { models, run } = arrange(entry('a'));
		const before = await workerOf(run('a'));
		models.become(entry('a', { files: { model: '/other' } }));
		expect(await workerOf(run('a'))).not.toBe(before);
	});

	it('a model that has gone is unloaded and not found', async () => {
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
	/** Until its process is gone: the clock stands still meanwhile. */
	const gone = (pid: number | null | undefined) =>
		vi.waitUntil(() => {
			try {
				process.kill(pid ?? 0, 0);
				return false;
			} catch {
				return true;
			}
		});

	it('stays for the time that is set, and its process ends then', async () => {
		const { clock, run, shown } = arrange(entry('a'));
		const pid = Number(await workerOf(run('a')));
		clock.advance(59_999);
		expect(shown('a')).toMatchObject({ state: 'loaded', pid, idleMs: 59_999, unloadsInMs: 1 });
		clock.advance(1);
		expect(shown('a')).toMatchObject({ state: 'unloaded', idleMs: null, unloadsInMs: null });
		await gone(pid);
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
		await gone(pid);
	});

	it('stays for ever where it is told to', async () => {
		const { clock, run, shown } = arrange(entry('a', { keepAliveMs: Infinity }));
		await workerOf(run('a'));
		clock.advance(1e12);
		expect(shown('a')).toMatchObject({ state: 'loaded', idleMs: 1e12, unloadsInMs: null });
	});

	it('goes by what models.yaml says now, without being loaded anew', async () => {
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

	it('stays as if it had been used where all who asked left before it was loaded', async () => {
		const { pool, clock, shown } = arrange(entry('a'));
		const leaver = new AbortController();
		const lease = pool.lease('a', leaver.signal);
		leaver.abort();
		await expect(lease).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => shown('a')?.state === 'loaded');
		await vi.waitUntil(() => shown('a')?.unloadsInMs === 60_000);
		clock.advance(60_000);
		expect(shown('a')?.state).toBe('unloaded');
	});
});
