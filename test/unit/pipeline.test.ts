import { describe, expect, it } from 'vitest';
import { finished, type PipelineParts, runPipeline } from '../../src/transcriber/pipeline.js';
import { Scheduler } from '../../src/transcriber/scheduler.js';
import { defaultChunking, type TranscribeOptions } from '../../src/transcriber/transcriber.js';
import type { TranscriptEvent } from '../../src/transcriber/transcript.js';
import { facts, ScriptedEngine, settled } from '../helpers/scripted-engine.js';

const options: TranscribeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
	chunking: { ...defaultChunking, prefixPaddingMs: 0 },
};

function arrange(spans: { start: number; end: number }[], lanes = 4) {
	const engine = new ScriptedEngine({ lanes, mergeGapSeconds: 0.1, minClipSeconds: 1.5 });
	const parts: PipelineParts = {
		facts,
		limits: engine.limits,
		scheduler: new Scheduler(engine, 1),
		decode: async () => ({ samples: new Float32Array(16_000 * 10), duration: 10 }),
		findSpeech: async () => spans,
	};
	return { engine, parts };
}

function events(
	parts: PipelineParts,
	signal = new AbortController().signal,
): AsyncGenerator<TranscriptEvent> {
	const pipeline = runPipeline(parts, { path: 'a.wav' }, options, signal);
	return finished(pipeline, { model: 'scripted', task: 'transcribe', language: null });
}

const spans = [
	{ start: 1, end: 2 },
	{ start: 4, end: 5 },
	{ start: 8, end: 9 },
];

describe('a recording', () => {
	it('becomes clips, and their segments come back with times of the recording', async () => {
		const { engine, parts } = arrange(spans);
		const seen: TranscriptEvent[] = [];
		const whole = (async () => {
			for await (const event of events(parts)) seen.push(event);
		})();
		await settled();
		for (const run of [...engine.running]) run.finish();
		await whole;
		expect(seen.map(({ type }) => type)).toEqual(['started', 'segments', 'segments', 'segments', 'done']);
		const done = seen.at(-1);
		expect(done?.type === 'done' && done.transcript).toMatchObject({
			duration: 10,
			language: 'en',
			segments: [
				{ id: 0, start: 1, end: 2, seek: 100 },
				{ id: 1, start: 4, end: 5, seek: 400 },
				{ id: 2, start: 8, end: 9, seek: 800 },
			],
			text: 'at 1 at 4 at 8',
		});
	});

	it('gives its segments in order, however its clips finish', async () => {
		const { engine, parts } = arrange(spans);
		const seen: number[] = [];
		const whole = (async () => {
			for await (const event of events(parts))
				if (event.type === 'segments') seen.push(event.segments[0]?.start ?? -1);
		})();
		await settled();
		for (const run of [...engine.running].reverse()) {
			run.finish();
			await settled();
		}
		await whole;
		expect(seen).toEqual([1, 4, 8]);
	});

	it('is an empty transcript where nobody speaks', async () => {
		const { engine, parts } = arrange([]);
		const seen = [];
		for await (const event of events(parts)) seen.push(event);
		expect(seen.at(-1)).toMatchObject({
			type: 'done',
			transcript: { text: '', segments: [], language: null },
		});
		expect(engine.ran).toEqual([]);
	});

	it('lengthens clips that the model is too weak for with silence', async () => {
		const { engine, parts } = arrange(spans.slice(0, 1));
		void events(parts).next();
		const stream = events(parts);
		await stream.next();
		void stream.next();
		await settled();
		expect(engine.ran[0]?.clips[0]?.samples).toHaveLength(24_000);
		expect(engine.ran[0]?.clips[0]?.end).toBe(2);
	});

	it('frees its lanes when nobody listens any more', async () => {
		const { engine, parts } = arrange(spans);
		const stream = events(parts);
		await stream.next();
		const next = stream.next();
		await settled();
		await engine.finishCurrent();
		await next;
		await stream.return(undefined);
		expect(engine.running).toEqual([]);
	});

	it('is cancelled by its signal', async () => {
		const { parts } = arrange(spans);
		const gone = new AbortController();
		const stream = events(parts, gone.signal);
		await stream.next();
		const next = stream.next();
		gone.abort();
		await expect(next).rejects.toMatchObject({ code: 'cancelled' });
	});

	it('passes over clips that an earlier try has finished', async () => {
		const { engine, parts } = arrange(spans);
		const pipeline = runPipeline(parts, { path: 'a.wav' }, options, new AbortController().signal, {
			firstClip: 2,
		});
		await pipeline.next();
		const next = pipeline.next();
		await engine.finishCurrent();
		expect((await next).value).toMatchObject({ clip: 2, segments: [{ start: 8 }] });
		expect(engine.ran).toHaveLength(1);
	});
});
