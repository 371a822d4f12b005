import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { noVad } from '../../../../src/audio/vad.js';
import { EarshotError } from '../../../../src/core/errors.js';
import { ModelTime } from '../../../../src/pipeline/live/model-time.js';
import type { Scheduler } from '../../../../src/scheduler/scheduler.js';
import { gate } from '../../../helpers/fakes.js';
import { plainRecognition } from '../../../helpers/options.js';
import { settled } from '../../../helpers/scripted-engine.js';
import { seeded } from '../../core/live/random.js';
import { arrange, byVoice, digitStream, manual, pcm, summaryOf } from './parts.js';

const twoTurns = pcm([0, 640], [7, 300], [3, 300], [0, 1000], [5, 400], [0, 1200]);

/** The number of reservations that are active. */
function spyOnReservations(scheduler: Scheduler): () => number {
	const reserve = scheduler.reserveSlot.bind(scheduler);
	let active = 0;
	vi.spyOn(scheduler, 'reserveSlot').mockImplementation(() => {
		const release = reserve();
		active++;
		return () => {
			active--;
			release();
		};
	});
	return () => active;
}

describe('a live stream', () => {
	it('transcribes what was appended at a commit', async () => {
		const { events, stream, until } = arrange(manual);
		stream.send({ type: 'audio', bytes: pcm([7, 300], [0, 300], [3, 400]) });
		stream.send({ type: 'commit', commit: 1 });
		await until('completed');
		expect(summaryOf(events)).toEqual(['0 committed: 1 s', '0:7 7 7 3 3 3 3', '0 is 7 7 7 3 3 3 3']);
		expect(events[0]).toEqual({ type: 'processed', atMs: 1000 });
	});

	it('cuts turns by voice activity', async () => {
		const { events, stream, until } = arrange(byVoice);
		stream.send({ type: 'audio', bytes: twoTurns });
		stream.send({ type: 'end' });
		await until('ended');
		expect(summaryOf(events).filter((each) => !each.includes(':'))).toEqual([
			'0 started at 540',
			'0 stopped at 1772',
			'0 is 7 7 7 3 3 3',
			'1 started at 2140',
			'1 stopped at 3180',
			'1 is 5 5 5 5',
			'ended',
		]);
	});

	it.each([
		['turns by voice activity', byVoice, {}],
		['commits', manual, {}],
		['voice activity, while audio arrives', byVoice, { openStream: digitStream }],
	] as const)('does the same however the audio is cut: %s', async (_, options, given) => {
		const run = async (cut: (left: number) => number) => {
			const { events, stream, until } = arrange(options, given);
			let at = 0;
			for (let next = 0; at < twoTurns.length; at = next) {
				next = Math.min(at + cut(twoTurns.length - at), twoTurns.length);
				stream.send({ type: 'audio', bytes: twoTurns.subarray(at, next) });
			}
			stream.send({ type: 'commit', commit: 1 });
			stream.send({ type: 'end' });
			await until('ended');
			// Where deltas are cut is chance; their sum is in the completed text.
			return summaryOf(events.filter(({ type }) => type !== 'delta'));
		};
		const whole = await run((left) => left);
		expect(whole.length).toBeGreaterThan(2);
		for (let seed = 0; seed < 4; seed++) {
			const random = seeded(seed);
			const most = [97, 641, 3200, 40_000][seed]!;
			expect(await run(() => 1 + random.below(most))).toEqual(whole);
		}
	});

	it('keeps a slot free of long recordings during speech', async () => {
		const { engine, scheduler, events, stream, until } = arrange(byVoice);
		const isDone = gate();
		const long: string[] = [];
		engine.onRun = async (text) => {
			if (text === '9 9') {
				long.push(text);
				await isDone.promise;
			}
		};
		stream.send({ type: 'audio', bytes: pcm([0, 640], [7, 300]) });
		await until('started');
		const { signal } = new AbortController();
		const samples = new Float32Array(3200).fill(0.9);
		for (const start of [0, 1])
			void scheduler.submit({
				...{ recording: engine, background: true, clip: { samples, start, end: start + 1 }, signal },
				options: plainRecognition,
			});
		await settled();
		expect(long).toHaveLength(1);
		stream.send({ type: 'audio', bytes: pcm([0, 1000]) });
		await until('completed');
		expect(summaryOf(events)).toContain('0 is 7 7 7');
		await settled();
		expect(long).toHaveLength(2);
		isDone.open();
	});

	it('keeps no slot free for a turn that receives no audio', async () => {
		vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
		onTestFinished(() => void vi.useRealTimers());
		const { scheduler, stream, until } = arrange(byVoice);
		const reserved = spyOnReservations(scheduler);
		stream.send({ type: 'audio', bytes: pcm([0, 640], [7, 300]) });
		await until('started');
		expect(reserved()).toBe(1);
		vi.advanceTimersByTime(5000);
		expect(reserved()).toBe(0);
		stream.send({ type: 'audio', bytes: pcm([7, 300]) });
		await until('processed');
		await settled();
		expect(reserved()).toBe(1);
		stream.close();
		await settled();
		expect(reserved()).toBe(0);
	});

	it('publishes text during speech, and never takes it back', async () => {
		const { events, stream, until } = arrange(byVoice, { openStream: digitStream });
		for (let at = 0; at < twoTurns.length; at += 3200) {
			stream.send({ type: 'audio', bytes: twoTurns.subarray(at, at + 3200) });
			await settled();
		}
		stream.send({ type: 'end' });
		await until('ended');
		const deltas = events.flatMap((event) =>
			event.type === 'delta' && event.turn === 0 ? [event.text] : [],
		);
		expect(deltas.length).toBeGreaterThan(2);
		expect(deltas.join('')).toBe('7 7 7 3 3 3');
		const at = (what: string) => summaryOf(events).findIndex((each) => each.startsWith(what));
		expect(at('0:')).toBeLessThan(at('0 stopped'));
	});

	it.each([
		['clips', false],
		['steps', true],
	])('reports for how long its %s have kept the model busy', async (_, isStreaming) => {
		let now = 0;
		let works = 0;
		const work = async (): Promise<void> => {
			works++;
			now += 40;
		};
		const time = new ModelTime({ limits: { slots: 2, maxBatchClips: 8 }, isStreaming, now: () => now });
		const openStream = () => {
			const { feed, close } = digitStream();
			return { feed: (...fed: Parameters<typeof feed>) => work().then(() => feed(...fed)), close };
		};
		const { engine, events, stream } = arrange(byVoice, { time, ...(isStreaming && { openStream }) });
		engine.onRun = work;
		for (const audio of [twoTurns, pcm([0, 1000]), pcm([0, 100])]) {
			for (let at = 0; at < audio.length; at += 3200) {
				stream.send({ type: 'audio', bytes: audio.subarray(at, at + 3200) });
				for (let turns = 0; turns < 6; turns++) await settled();
			}
		}
		const busyMs = events.reduce(
			(sum, event) => sum + (event.type === 'processed' ? (event.busyMs ?? 0) : 0),
			0,
		);
		expect(works).toBeGreaterThan(1);
		// One of two slots.
		expect(busyMs).toBe(works * 20);
	});

	it('drops what is cleared', async () => {
		const { engine, events, stream, until } = arrange(manual);
		stream.send({ type: 'audio', bytes: pcm([7, 500]) });
		stream.send({ type: 'clear', clear: 9 });
		stream.send({ type: 'audio', bytes: pcm([3, 300]) });
		stream.send({ type: 'commit', commit: 1 });
		await until('completed');
		expect(summaryOf(events)).toEqual(['cleared', '1 committed: 0.3 s', '1:3 3 3', '1 is 3 3 3']);
		expect(engine.ran).toHaveLength(1);
	});

	it('fails a turn that the engine fails, and goes on', async () => {
		const { engine, events, stream, until } = arrange(manual);
		engine.onRun = async (text) => {
			if (text.includes('7')) throw new EarshotError('engine_failed', 'it hurts');
		};
		for (const loudness of [7, 3]) {
			stream.send({ type: 'audio', bytes: pcm([loudness, 200]) });
			stream.send({ type: 'commit', commit: loudness });
		}
		await until('completed');
		expect(summaryOf(events).filter((each) => !each.includes('committed'))).toEqual([
			'0 failed: engine_failed',
			'1:3 3',
			'1 is 3 3',
		]);
	});

	it('ends turns in their order, whichever is done first', async () => {
		const { engine, events, stream, until } = arrange(manual);
		const slow = gate();
		engine.onRun = (text) => (text.includes('7') ? slow.promise : Promise.resolve());
		for (const loudness of [7, 3]) {
			stream.send({ type: 'audio', bytes: pcm([loudness, 200]) });
			stream.send({ type: 'commit', commit: loudness });
		}
		await until('delta');
		await settled();
		expect(summaryOf(events)).toContain('1:3 3');
		expect(summaryOf(events)).not.toContain('1 is 3 3');
		slow.open();
		await until('completed', 2);
		expect(summaryOf(events).slice(-3)).toEqual(['0:7 7', '0 is 7 7', '1 is 3 3']);
	});

	it('accepts no more audio than it can process', async () => {
		const { engine, events, stream, until } = arrange(manual);
		const slow = gate();
		engine.onRun = () => slow.promise;
		for (let turn = 0; turn < 4; turn++) {
			stream.send({ type: 'audio', bytes: pcm([7, 200]) });
			stream.send({ type: 'commit', commit: turn });
		}
		for (let turns = 0; turns < 20; turns++) await settled();
		expect(events.filter(({ type }) => type === 'processed')).toHaveLength(2);
		slow.open();
		await until('completed', 4);
	});

	it('takes its turns from commits where there is no detector, and says so', async () => {
		const { events, stream, until } = arrange(byVoice, { openVad: noVad.open });
		stream.send({ type: 'audio', bytes: pcm([7, 500]) });
		stream.send({ type: 'commit', commit: 1 });
		await until('completed');
		expect(summaryOf(events)).toEqual(['refused', '0 committed: 0.5 s', '0:7 7 7 7 7', '0 is 7 7 7 7 7']);
	});

	it('reports that audio before voice activity is no turn', async () => {
		const { events, stream, until } = arrange(manual, { openStream: digitStream });
		stream.send({ type: 'audio', bytes: pcm([7, 500], [3, 500]) });
		await until('delta');
		stream.send({ type: 'configure', configure: 1, options: byVoice });
		await until('configured');
		expect(events.slice(-2)).toEqual([
			{ type: 'cleared', turn: 0 },
			{ type: 'configured', configure: 1 },
		]);
		stream.send({ type: 'audio', bytes: pcm([0, 640], [5, 300], [0, 1000]) });
		await until('completed');
		expect(summaryOf(events).at(-1)).toBe('1 is 5 5 5');
	});

	it('transcribes a turn with the options of its start', async () => {
		const { engine, events, stream, until } = arrange(byVoice);
		const [first, rest] = [pcm([0, 640], [7, 600]), pcm([7, 300], [0, 1000], [5, 400], [0, 1200])];
		stream.send({ type: 'audio', bytes: first });
		stream.send({
			type: 'configure',
			configure: 1,
			options: { ...byVoice, recognize: { ...byVoice.recognize, language: 'de' } },
		});
		stream.send({ type: 'audio', bytes: rest });
		await until('completed', 2);
		expect(summaryOf(events).filter((each) => each.includes(' is '))).toEqual([
			'0 is 7 7 7 7 7 7 7 7 7',
			expect.stringMatching(/^1 is 5( 5)+$/),
		]);
		const [last, ...before] = engine.languages.toReversed();
		expect([last, before.at(-1)]).toEqual(['de', null]);
	});

	it('changes its format at the position of the command', async () => {
		const { events, stream, until } = arrange(manual);
		stream.send({ type: 'audio', bytes: pcm([7, 200]) });
		const format = { encoding: 'pcm16', rate: 8000 } as const;
		stream.send({ type: 'configure', configure: 1, options: { ...manual, format } });
		stream.send({ type: 'audio', bytes: pcm([3, 200]) });
		stream.send({ type: 'commit', commit: 1 });
		await until('completed');
		const received = events.flatMap((event) => (event.type === 'processed' ? [Math.round(event.atMs)] : []));
		expect(received).toEqual([200, 600]);
	});

	it('sends no events after it was closed', async () => {
		const { engine, events, stream } = arrange(manual);
		const running = gate();
		const slow = gate();
		engine.onRun = () => {
			running.open();
			return slow.promise;
		};
		stream.send({ type: 'audio', bytes: pcm([7, 200]) });
		stream.send({ type: 'commit', commit: 1 });
		await running.promise;
		stream.close();
		stream.close();
		const before = events.length;
		slow.open();
		stream.send({ type: 'audio', bytes: pcm([7, 200]) });
		for (let turns = 0; turns < 5; turns++) await settled();
		expect(events).toHaveLength(before);
	});
});
