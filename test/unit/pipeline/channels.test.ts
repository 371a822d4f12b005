import { describe, expect, it } from 'vitest';
import { finished } from '../../../src/core/speech/assemble.js';
import { defaultChunking } from '../../../src/core/speech/options.js';
import type { Segment, Transcript } from '../../../src/core/speech/transcript.js';
import type { PipelineParts } from '../../../src/pipeline/parts.js';
import { runPipeline } from '../../../src/pipeline/pipeline.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { plainTranscription } from '../../helpers/options.js';
import { info, ScriptedEngine, settled } from '../../helpers/scripted-engine.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

const none = new AbortController().signal;
const chunking = { ...defaultChunking, prefixPaddingMs: 0 };
const split = { ...plainTranscription, chunking, channels: 'split' } as const;

type Spans = readonly { readonly start: number; readonly end: number }[];

/** A recording whose channels have these spans of speech. */
function arrange(channels: readonly Spans[], seconds = 10) {
	const engine = new ScriptedEngine({ slots: 4, mergeGapSeconds: 0.1 });
	const recordings = channels.map((spans) => new ScriptedRecording(seconds, spans));
	for (const recording of recordings) recording.channels = channels.length;
	const asked: (number | undefined)[] = [];
	let opened = 0;
	const of = (channel: number) => recordings[channel] ?? new ScriptedRecording(0, []);
	const parts: PipelineParts = {
		info,
		limits: engine.limits,
		scheduler: new Scheduler(engine, 1),
		openAudio: (_, channel) => {
			asked.push(channel);
			return of(channel ?? 0).reader();
		},
		// Channels are opened in their order.
		openVad: () => of(opened++).vad(),
	};
	return { engine, parts, asked, recordings };
}

async function transcript({ engine, parts }: ReturnType<typeof arrange>, firstClip = 0) {
	const seen: Segment[] = [];
	let done: Transcript | undefined;
	const events = runPipeline(parts, { path: 'a.wav' }, split, none, { firstClip });
	const whole = (async () => {
		for await (const event of finished(events, { model: 'm', task: 'transcribe', language: null })) {
			if (event.type === 'segments') seen.push(...event.segments);
			if (event.type === 'done') done = event.transcript;
		}
	})();
	// Awaited below, after what it waits for.
	whole.catch(() => {});
	for (let more = true; more; ) {
		await settled();
		more = engine.running.length > 0;
		for (const run of [...engine.running].reverse()) run.finish();
	}
	await whole;
	if (!done) throw new Error('no transcript');
	return { done, seen };
}

const placesOf = (segments: readonly Segment[]) => segments.map(({ channel, start }) => [channel, start]);

describe('channels that are transcribed by themselves', () => {
	const talk = [
		[
			{ start: 1, end: 3 },
			{ start: 6, end: 7 },
		],
		[
			{ start: 2, end: 5 },
			{ start: 6, end: 8 },
		],
	];

	it('give segments that say whose they are, in order of time', async () => {
		const { done, seen } = await transcript(arrange(talk));
		expect(placesOf(done.segments)).toEqual([
			[0, 1],
			[1, 2],
			[0, 6],
			[1, 6],
		]);
		expect(done.segments.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
		expect(seen).toEqual(done.segments);
		expect(done.duration).toBe(10);
	});

	it('give a line of text for each turn', async () => {
		const { done } = await transcript(
			arrange([[...(talk[0] ?? []), { start: 8, end: 9 }], [{ start: 4, end: 5 }]]),
		);
		expect(done.text).toBe('Channel 0: at 1\nChannel 1: at 4\nChannel 0: at 6 at 8');
	});

	it('are ordered by time over blocks and long silences, too', async () => {
		const channels = [
			Array.from({ length: 9 }, (_, at) => ({ start: at * 10 + 1, end: at * 10 + 4 })),
			[{ start: 55, end: 57 }],
			[],
			Array.from({ length: 12 }, (_, at) => ({ start: at * 7 + 2, end: at * 7 + 5 })),
		];
		const { done, seen } = await transcript(arrange(channels, 90));
		const starts = done.segments.map(({ start }) => start);
		expect(starts).toEqual([...starts].sort((a, b) => a - b));
		expect(done.segments).toHaveLength(22);
		expect(seen).toEqual(done.segments);
		const after = await transcript(arrange(channels, 90), 5);
		expect(placesOf(after.done.segments)).toEqual(placesOf(done.segments).slice(5));
	});

	it('are opened one by one, and closed', async () => {
		const arranged = arrange(talk);
		await transcript(arranged);
		expect(arranged.asked).toEqual([0, 1]);
		await settled();
		expect(arranged.recordings.map(({ open }) => open)).toEqual([0, 0]);
	});

	it('may be one alone', async () => {
		const { done } = await transcript(arrange([[{ start: 1, end: 2 }]]));
		expect(placesOf(done.segments)).toEqual([[0, 1]]);
	});

	it('are eight at most', async () => {
		expect((await transcript(arrange(Array.from({ length: 8 }, () => [])))).done.segments).toEqual([]);
		const nine = arrange(Array.from({ length: 9 }, () => []));
		await expect(transcript(nine)).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'channels',
			message: expect.stringContaining('at most 8 channels for `channels` `split`, got 9'),
		});
	});
});
