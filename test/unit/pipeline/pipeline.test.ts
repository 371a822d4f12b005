import { describe, expect, it } from 'vitest';
import { blockSeconds } from '../../../src/audio/chunker.js';
import { noVad } from '../../../src/audio/vad.js';
import { EarshotError } from '../../../src/core/errors.js';
import { finished } from '../../../src/core/speech/assemble.js';
import type { PipelineEvent } from '../../../src/core/speech/events.js';
import { defaultChunking, type TranscribeOptions } from '../../../src/core/speech/options.js';
import type { TranscriptEvent } from '../../../src/core/speech/transcript.js';
import type { PipelineParts } from '../../../src/pipeline/parts.js';
import { runPipeline } from '../../../src/pipeline/pipeline.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { plainTranscription } from '../../helpers/options.js';
import { info, ScriptedEngine, settled } from '../../helpers/scripted-engine.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

const options: TranscribeOptions = {
	...plainTranscription,
	chunking: { ...defaultChunking, prefixPaddingMs: 0 },
};

function arrange(spans: { start: number; end: number }[], { slots = 4, seconds = 10 } = {}) {
	const engine = new ScriptedEngine({ slots, mergeGapSeconds: 0.1, minClipSeconds: 1.5 });
	const recording = new ScriptedRecording(seconds, spans);
	const parts: PipelineParts = {
		info,
		limits: engine.limits,
		scheduler: new Scheduler(engine, 1),
		openAudio: recording.reader,
		openVad: recording.vad,
	};
	return { engine, parts, recording };
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

	it('reports where clips repeated themselves, in its own time', async () => {
		const { engine, parts } = arrange(spans);
		let last: TranscriptEvent | undefined;
		const whole = (async () => {
			for await (const event of events(parts)) last = event;
		})();
		await settled();
		const [first, ...others] = [...engine.running];
		first?.finish();
		for (const run of others) run.finish({ removedRepetitions: [{ start: 0.25, end: 0.5 }] });
		await whole;
		expect(last?.type === 'done' && last.transcript.warnings).toMatchObject([
			{ code: 'removed_repetition', start: 4.25, end: 4.5 },
			{ code: 'removed_repetition', start: 8.25, end: 8.5 },
		]);
	});

	it.each([true, false])('warns where its file ends before it does: %s', async (truncated) => {
		const { parts, recording } = arrange([]);
		recording.truncated = truncated;
		const seen = [];
		for await (const event of events(parts)) seen.push(event);
		const done = seen.at(-1);
		expect(done?.type === 'done' && done.transcript.warnings).toEqual(
			truncated
				? [{ code: 'truncated_audio', start: 10, message: expect.stringContaining('after 10 s') }]
				: undefined,
		);
	});

	it('reports speech without text', async () => {
		const { engine, parts } = arrange([...spans, { start: 9, end: 9.4 }]);
		let last: TranscriptEvent | undefined;
		const whole = (async () => {
			for await (const event of events(parts)) last = event;
		})();
		await settled();
		const [first, ...others] = [...engine.running];
		first?.finish();
		for (const run of others) run.finish({ segments: [] });
		await whole;
		expect(last?.type === 'done' && last.transcript.untranscribed).toEqual([
			{ start: 4, end: 5 },
			{ start: 8, end: 9 },
		]);
	});

	it('reports it as one span if its clips were cut from one', async () => {
		const { engine, parts } = arrange([{ start: 2, end: 75 }], { seconds: 80 });
		let last: TranscriptEvent | undefined;
		const whole = (async () => {
			for await (const event of events(parts)) last = event;
		})();
		for (let more = true; more; ) {
			await settled();
			more = engine.running.length > 0;
			for (const run of [...engine.running]) run.finish({ segments: [] });
		}
		await whole;
		expect(engine.ran.length).toBeGreaterThan(2);
		expect(last?.type === 'done' && last.transcript.untranscribed).toEqual([{ start: 2, end: 75 }]);
	});

	it('does not report it without voice activity detection', async () => {
		const { engine, parts } = arrange([]);
		let last: TranscriptEvent | undefined;
		const whole = (async () => {
			for await (const event of events({ ...parts, openVad: noVad.open })) last = event;
		})();
		await settled();
		for (const run of [...engine.running]) run.finish({ segments: [] });
		await whole;
		expect(engine.ran).toHaveLength(1);
		expect(last?.type === 'done' && last.transcript).not.toHaveProperty('untranscribed');
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

	it('is an empty transcript without speech', async () => {
		const { engine, parts } = arrange([]);
		const seen = [];
		for await (const event of events(parts)) seen.push(event);
		expect(seen.at(-1)).toMatchObject({
			type: 'done',
			transcript: { text: '', segments: [], language: null },
		});
		expect(engine.ran).toEqual([]);
	});

	it.each([null, 0, 0.5, 2.99, 3, 7, 9.95, 3600])(
		'is transcribed whole and in one block, though its container declares %s s',
		async (declared) => {
			const { engine, parts, recording } = arrange([{ start: 0, end: 3 }], { seconds: 3 });
			recording.declared = declared;
			const steps: number[] = [];
			const events: PipelineEvent[] = [];
			const none = new AbortController().signal;
			const hooks = { onRunning: (step: number) => steps.push(step) };
			const whole = (async () => {
				for await (const event of runPipeline(parts, { path: 'a.wav' }, options, none, hooks))
					events.push(event);
			})();
			await settled();
			const [run] = [...engine.running];
			const [clip] = run?.batch.clips ?? [];
			expect(clip?.samples.length).toBe(48_000);
			expect(clip?.samples.every((sample, at) => sample === ScriptedRecording.sample(at))).toBe(true);
			run?.finish();
			await whole;
			expect(events[0]).toEqual({ type: 'started', duration: 3 });
			expect(steps).toEqual([-1, 0]);
		},
	);

	it('is given no more memory than it declares to need', async () => {
		const { engine, parts, recording } = arrange([{ start: 0, end: 3 }], { seconds: 3 });
		recording.declared = 3;
		const whole = (async () => {
			for await (const _ of events(parts));
		})();
		await settled();
		const [run] = [...engine.running];
		expect(run?.batch.clips[0]?.samples.buffer.byteLength).toBeLessThan(4 * 16_000 * 4);
		run?.finish();
		await whole;
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

	it('frees its slots when the consumer stops', async () => {
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
		await expect(next).rejects.toMatchObject({
			code: 'cancelled',
			message: 'the recording was cancelled',
		});
	});

	it('passes over clips that an earlier try has finished', async () => {
		const { engine, parts } = arrange(spans);
		const pipeline = runPipeline(parts, { path: 'a.wav' }, options, new AbortController().signal, {
			firstClip: 2,
		});
		await pipeline.next();
		const next = pipeline.next();
		await settled();
		await engine.finishCurrent();
		expect((await next).value).toMatchObject({ clip: 2, segments: [{ start: 8 }] });
		expect(engine.ran).toHaveLength(1);
	});
});

/** Somebody says something of 8 s every 10 s. */
function talk(seconds: number) {
	const all = [];
	for (let start = 1; start + 8 < seconds; start += 10) all.push({ start, end: start + 8 });
	return all;
}

describe('a long recording', () => {
	/** Seconds. */
	const long = 1200;

	it('is reported from its first clip on, before the rest is decoded', async () => {
		const { engine, parts, recording } = arrange(talk(long), { seconds: long });
		const stream = events(parts);
		expect((await stream.next()).value).toEqual({ type: 'started', duration: null });
		const first = stream.next();
		await until(() => engine.running.length > 0);
		await engine.finishCurrent();
		expect((await first).value).toMatchObject({ type: 'segments', segments: [{ start: 1 }] });
		expect(recording.read).toBeLessThan(600 * 16_000);
		await stream.return(undefined);
	});

	it.each([1, 4])('is decoded only so far ahead of %i slots as they can need', async (slots) => {
		const { engine, parts, recording } = arrange(talk(long), { seconds: long, slots });
		const stream = events(parts);
		await stream.next();
		const whole = (async () => {
			for await (const _ of stream);
		})();
		let done = 0;
		let furthest = 0;
		while (recording.read < long * 16_000) {
			await idle(recording);
			furthest = Math.max(furthest, recording.read / 16_000 - 10 * done);
			// Every slot is at work, and as much waits.
			expect(engine.running).toHaveLength(slots);
			await engine.finishCurrent();
			done++;
		}
		expect(furthest).toBeGreaterThan(slots * 30);
		// Twice 30 s of speech for each slot, which take 10 s of recording for 8 s of speech; the clip that made it
		// full, the one being cut, and a block.
		expect(furthest).toBeLessThanOrEqual((2 * slots * 30 * 10) / 8 + 20 + blockSeconds);
		while (engine.running.length > 0) await engine.finishCurrent();
		await whole;
	});

	it('comes out as one that is known as a whole', async () => {
		const { engine, parts } = arrange(talk(600), { seconds: 600, slots: 2 });
		const seen: TranscriptEvent[] = [];
		const whole = (async () => {
			for await (const event of events(parts)) seen.push(event);
		})();
		let over = false;
		void whole.then(() => (over = true));
		// The newest first: order is not the engine's to keep.
		while (!over) {
			engine.running.at(-1)?.finish();
			await settled();
		}
		const done = seen.at(-1);
		if (done?.type !== 'done') throw new Error('no transcript');
		expect(done.transcript.duration).toBe(600);
		expect(done.transcript.segments.map(({ id, start }) => [id, start])).toEqual(
			talk(600).map(({ start }, id) => [id, start]),
		);
		for (const { clips } of engine.ran) {
			for (const { samples, start } of clips) {
				expect(samples[0]).toBe(ScriptedRecording.sample(start * 16_000));
				expect(samples[100_000]).toBe(ScriptedRecording.sample(start * 16_000 + 100_000));
			}
		}
	});

	it('is cut the same way again when it is taken up where it stopped', async () => {
		const cutsOf = async (firstClip: number, slots: number) => {
			const { engine, parts } = arrange(restless(300), { seconds: 300, slots });
			const pipeline = runPipeline(parts, { path: 'a.wav' }, options, new AbortController().signal, {
				firstClip,
			});
			const positions: number[] = [];
			const whole = (async () => {
				for await (const event of pipeline) if (event.type === 'clip') positions.push(event.clip);
			})();
			let over = false;
			void whole.then(() => (over = true));
			while (!over) await engine.finishCurrent();
			const clips = engine.ran.flatMap((batch) => batch.clips);
			for (const { samples, start, end } of clips) {
				expect(samples[0]).toBe(ScriptedRecording.sample(Math.floor(start * 16_000)));
				const last = Math.ceil(end * 16_000) - Math.floor(start * 16_000) - 1;
				expect(samples[last]).toBe(ScriptedRecording.sample(Math.floor(start * 16_000) + last));
			}
			return {
				positions,
				removedRepetitions: clips.map(({ start, end, samples }) => [start, end, ...samples.slice(-3)]),
			};
		};
		const all = await cutsOf(0, 3);
		const rest = await cutsOf(7, 1);
		expect(all.removedRepetitions.length).toBeGreaterThan(12);
		expect(rest.removedRepetitions).toEqual(all.removedRepetitions.slice(7));
		expect(rest.positions).toEqual(all.positions.slice(7));
	});

	it('fails with what is wrong with it, once that is found, and ends the clips that run', async () => {
		const { engine, parts, recording } = arrange(talk(long), { seconds: long });
		recording.failure = { at: 45, error: new EarshotError('audio_too_long', 'longer than allowed') };
		const stream = events(parts);
		await stream.next();
		await expect(stream.next()).rejects.toMatchObject({ code: 'audio_too_long' });
		expect(engine.running).toEqual([]);
		await settled();
		expect(recording.open).toBe(0);
	});

	it('fails before it has started when it cannot be decoded at all', async () => {
		const { parts, recording } = arrange([], { seconds: long });
		recording.failure = { at: 0, error: new EarshotError('audio_unsupported', 'no recording') };
		await expect(events(parts).next()).rejects.toMatchObject({ code: 'audio_unsupported' });
		await settled();
		expect(recording.open).toBe(0);
	});

	it('fails with the clip that fails, and is decoded no further', async () => {
		const { engine, parts, recording } = arrange(talk(long), { seconds: long });
		const stream = events(parts);
		await stream.next();
		const next = stream.next();
		await idle(recording);
		engine.running[0]?.fail(new EarshotError('engine_failed', 'it hurts'));
		await expect(next).rejects.toMatchObject({ code: 'engine_failed' });
		const read = recording.read;
		await idle(recording);
		expect(recording.read).toBe(read);
		expect(recording.open).toBe(0);
	});

	it('is read no further when the consumer stops', async () => {
		const { parts, recording } = arrange(talk(long), { seconds: long });
		const stream = events(parts);
		await stream.next();
		await stream.return(undefined);
		const read = recording.read;
		await idle(recording);
		expect(recording.read).toBe(read);
		expect(recording.open).toBe(0);
	});

	it('reports what is running: blocks as negative numbers, clips by position', async () => {
		const { engine, parts } = arrange(talk(25), { seconds: 25, slots: 1 });
		const said: string[] = [];
		const pipeline = runPipeline(parts, { path: 'a.wav' }, options, new AbortController().signal, {
			onRunning: (step) => said.push(`running ${step}`),
			onStepFinished: (step) => said.push(`passed ${step}`),
		});
		const whole = (async () => {
			for await (const _ of pipeline);
		})();
		let over = false;
		void whole.then(() => (over = true));
		while (!over) await engine.finishCurrent();
		expect(said.filter((line) => line.includes('-'))).toEqual([
			'running -1',
			'passed -1',
			'running -2',
			'passed -2',
			'running -3',
			'passed -3',
		]);
		expect(said.filter((line) => !line.includes('-'))).toEqual(['running 0', 'running 1']);
	});

	it('reports when nothing works on a step any more, of a cancelled recording after that', async () => {
		const { engine, parts } = arrange(talk(25), { seconds: 25, slots: 1 });
		const steps: string[] = [];
		const gone = new AbortController();
		const pipeline = runPipeline(parts, { path: 'a.wav' }, options, gone.signal, {
			onRunning: (step, seconds) => steps.push(`${step} of ${Math.round(seconds)} s`),
			onEnded: (step, hasResult) => steps.push(`${step} ${hasResult}`),
		});
		const clips = () => steps.filter((each) => !each.startsWith('-'));
		const whole = expect(
			(async () => {
				for await (const _ of pipeline);
			})(),
		).rejects.toMatchObject({ code: 'cancelled' });
		await until(() => clips().length === 1);
		await engine.finishCurrent();
		await until(() => clips().length === 3);
		gone.abort();
		await whole;
		await until(() => clips().length === 4);
		expect(clips()).toEqual(['0 of 8 s', '0 true', '1 of 8 s', '1 false']);
		expect(steps.slice(0, 2)).toEqual(['-1 of 0 s', '-1 true']);
	});
});

/** Stretches and pauses of all kinds, some longer than a clip may be. */
function restless(seconds: number) {
	const all = [];
	for (let start = 0.5, step = 1; start < seconds - 50; step++) {
		const end = start + ((step * 7.3) % 45) + 0.3;
		all.push({ start, end });
		start = end + 0.05 + ((step * 1.7) % 3);
	}
	return all;
}

/** Until the recording is not read any further by itself. */
async function idle(recording: ScriptedRecording): Promise<void> {
	for (let before = -1; recording.read > before; ) {
		before = recording.read;
		for (let turn = 0; turn < 5; turn++) await settled();
	}
}

async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await settled();
}
