import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../../src/runner/heartbeat.js';
import { FakeClock } from '../../helpers/fakes.js';

/** Asked every 5 s. */
const timeoutMs = 30_000;

function arrange(given: { timeoutMs?: number; answers?: boolean } = {}) {
	const clock = new FakeClock();
	const seen = { asked: 0, hung: 0 };
	const heartbeat: Heartbeat = new Heartbeat({
		clock,
		timeoutMs: given.timeoutMs ?? timeoutMs,
		ping: () => {
			seen.asked++;
			if (given.answers) heartbeat.answered();
		},
		onHung: () => seen.hung++,
	});
	return { clock, seen, heartbeat };
}

describe('the heartbeat of a process', () => {
	it('sends no pings to a process without work', () => {
		const { clock, seen } = arrange();
		clock.advance(600_000);
		expect(seen).toEqual({ asked: 0, hung: 0 });
	});

	it('never gives up one that answers, however long its work takes', () => {
		const { clock, seen, heartbeat } = arrange({ answers: true });
		heartbeat.begin();
		clock.advance(3_600_000);
		expect(seen).toEqual({ asked: 720, hung: 0 });
		expect(heartbeat.isAnswering).toBe(true);
	});

	it('gives up one that is silent for the time-out, once', () => {
		const { clock, seen, heartbeat } = arrange();
		heartbeat.begin();
		clock.advance(34_999);
		expect(seen.hung).toBe(0);
		clock.advance(1);
		expect(seen.hung).toBe(1);
		clock.advance(600_000);
		expect(seen.hung).toBe(1);
		expect(clock.waiting).toBe(0);
	});

	it('reports a missing answer long before the process counts as hung', () => {
		const { clock, heartbeat } = arrange();
		heartbeat.begin();
		clock.advance(9_999);
		expect(heartbeat.isAnswering).toBe(true);
		clock.advance(1);
		expect(heartbeat.isAnswering).toBe(false);
		heartbeat.answered();
		expect(heartbeat.isAnswering).toBe(true);
	});

	it('counts any message as an answer', () => {
		const { clock, seen, heartbeat } = arrange();
		heartbeat.begin();
		for (let round = 0; round < 10; round++) {
			clock.advance(29_000);
			heartbeat.answered();
		}
		expect(seen.hung).toBe(0);
	});

	it('goes on where the work was taken back from one that owes an answer', () => {
		const { clock, seen, heartbeat } = arrange();
		heartbeat.begin();
		clock.advance(5_000);
		heartbeat.rest();
		clock.advance(30_000);
		expect(seen.hung).toBe(1);
	});

	it('stops when the last work is done and all pings are answered', () => {
		const { clock, heartbeat } = arrange();
		heartbeat.begin();
		clock.advance(4_000);
		heartbeat.rest();
		expect(clock.waiting).toBe(0);
		heartbeat.begin();
		clock.advance(5_000);
		heartbeat.rest();
		heartbeat.answered();
		expect(clock.waiting).toBe(0);
	});

	it('counts pings instead of time, so that no process is killed after the machine has slept', () => {
		const ticks: (() => void)[] = [];
		let hung = 0;
		const clock = new FakeClock();
		clock.every = (_, act) => {
			ticks.push(act);
			return () => {};
		};
		const heartbeat = new Heartbeat({ clock, timeoutMs, ping: () => {}, onHung: () => hung++ });
		const tick = () => {
			for (const act of ticks) act();
		};
		heartbeat.begin();
		tick();
		// Hours pass in which no timer fires, as when everything is stopped.
		clock.advance(36_000_000);
		tick();
		heartbeat.answered();
		tick();
		expect(hung).toBe(0);
	});

	it('may be switched off', () => {
		const { clock, seen, heartbeat } = arrange({ timeoutMs: 0 });
		heartbeat.begin();
		clock.advance(3_600_000);
		expect(seen).toEqual({ asked: 0, hung: 0 });
	});
});
