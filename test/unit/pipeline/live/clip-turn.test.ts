import { describe, expect, it } from 'vitest';
import type { LiveOptions } from '../../../../src/core/live/live.js';
import { ModelTime } from '../../../../src/pipeline/live/model-time.js';
import { gate } from '../../../helpers/fakes.js';
import { plainRecognition } from '../../../helpers/options.js';
import { settled } from '../../../helpers/scripted-engine.js';
import { arrange, byVoice, pcm, summaryOf } from './parts.js';

const growing: LiveOptions = { ...byVoice, partials: true };

const semantic: LiveOptions = {
	...byVoice,
	turns: { threshold: 0.5, prefixPaddingMs: 100, silenceDurationMs: 4000, sentenceSilenceMs: 300 },
};

type Arranged = ReturnType<typeof arrange>;

/** As it is spoken, with time for the engine in between. */
async function speak({ stream }: Arranged, audio: Uint8Array): Promise<void> {
	for (let at = 0; at < audio.length; at += 3200) {
		stream.send({ type: 'audio', bytes: audio.subarray(at, at + 3200) });
		for (let turns = 0; turns < 6; turns++) await settled();
	}
}

const deltasOf = ({ events }: Arranged): string[] =>
	events.flatMap((event) => (event.type === 'delta' ? [event.text] : []));

describe('partial text of a model that transcribes whole turns', () => {
	it('is published during speech: words on which two transcriptions agree', async () => {
		const live = arrange(growing);
		await speak(live, pcm([7, 1000], [3, 2000], [5, 2000]));
		const before = deltasOf(live);
		expect(before.length).toBeGreaterThan(0);
		expect(summaryOf(live.events).some((each) => each.includes('stopped'))).toBe(false);
		await speak(live, pcm([0, 1200]));
		await live.until('completed');
		const whole = live.events.find((event) => event.type === 'completed');
		expect(whole).toMatchObject({ revised: false });
		expect(whole?.type === 'completed' && whole.text).toBe(deltasOf(live).join(''));
		expect(deltasOf(live).length).toBeGreaterThan(before.length);
	});

	it('costs a bounded number of transcriptions', async () => {
		const live = arrange(growing);
		await speak(live, pcm([7, 24_000]));
		await live.until('processed', 240);
		// After 1, 2, 4, 6, 10, 14, 18 and 22 seconds.
		expect(live.engine.ran.map((samples) => Math.round(samples / 16_000))).toEqual([
			1, 2, 4, 6, 10, 14, 18, 22,
		]);
		live.stream.close();
	});

	it('does not count towards the load of its session, since other work goes first', async () => {
		let now = 0;
		const time = new ModelTime({
			limits: { slots: 2, maxBatchClips: 8 },
			isStreaming: false,
			now: () => now,
		});
		const live = arrange(growing, { time });
		live.engine.onRun = async () => {
			now += 40;
		};
		await speak(live, pcm([7, 24_000]));
		await live.until('processed', 240);
		expect(live.engine.ran.length).toBeGreaterThan(1);
		expect(live.events.some((event) => event.type === 'processed' && (event.busyMs ?? 0) > 0)).toBe(false);
		live.stream.close();
	});

	it('is kept where the whole turn contradicts it', async () => {
		const live = arrange(growing);
		live.engine.write = (digits) => digits.replace('7', 'seven');
		await speak(live, pcm([7, 1000], [3, 3000]));
		live.engine.write = (digits) => digits.replace('7', 'six');
		await speak(live, pcm([0, 1200]));
		await live.until('completed');
		const whole = live.events.find((event) => event.type === 'completed');
		expect(whole).toMatchObject({ revised: true });
		expect(whole?.type === 'completed' && whole.text).toBe(deltasOf(live).join(''));
		expect(deltasOf(live).join('')).toMatch(/^seven/);
	});

	it('is not made while other work has the slots, and given up for work that waits', async () => {
		const live = arrange(growing);
		const { engine, scheduler, events } = live;
		const slow = gate();
		engine.onRun = () => slow.promise;
		const submit = (signal = new AbortController().signal) =>
			scheduler
				.submit({
					recording: {},
					clip: { samples: new Float32Array(16_000), start: 0, end: 1 },
					options: plainRecognition,
					signal,
				})
				.catch(() => {});
		const works = [submit(), submit()];
		await settled();
		await speak(live, pcm([7, 3000]));
		expect(engine.ran).toHaveLength(2);
		slow.open();
		await Promise.all(works);
		const held = gate();
		engine.onRun = () => held.promise;
		const [one] = [submit()];
		await speak(live, pcm([7, 1200]));
		// One slot is free, which partial text takes, until something waits.
		expect(engine.ran).toHaveLength(4);
		const waiting = submit();
		await speak(live, pcm([7, 200]));
		held.open();
		await Promise.all([one, waiting]);
		expect(deltasOf(live)).toEqual([]);
		expect(events.some(({ type }) => type === 'lost')).toBe(false);
		live.stream.close();
	});
});

