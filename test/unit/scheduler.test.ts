import { describe, expect, it } from 'vitest';
import type { Clip, Limits, RecognizeOptions } from '../../src/engines/engine.js';
import { EarshotError } from '../../src/errors.js';
import { pickBatch } from '../../src/transcriber/pick-batch.js';
import { Scheduler } from '../../src/transcriber/scheduler.js';
import { ScriptedEngine, settled } from '../helpers/scripted-engine.js';

const options: RecognizeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
};

function clip(start: number, seconds = 1): Clip {
	return { samples: new Float32Array(1), start, end: start + seconds };
}

function arrange(limits: Partial<Limits> = {}, maxThreads = 4) {
	const engine = new ScriptedEngine(limits);
	const scheduler = new Scheduler(engine, maxThreads);
	const submit = (
		recording: object,
		start: number,
		more: Partial<{ signal: AbortSignal; options: RecognizeOptions }> = {},
	) => {
		const result = scheduler.submit({
			recording,
			clip: clip(start),
			options,
			signal: new AbortController().signal,
			...more,
		});
		// A test looks at it later, or not at all.
		result.catch(() => {});
		return result;
	};
	return { engine, scheduler, submit };
}

const starts = (engine: ScriptedEngine) => engine.ran.map((batch) => batch.clips.map(({ start }) => start));

describe('the scheduler', () => {
	it('runs as many clips at once as there are lanes', () => {
		const { engine, submit } = arrange({ lanes: 2 });
		const recording = {};
		for (const start of [0, 1, 2]) void submit(recording, start);
		expect(engine.running).toHaveLength(2);
	});

	it('starts the next clip the moment a lane is free', async () => {
		const { engine, submit } = arrange();
		const recording = {};
		void submit(recording, 0);
		void submit(recording, 1);
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [1]]);
	});

	it('gives a batch no more than its share of what waits, so that no lane stays empty', async () => {
		const { engine, submit } = arrange({ lanes: 2, maxBatchClips: 4, padded: true });
		const recording = {};
		for (const start of [0, 1, 2, 3, 4, 5]) void submit(recording, start);
		expect(starts(engine)).toEqual([[0], [1]]);
		engine.running[0]?.finish();
		engine.running[1]?.finish();
		await settled();
		expect(engine.running).toHaveLength(2);
		expect(starts(engine).slice(2).flat()).toEqual([2, 3, 4, 5]);
	});

	it('tries each clip of a failed batch alone, so that one costs only itself', async () => {
		const { engine, submit } = arrange({ maxBatchClips: 3 });
		void submit({}, 0);
		const batch = [1, 2, 3].map((start) => submit({}, start));
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [1, 2, 3]]);
		engine.running[0]?.fail(new EarshotError('engine_failed', 'one of them'));
		await settled();
		await engine.finishCurrent();
		engine.running[0]?.fail(new EarshotError('engine_failed', 'this one'));
		await settled();
		await engine.finishCurrent();
		const ends = await Promise.allSettled(batch);
		expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
		expect(starts(engine).slice(2)).toEqual([[1], [2], [3]]);
	});

	it('lets recordings take turns, so that a short one never waits for a long one', async () => {
		const { engine, submit } = arrange();
		const long = {};
		const short = {};
		for (const start of [0, 1, 2, 3]) void submit(long, start);
		void submit(short, 100);
		await engine.finishCurrent();
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [1], [100]]);
	});

	it('gives all threads to a clip that is alone, and a share to each when others wait', async () => {
		const { engine, submit } = arrange({ lanes: 2 }, 8);
		void submit({}, 0);
		void submit({}, 1);
		expect(engine.ran.map(({ threads }) => threads)).toEqual([8, 4]);
	});

	it('never runs a clip whose client has gone', async () => {
		const { engine, submit } = arrange();
		void submit({}, 0);
		const gone = new AbortController();
		const result = submit({}, 1, { signal: gone.signal });
		gone.abort();
		await expect(result).rejects.toMatchObject({ code: 'cancelled' });
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0]]);
	});

	it('ends a running clip whose client has gone, and frees its lane', async () => {
		const { engine, submit } = arrange();
		const gone = new AbortController();
		const result = submit({}, 0, { signal: gone.signal });
		const next = submit({}, 1);
		gone.abort();
		await expect(result).rejects.toMatchObject({ code: 'cancelled' });
		await engine.finishCurrent();
		await expect(next).resolves.toMatchObject({ segments: [{ text: ' at 1' }] });
	});

	it('goes on with a batch while anybody waits for it', async () => {
		const { engine, submit } = arrange({ maxBatchClips: 2 });
		void submit({}, 0);
		const gone = new AbortController();
		const left = submit({}, 1, { signal: gone.signal });
		const stays = submit({}, 2);
		await engine.finishCurrent();
		gone.abort();
		expect(engine.running[0]?.signal.aborted).toBe(false);
		await engine.finishCurrent();
		await expect(left).rejects.toMatchObject({ code: 'cancelled' });
		await expect(stays).resolves.toMatchObject({ segments: [{ text: ' at 2' }] });
	});

	it('fails only the clips of the batch that failed', async () => {
		const { engine, submit } = arrange();
		const bad = submit({}, 0);
		const good = submit({}, 1);
		engine.running[0]?.fail(new EarshotError('engine_failed', 'no'));
		await expect(bad).rejects.toMatchObject({ code: 'engine_failed' });
		await engine.finishCurrent();
		await expect(good).resolves.toBeDefined();
	});

	it('refuses what waits when it is closed, lets what runs finish, then closes the engine', async () => {
		const { engine, scheduler, submit } = arrange();
		const runs = submit({}, 0);
		const waits = submit({}, 1);
		const closing = scheduler.close();
		await expect(waits).rejects.toMatchObject({ code: 'closed' });
		await settled();
		expect(engine.closed).toBe(false);
		await engine.finishCurrent();
		await closing;
		await expect(runs).resolves.toBeDefined();
		expect(engine.closed).toBe(true);
		await expect(submit({}, 2)).rejects.toMatchObject({ code: 'closed' });
	});
});

describe('picking a batch', () => {
	const waiting = (start: number, seconds: number, more: Partial<RecognizeOptions> = {}) => ({
		clip: clip(start, seconds),
		options: { ...options, ...more },
	});
	const limits = { maxBatchClips: 4, maxBatchSeconds: 20, padded: true };

	it('takes the head of the line whose turn it is, then the heads of the others', () => {
		const lines = [{ waiting: [waiting(0, 2), waiting(2, 2)] }, { waiting: [waiting(10, 2)] }];
		expect(pickBatch(lines, limits).map((each) => each.clip.start)).toEqual([0, 10, 2]);
	});

	it('counts the padding that the longest clip costs the others', () => {
		const lines = [
			{ waiting: [waiting(0, 10)] },
			{ waiting: [waiting(10, 1)] },
			{ waiting: [waiting(20, 1)] },
		];
		expect(pickBatch(lines, limits)).toHaveLength(2);
		expect(pickBatch(lines, { ...limits, padded: false })).toHaveLength(3);
	});

	it('never mixes clips that ask for different things', () => {
		const lines = [{ waiting: [waiting(0, 1)] }, { waiting: [waiting(1, 1, { language: 'de' })] }];
		expect(pickBatch(lines, limits)).toHaveLength(1);
	});

	it('takes one clip even where it alone costs more than the ceiling', () => {
		expect(pickBatch([{ waiting: [waiting(0, 30)] }], limits)).toHaveLength(1);
	});

	it('is empty only when nothing waits', () => {
		expect(pickBatch([], limits)).toEqual([]);
	});
});
