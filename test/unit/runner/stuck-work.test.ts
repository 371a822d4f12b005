import { describe, expect, it } from 'vitest';
import { OpenSteps } from '../../../src/runner/child/open-steps.js';
import { MeasuredSpeed } from '../../../src/runner/measured-speed.js';
import type { WorkReport } from '../../../src/runner/protocol.js';
import { StuckWork } from '../../../src/runner/stuck-work.js';

const everyMs = 5_000;
const minute = 60_000;

/** A fast machine that has been at work for a while. */
const busy = { clips: 1000, slowestMsPerSecond: 100 };

/** How long the same step is put up with, ms; undefined = for five hours at least. */
function patienceWith(
	report: Omit<WorkReport, 'oldest'>,
	step = 0,
	speed = new MeasuredSpeed(),
): number | undefined {
	const stuck = new StuckWork(speed);
	const oldest = { number: 1, request: 1, step };
	for (let ms = 0; ms <= 300 * minute; ms += everyMs) {
		if (stuck.note({ ...report, oldest }, everyMs) !== undefined) return ms;
	}
	return undefined;
}

describe('a step that does not end', () => {
	it('is put up with for ten minutes, however fast the machine', () => {
		expect(patienceWith(busy)).toBe(10 * minute);
		expect(patienceWith({ clips: 10, slowestMsPerSecond: 0 })).toBe(10 * minute);
	});

	it('is put up with longer on a machine that has been slow: 20 times what half a minute took', () => {
		expect(patienceWith({ clips: 10, slowestMsPerSecond: 8_000 })).toBe(80 * minute);
		expect(patienceWith({ clips: 10, slowestMsPerSecond: 60_000 })).toBeUndefined();
	});

	it('is put up with for two hours while little is known of the machine', () => {
		expect(patienceWith({ clips: 9, slowestMsPerSecond: 100 })).toBe(120 * minute);
	});

	it('may decode a file for two hours, which may be on a slow disk', () => {
		expect(patienceWith(busy, -3)).toBe(120 * minute);
	});

	it('is judged by what earlier processes of the model have shown', () => {
		const speed = new MeasuredSpeed();
		new StuckWork(speed).note({ clips: 50, slowestMsPerSecond: 4_000 }, everyMs);
		expect(patienceWith({ clips: 0, slowestMsPerSecond: 0 }, 0, speed)).toBe(40 * minute);
	});

	it('is described in words', () => {
		const stuck = new StuckWork(new MeasuredSpeed());
		const why = (step: number, number: number) => {
			let said: string | undefined;
			for (let ms = 0; ms <= 120 * minute; ms += everyMs)
				said = stuck.note({ ...busy, oldest: { number, request: 1, step } }, everyMs);
			return said;
		};
		expect([why(0, 1), why(-1, 2)]).toEqual([
			'a clip did not end in 7200 s',
			'decoding a part of a recording did not end in 7200 s',
		]);
	});

	it('is another than many steps, one after another, or none', () => {
		const stuck = new StuckWork(new MeasuredSpeed());
		for (let number = 0; number < 5_000; number++) {
			const oldest = { number: Math.floor(number / 100), request: 1, step: 0 };
			expect(stuck.note(number % 100 === 0 ? busy : { ...busy, oldest }, everyMs)).toBeUndefined();
		}
	});
});

describe('the steps in work', () => {
	it('are reported by the one that began first, under its own number', () => {
		const steps = new OpenSteps(() => 0);
		expect(steps.report).toEqual({ clips: 0, slowestMsPerSecond: 0 });
		steps.begin(7, -1, 0);
		steps.begin(8, 0, 30);
		expect(steps.report.oldest).toEqual({ number: 1, request: 7, step: -1 });
		steps.end(7, -1, true);
		expect(steps.report.oldest).toEqual({ number: 2, request: 8, step: 0 });
		steps.end(8, 0, true);
		expect(steps.report.oldest).toBeUndefined();
	});

	it('report the slowest time per second of audio, of clips with a result only', () => {
		let now = 0;
		const steps = new OpenSteps(() => now);
		const took = (step: number, seconds: number, ms: number, hasResult = true) => {
			steps.begin(1, step, seconds);
			now += ms;
			steps.end(1, step, hasResult);
		};
		took(0, 10, 2_000);
		took(1, 30, 3_000);
		// Shorter ones count as a second: each costs something whatever its length.
		took(2, 0.1, 150);
		took(3, 1, 60_000, false);
		took(-1, 0, 60_000);
		expect(steps.report).toEqual({ clips: 3, slowestMsPerSecond: 200 });
	});
});