describe('a turn that what is said decides on', () => {
	it('ends soon after a sentence', async () => {
		const live = arrange(semantic);
		live.engine.write = (digits) => `${digits}.`;
		await speak(live, pcm([7, 1000], [0, 1200]));
		await live.until('completed');
		const stopped = live.events.find((event) => event.type === 'stopped');
		expect(stopped?.type === 'stopped' && stopped.atMs).toBeLessThan(1800);
	});

	it('waits where the sentence goes on', async () => {
		const live = arrange(semantic);
		live.engine.write = (digits) => (digits.includes('3') ? `${digits}.` : digits);
		await speak(live, pcm([7, 1000], [0, 1500], [3, 500], [0, 1000]));
		await live.until('completed');
		expect(summaryOf(live.events).filter((each) => each.includes('stopped'))).toHaveLength(1);
		expect(summaryOf(live.events).at(-1)).toMatch(/^0 is 7.*3\.$/);
	});
});

describe('a turn whose speech pauses', () => {
	it('is transcribed then, so that its text is ready when the pause is long enough', async () => {
		const live = arrange(byVoice);
		await speak(live, pcm([7, 1000], [0, 400]));
		await live.until('processed', 14);
		expect(live.engine.ran).toHaveLength(1);
		expect(summaryOf(live.events).some((each) => each.includes('committed'))).toBe(false);
		await speak(live, pcm([0, 800]));
		await live.until('completed');
		expect(live.engine.ran).toHaveLength(1);
		expect(summaryOf(live.events).at(-1)).toBe('0 is 7 7 7 7 7 7 7 7 7 7');
	});

	it('is transcribed as a whole when speech continues', async () => {
		const live = arrange(byVoice);
		await speak(live, pcm([7, 500], [0, 400], [3, 500], [0, 1200]));
		await live.until('completed');
		expect(live.engine.ran).toHaveLength(2);
		expect(summaryOf(live.events).at(-1)).toBe('0 is 7 7 7 7 7 3 3 3 3 3');
	});

	it('has the same audio where there was no time for that', async () => {
		const live = arrange(byVoice);
		const { engine, scheduler } = live;
		const slow = gate();
		engine.onRun = () => slow.promise;
		const others = [0, 1].map(() =>
			scheduler.submit({
				recording: {},
				clip: { samples: new Float32Array(16_000), start: 0, end: 1 },
				options: plainRecognition,
				signal: new AbortController().signal,
			}),
		);
		await settled();
		await speak(live, pcm([7, 1000], [0, 1200]));
		slow.open();
		await live.until('completed');
		await Promise.all(others);
		const early = arrange(byVoice);
		await speak(early, pcm([7, 1000], [0, 1200]));
		await early.until('completed');
		expect(engine.ran.slice(2)).toEqual(early.engine.ran);
	});

	it('is transcribed at its end where that has failed', async () => {
		const live = arrange(byVoice);
		let runs = 0;
		live.engine.onRun = async () => {
			if (runs++ === 0) throw new Error('it hurts');
		};
		await speak(live, pcm([7, 1000], [0, 1200]));
		await live.until('completed');
		expect(summaryOf(live.events).at(-1)).toBe('0 is 7 7 7 7 7 7 7 7 7 7');
	});

	it.each([
		['other rules', { threshold: 0.5, prefixPaddingMs: 100, silenceDurationMs: 1000 }, 1600],
		['no rules', null, 0],
	] as const)('has all of its audio where a client then sets %s', async (_, turns, silenceMs) => {
		const live = arrange(byVoice);
		await speak(live, pcm([7, 1000], [0, 400]));
		live.stream.send({ type: 'configure', configure: 1, options: { ...byVoice, turns } });
		await speak(live, pcm([3, 500], [0, silenceMs]));
		if (turns === null) live.stream.send({ type: 'commit', commit: 1 });
		await live.until('completed');
		expect(summaryOf(live.events).at(-1)).toBe('0 is 7 7 7 7 7 7 7 7 7 7 3 3 3 3 3');
	});

	it('ends where a client then sets other rules, and nothing more is said', async () => {
		const live = arrange(byVoice);
		await speak(live, pcm([7, 1000], [0, 400]));
		const turns = { threshold: 0.5, prefixPaddingMs: 100, silenceDurationMs: 1000 };
		live.stream.send({ type: 'configure', configure: 1, options: { ...byVoice, turns } });
		await speak(live, pcm([0, 1200]));
		expect(summaryOf(live.events).at(-1)).toBe('0 is 7 7 7 7 7 7 7 7 7 7');
	});
});
