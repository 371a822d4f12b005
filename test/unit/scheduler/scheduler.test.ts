import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../../src/core/errors.js';
import type { BatchReport } from '../../../src/core/metrics.js';
import type { Clip } from '../../../src/core/speech/clip.js';
import type { RecognizeOptions } from '../../../src/core/speech/options.js';
import { Stopwatch } from '../../../src/core/speech/timing.js';
import type { Limits } from '../../../src/engines/engine.js';
import { pickBatch } from '../../../src/scheduler/batch.js';
import { Scheduler, type Submission } from '../../../src/scheduler/scheduler.js';
import { plainRecognition } from '../../helpers/options.js';
import { ScriptedEngine, settled } from '../../helpers/scripted-engine.js';

function clip(start: number, seconds = 1): Clip {
	return { samples: new Float32Array(1), start, end: start + seconds };
}

function arrange(limits: Partial<Limits> = {}, maxThreads = 4) {
	const engine = new ScriptedEngine(limits);
	const scheduler = new Scheduler(engine, maxThreads);
	const submit = (recording: object, start: number, more: Partial<Submission & { seconds: number }> = {}) => {
		const result = scheduler.submit({
			recording,
			clip: clip(start, more.seconds),
			options: plainRecognition,
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
	it('runs as many clips at once as there are slots', async () => {
		const { engine, submit } = arrange({ slots: 2 });
		const recording = {};
		for (const start of [0, 1, 2]) void submit(recording, start);
		await settled();
		expect(engine.running).toHaveLength(2);
	});

	it('starts the next clip the moment a slot is free', async () => {
		const { engine, submit } = arrange();
		const recording = {};
		void submit(recording, 0);
		void submit(recording, 1);
		await settled();
		expect(starts(engine)).toEqual([[0]]);
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [1]]);
	});

	it('gives a batch at most its share of the waiting clips, so that no slot stays empty', async () => {
		const { engine, submit } = arrange({ slots: 2, maxBatchClips: 4, padded: true });
		const recording = {};
		for (const start of [0, 1, 2, 3, 4, 5]) void submit(recording, start);
		await settled();
		expect(starts(engine)).toEqual([
			[0, 1, 2],
			[3, 4, 5],
		]);
	});

	describe('of an engine that gains by batching', () => {
		function sociable(limits: Partial<Limits>, maxThreads: number) {
			const arranged = arrange({ maxBatchSeconds: 40, ...limits }, maxThreads);
			arranged.engine.isContinuous = true;
			return arranged;
		}
		const places = (engine: ScriptedEngine) =>
			engine.ran.map(({ slot, clips }) => [slot, ...clips.map(({ start }) => start)]);

		it('lets a clip join a slot at work on others, where no slot is free', async () => {
			const { engine, scheduler, submit } = sociable({ slots: 2, maxBatchClips: 4 }, 2);
			for (const start of [0, 1, 2, 3]) {
				void submit({}, start);
				void submit({}, start + 10);
				await settled();
			}
			expect(places(engine)).toEqual([
				[0, 0],
				[1, 10],
				[0, 1],
				[1, 11],
				[0, 2],
				[1, 12],
				[0, 3],
				[1, 13],
			]);
			expect(engine.ran.map(({ threads }) => threads)).toEqual(engine.ran.map(() => 1));
			expect(scheduler.state).toMatchObject({ busySlots: 2, waitingClips: 0 });
		});

		it('holds no more clips in a slot than fit one batch, and gives a free place to the next', async () => {
			const { engine, submit } = sociable({ maxBatchClips: 2 }, 1);
			for (const start of [0, 1, 2]) {
				void submit({}, start);
				await settled();
			}
			expect(starts(engine)).toEqual([[0], [1]]);
			engine.running[1]?.finish();
			await settled();
			expect(starts(engine)).toEqual([[0], [1], [2]]);
		});

		it('gives the place of one clip of a batch away while the others go on', async () => {
			const { engine, submit } = sociable({ maxBatchClips: 2 }, 1);
			void submit({}, 0);
			void submit({}, 1);
			await settled();
			expect(starts(engine)).toEqual([[0, 1]]);
			void submit({}, 2);
			engine.running[0]?.finishClip(0);
			await settled();
			expect(starts(engine)).toEqual([[0, 1], [2]]);
		});

		it.each([
			['asks for something else', { options: { ...plainRecognition, language: 'de' } }],
			['is too long for the seconds of a batch', { seconds: 39.5 }],
			['is much longer than they are', { seconds: 12 }],
		])('waits for a slot with a clip that %s, and no other clip overtakes it', async (_why, more) => {
			const { engine, submit } = sociable({ maxBatchClips: 4 }, 1);
			void submit({}, 0);
			await settled();
			void submit({}, 1, more);
			void submit({}, 2);
			await settled();
			expect(starts(engine)).toEqual([[0]]);
			await engine.finishCurrent();
			expect(starts(engine).slice(0, 2)).toEqual([[0], [1]]);
		});

		it('keeps a short clip waiting for a place beside longer ones that it can join, not for the priority slot', async () => {
			const { engine, submit } = sociable({ slots: 1, maxBatchClips: 2, prioritySlot: true }, 1);
			for (const start of [0, 10]) void submit({}, start, { seconds: 9 });
			await settled();
			void submit({}, 20, { seconds: 2 });
			await settled();
			expect(places(engine)).toEqual([[0, 0, 10]]);
			engine.running[0]?.finishClip(0);
			await settled();
			expect(places(engine).at(-1)).toEqual([0, 20]);
		});

		it.each([
			['much longer ones', {}, { seconds: 20 }],
			['longer ones that ask for something else', { options: { ...plainRecognition, language: 'de' } }, {}],
		])('lets a short clip take the priority slot past %s', async (_what, next, running) => {
			const { engine, submit } = sociable({ slots: 1, maxBatchClips: 2, prioritySlot: true }, 1);
			void submit({}, 0, { seconds: 9, ...running });
			await settled();
			void submit({}, 20, { seconds: 2, ...next });
			await settled();
			expect(places(engine)).toEqual([
				[0, 0],
				[1, 20],
			]);
		});

		it('lets no clip join one that has several threads', async () => {
			const { engine, submit } = sociable({ maxBatchClips: 4 }, 2);
			void submit({}, 0);
			await settled();
			void submit({}, 1);
			await settled();
			expect(places(engine)).toEqual([[0, 0]]);
		});

		it('keeps clips of long recordings, which run in the background, by themselves', async () => {
			const { engine, submit } = sociable({ maxBatchClips: 4 }, 1);
			const long = {};
			for (const start of [0, 20, 40]) void submit(long, start, { seconds: 20 });
			await settled();
			await engine.finishCurrent();
			expect(engine.running.map(({ batch }) => batch.background)).toEqual([true]);
			void submit({}, 100, { seconds: 15 });
			await settled();
			expect(engine.running).toHaveLength(1);
		});

		it('reports how many clips a slot runs when one begins', async () => {
			const { engine, scheduler, submit } = sociable({ maxBatchClips: 4 }, 1);
			const reports: BatchReport[] = [];
			scheduler.observer = { changed: () => {}, ran: (report) => reports.push(report) };
			for (const start of [0, 1]) {
				void submit({}, start);
				await settled();
			}
			await engine.finishCurrent();
			await engine.finishCurrent();
			expect(reports.map(({ clips, seconds }) => [clips, seconds])).toEqual([
				[1, 1],
				[2, 1],
			]);
		});
	});

	it('lets a recording that is background from its start wait for others', async () => {
		const { engine, submit } = arrange();
		void submit({}, 0);
		await settled();
		void submit({}, 100, { background: true });
		void submit({}, 200);
		await engine.finishCurrent();
		await engine.finishCurrent();
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [200], [100]]);
	});

	describe('of which a slot is reserved', () => {
		const background = { background: true };

		it('starts no background clip there, and interactive ones at once', async () => {
			const { engine, scheduler, submit } = arrange({ slots: 2, maxClipThreads: 4 });
			const release = scheduler.reserveSlot();
			const long = {};
			for (const start of [0, 1, 2]) void submit(long, start, background);
			await settled();
			expect(starts(engine)).toEqual([[0]]);
			expect(engine.ran[0]?.threads).toBe(3);
			void submit({}, 10);
			await settled();
			expect(starts(engine)).toEqual([[0], [10]]);
			release();
			release();
			await engine.finishCurrent();
			await settled();
			expect(starts(engine)).toEqual([[0], [10], [1]]);
		});

		it('gives background clips the slot as soon as nothing is reserved', async () => {
			const { engine, scheduler, submit } = arrange({ slots: 2 });
			const releases = [scheduler.reserveSlot(), scheduler.reserveSlot()];
			const long = {};
			for (const start of [0, 1]) void submit(long, start, background);
			releases[0]?.();
			await settled();
			expect(starts(engine)).toEqual([[0]]);
			releases[1]?.();
			await settled();
			expect(starts(engine)).toEqual([[0], [1]]);
		});

		it('lets no background clip join where more slots have some than may', async () => {
			const { engine, scheduler, submit } = arrange({ slots: 2, maxBatchClips: 2, maxBatchSeconds: 40 }, 2);
			engine.isContinuous = true;
			const long = {};
			for (const start of [0, 1]) void submit(long, start, background);
			await settled();
			const release = scheduler.reserveSlot();
			void submit(long, 2, background);
			await settled();
			expect(starts(engine)).toEqual([[0], [1]]);
			await engine.finishCurrent();
			// One slot is free for others, and the clip joins the one in the other.
			expect(engine.ran.map(({ slot }) => slot)).toEqual([0, 1, 1]);
			release();
		});

		it('runs background clips where there is one slot', async () => {
			const { engine, scheduler, submit } = arrange();
			scheduler.reserveSlot();
			void submit({}, 0, background);
			await settled();
			expect(starts(engine)).toEqual([[0]]);
		});
	});

	it('marks clips of long recordings as background for the engine', async () => {
		const { engine, submit } = arrange();
		const long = {};
		for (const start of [0, 20, 40]) void submit(long, start, { seconds: 20 });
		await settled();
		void submit({}, 100);
		for (let clips = 0; clips < 4; clips++) await engine.finishCurrent();
		const background = engine.ran.map((batch) => [batch.clips[0]?.start, batch.background] as const);
		expect(new Map(background)).toEqual(
			new Map([...[0, 20, 100].map((start) => [start, false] as const), [40, true]]),
		);
	});

	it('tries each clip of a failed batch alone, so that one costs only itself', async () => {
		const { engine, submit } = arrange({ maxBatchClips: 3 });
		void submit({}, 0);
		await settled();
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
		await settled();
		void submit(short, 100);
		await engine.finishCurrent();
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0], [1], [100]]);
	});

	it('gives all threads to a clip that is alone, and a share to each of those that come together', async () => {
		const { engine, submit } = arrange({ slots: 8 }, 8);
		void submit({}, 0);
		await settled();
		await engine.finishCurrent();
		for (const start of [1, 2, 3]) void submit({}, start);
		await settled();
		expect(engine.ran.map(({ threads }) => threads)).toEqual([8, 2, 3, 3]);
	});

	it('never hands out more threads than there are: later clips wait, and lose nothing by it', async () => {
		const { engine, submit } = arrange({ slots: 4 }, 4);
		void submit({}, 0);
		await settled();
		for (const start of [1, 2, 3, 4]) void submit({}, start);
		await settled();
		expect(engine.ran.map(({ threads }) => threads)).toEqual([4]);
		await engine.finishCurrent();
		expect(engine.ran.map(({ threads }) => threads)).toEqual([4, 1, 1, 1, 1]);
	});

	it('runs a short clip beside much longer ones that hold every slot, but one such at a time', async () => {
		const { engine, submit } = arrange({ slots: 2, prioritySlot: true }, 2);
		for (const start of [0, 30, 60]) void submit({}, start, { seconds: 20 });
		await settled();
		void submit({}, 100);
		void submit({}, 101);
		await settled();
		expect(starts(engine)).toEqual([[0], [30], [100]]);
		expect(engine.ran.at(-1)?.threads).toBe(1);
		engine.running.at(-1)?.finish();
		await settled();
		expect(starts(engine).at(-1)).toEqual([101]);
	});

	it('lets short recordings go before long ones, which still get their share', async () => {
		const { engine, submit } = arrange();
		const long = {};
		for (let start = 0; start < 100; start += 10) void submit(long, start, { seconds: 10 });
		// So much of a recording counts as short: nobody knows yet how long it will be.
		for (let run = 0; run < 3; run++) await engine.finishCurrent();
		for (let start = 1000; start < 1100; start += 10) void submit({}, start, { seconds: 10 });
		while (engine.running.length > 0) await engine.finishCurrent();
		const order = starts(engine).map(([start = 0]) => (start >= 1000 ? 's' : 'L'));
		expect(order.join('')).toBe('LLLL' + 'sssLsssLsssLs' + 'LLL');
	});

	it('reports where the time of a recording went', async () => {
		let now = 0;
		const stopwatch = new Stopwatch(() => now);
		const { engine, submit } = arrange();
		void submit({}, 0);
		await settled();
		now = 5;
		const result = submit({}, 1, { stopwatch });
		now = 12;
		await engine.finishCurrent();
		now = 15;
		await engine.finishCurrent();
		await result;
		now = 99;
		expect(stopwatch.read()).toEqual({ decode: 0, queue: 7, run: 3 });
	});

	it('reports to its observer what waits and what was run, padding separately', async () => {
		const { engine, scheduler, submit } = arrange({ slots: 1, maxBatchClips: 2, padded: true });
		const ran: BatchReport[] = [];
		let changes = 0;
		scheduler.observer = { changed: () => changes++, ran: (batch) => ran.push(batch) };
		void submit({}, 0, { seconds: 10 });
		void submit({}, 20, { seconds: 9 });
		const gone = new AbortController();
		void submit({}, 40, { seconds: 3, signal: gone.signal });
		await settled();
		expect(scheduler.state).toEqual({ slots: 1, busySlots: 1, waitingClips: 1, waitingSeconds: 3 });
		const before = changes;
		gone.abort();
		expect(scheduler.state).toMatchObject({ waitingClips: 0, waitingSeconds: 0 });
		expect(changes).toBe(before + 1);
		await engine.finishCurrent();
		expect(ran).toEqual([{ clips: 2, seconds: 19, paddingSeconds: 1, runMs: expect.any(Number) }]);
		expect(scheduler.state.busySlots).toBe(0);
	});

	it('never runs a clip whose client has disconnected', async () => {
		const { engine, submit } = arrange();
		void submit({}, 0);
		await settled();
		const gone = new AbortController();
		const result = submit({}, 1, { signal: gone.signal });
		gone.abort();
		await expect(result).rejects.toMatchObject({ code: 'cancelled' });
		await engine.finishCurrent();
		expect(starts(engine)).toEqual([[0]]);
	});

	it('ends a running clip whose client has disconnected, and frees its slot', async () => {
		const { engine, submit } = arrange();
		const gone = new AbortController();
		const result = submit({}, 0, { signal: gone.signal });
		const next = submit({}, 1);
		await settled();
		gone.abort();
		await expect(result).rejects.toMatchObject({ code: 'cancelled' });
		await engine.finishCurrent();
		await expect(next).resolves.toMatchObject({ segments: [{ text: ' at 1' }] });
	});

	it('ends the clip of a batch whose client has disconnected, and continues with the others', async () => {
		const { engine, submit } = arrange({ maxBatchClips: 2 });
		void submit({}, 0);
		await settled();
		const gone = new AbortController();
		const left = submit({}, 1, { signal: gone.signal });
		const stays = submit({}, 2);
		await engine.finishCurrent();
		gone.abort();
		await expect(left).rejects.toMatchObject({ code: 'cancelled' });
		expect(engine.running[0]?.signals.map(({ aborted }) => aborted)).toEqual([true, false]);
		await engine.finishCurrent();
		await expect(stays).resolves.toMatchObject({ segments: [{ text: ' at 2' }] });
	});

	it('frees the slot at once when all clips of a batch are cancelled', async () => {
		const { engine, scheduler, submit } = arrange({ maxBatchClips: 2 });
		const gone = new AbortController();
		void submit({}, 0, { signal: gone.signal });
		void submit({}, 1, { signal: gone.signal });
		await settled();
		void submit({}, 2);
		expect(starts(engine)).toEqual([[0, 1]]);
		gone.abort();
		await settled();
		expect(starts(engine)).toEqual([[0, 1], [2]]);
		expect(scheduler.state.busySlots).toBe(1);
	});

	it('reports a cancelled clip before the engine has ended it', async () => {
		const { engine, scheduler, submit } = arrange();
		engine.ignoresSignals = true;
		const gone = new AbortController();
		const left = submit({}, 0, { signal: gone.signal });
		await settled();
		gone.abort();
		await expect(left).rejects.toMatchObject({ code: 'cancelled' });
		expect(scheduler.state.busySlots).toBe(1);
		await engine.finishCurrent();
		expect(scheduler.state.busySlots).toBe(0);
	});

	it('listens once to a recording, however many of its clips run', async () => {
		const { engine, submit } = arrange({ slots: 12 }, 12);
		const { signal } = new AbortController();
		const recording = {};
		for (let start = 0; start < 12; start++) void submit(recording, start, { signal });
		await settled();
		expect(engine.running).toHaveLength(12);
		expect(getEventListeners(signal, 'abort')).toHaveLength(1);
	});

	it('reports each clip of a batch when it is done, and has its slot free when all are', async () => {
		const { engine, scheduler, submit } = arrange({ maxBatchClips: 2 });
		const recording = {};
		const slow = submit(recording, 0);
		const quick = submit(recording, 1);
		const next = submit(recording, 2);
		await settled();
		engine.running[0]?.finishClip(1);
		await expect(quick).resolves.toMatchObject({ segments: [{ text: ' at 1' }] });
		expect(starts(engine)).toEqual([[0, 1]]);
		expect(scheduler.state.busySlots).toBe(1);
		await engine.finishCurrent();
		await expect(slow).resolves.toMatchObject({ segments: [{ text: ' at 0' }] });
		await engine.finishCurrent();
		await expect(next).resolves.toMatchObject({ segments: [{ text: ' at 2' }] });
	});

	it('fails only the clips of the batch that failed', async () => {
		const { engine, submit } = arrange();
		const bad = submit({}, 0);
		const good = submit({}, 1);
		await settled();
		engine.running[0]?.fail(new EarshotError('engine_failed', 'no'));
		await expect(bad).rejects.toMatchObject({ code: 'engine_failed' });
		await engine.finishCurrent();
		await expect(good).resolves.toBeDefined();
	});

	it('refuses what waits when it is closed, lets what runs finish, then closes the engine', async () => {
		const { engine, scheduler, submit } = arrange();
		const runs = submit({}, 0);
		const waits = submit({}, 1);
		await settled();
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
		options: { ...plainRecognition, ...more },
	});
	const limits = { maxBatchClips: 4, maxBatchSeconds: 20, padded: true };

	const picked = (lines: Parameters<typeof pickBatch>[0], changes: Partial<typeof limits> = {}) =>
		pickBatch(lines, { ...limits, ...changes }).map(({ clip: { start } }) => start);

	it('takes the head of the line whose turn it is, then the heads of the others', () => {
		const lines = [{ waiting: [waiting(0, 2), waiting(2, 2)] }, { waiting: [waiting(10, 2)] }];
		expect(picked(lines)).toEqual([0, 10, 2]);
	});

	it('takes the nearest in length where the library pads, and in turn where it does not', () => {
		const lines = [
			{ waiting: [waiting(0, 5)] },
			{ waiting: [waiting(10, 3)] },
			{ waiting: [waiting(20, 5.5), waiting(30, 5)] },
		];
		expect(picked(lines)).toEqual([0, 30, 20]);
		expect(picked(lines, { padded: false })).toEqual([0, 10, 20, 30]);
	});

	it('never computes more padding than batching gains', () => {
		const lines = [{ waiting: [waiting(0, 5)] }, { waiting: [waiting(10, 1)] }];
		expect(picked(lines)).toEqual([0]);
		expect(picked(lines, { padded: false })).toEqual([0, 10]);
	});

	it('counts the padding among what the batch costs', () => {
		const lines = [
			{ waiting: [waiting(0, 9)] },
			{ waiting: [waiting(10, 8)] },
			{ waiting: [waiting(20, 8)] },
		];
		expect(picked(lines, { maxBatchSeconds: 26 })).toEqual([0, 10]);
		expect(picked(lines, { maxBatchSeconds: 27 })).toEqual([0, 10, 20]);
		expect(picked(lines, { maxBatchSeconds: 25, padded: false })).toEqual([0, 10, 20]);
	});

	it('lets no short clip wait for a much longer one where nothing is padded', () => {
		const among = { maxBatchSeconds: 40, padded: false };
		const lines = [
			{ waiting: [waiting(0, 3)] },
			{ waiting: [waiting(10, 28)] },
			{ waiting: [waiting(40, 13)] },
		];
		expect(picked(lines, among)).toEqual([0, 40]);
		expect(picked([...lines].reverse(), among)).toEqual([40, 0]);
		expect(picked(lines.slice(1), { ...among, maxBatchSeconds: 60 })).toEqual([10]);
	});

	it('begins with the head of the first line, however ill it fits the others', () => {
		const lines = [{ waiting: [waiting(0, 19)] }, { waiting: [waiting(10, 1), waiting(11, 1)] }];
		expect(picked(lines)).toEqual([0]);
	});

	it('never mixes clips with different options', () => {
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
