import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ServedModels } from '../../src/catalog/live-serving.js';
import { findIn, type ModelEntry } from '../../src/catalog/model-entry.js';
import { EarshotError } from '../../src/errors.js';
import { HostPool } from '../../src/pool/pool.js';
import { defaultChunking, type TranscribeOptions } from '../../src/transcriber/transcriber.js';
import type { TranscriptEvent } from '../../src/transcriber/transcript.js';

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

function entry(id: string, given: Pick<Partial<ModelEntry>, 'aliases' | 'files'> = {}): ModelEntry {
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
		},
		script,
		env: {},
		createdAt: () => 0,
	});
	onTestFinished(() => pool.close());
	const run = async (model: string, recording = '/ok/1') =>
		(await pool.transcriber(model, never)).transcribe({ path: recording }, options, never);
	return { models, pool, run };
}

/** The process that did it. */
async function workerOf(events: AsyncIterable<TranscriptEvent>): Promise<string> {
	for await (const event of events) if (event.type === 'done') return event.transcript.text.trim();
	throw new Error('no transcript');
}

describe('when models.yaml has changed', () => {
	it('a model that is as it was keeps its process, whatever it is called now', async () => {
		const { models, run } = arrange(entry('a'));
		const before = await workerOf(await run('a'));
		models.become(entry('a', { aliases: ['b'] }), entry('c'));
		expect(await workerOf(await run('b'))).toBe(before);
	});

	it('a model with other files is loaded anew', async () => {
		const { models, run } = arrange(entry('a'));
		const before = await workerOf(await run('a'));
		models.become(entry('a', { files: { model: '/other' } }));
		expect(await workerOf(await run('a'))).not.toBe(before);
	});

	it('a model that has gone is unloaded and not found', async () => {
		const { models, pool, run } = arrange(entry('a'), entry('b'));
		await workerOf(await run('a'));
		models.become(entry('b'));
		expect(pool.models.map(({ id }) => id)).toEqual(['b']);
		expect(pool.defaultModel).toBe('b');
		await expect(run('a')).rejects.toMatchObject({ code: 'model_not_found' });
	});

	it('a recording that is being worked on is finished by the process that has it', async () => {
		const { models, run } = arrange(entry('a'));
		const events = (await run('a', '/ok/2'))[Symbol.asyncIterator]();
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
		await workerOf(await run('a'));
		expect(order).toEqual(['ready']);
	});

	it('is refused as the registry says', async () => {
		const { models, pool, run } = arrange(entry('a'));
		models.ready = async () => {
			throw new EarshotError('model_not_found', 'To fetch it: earshot pull a');
		};
		await expect(run('a')).rejects.toThrow('earshot pull a');
		expect(pool.models[0]?.state).toBe('unloaded');
	});
});
