import { expect, it } from 'vitest';
import { CrashBackoff } from '../../../src/runner/crash-backoff.js';

const minute = 60_000;

function dying(times: number, everyMs: number): CrashBackoff {
	const hold = new CrashBackoff();
	for (let death = 0; death < times; death++) hold.died(death * everyMs);
	return hold;
}

it('five deaths within five minutes put a model into backoff, four do not', () => {
	expect(dying(4, 1000).remainingMs(3000)).toBe(0);
	expect(dying(5, 1000).remainingMs(4000)).toBe(10_000);
	expect(dying(5, 1000).remainingMs(14_000)).toBe(0);
});

it('deaths that are long ago do not count', () => {
	expect(dying(20, 1.25 * minute).remainingMs(19 * 1.25 * minute)).toBe(0);
});

it('each death after a hold makes one that is twice as long, up to ten minutes', () => {
	const hold = dying(5, 0);
	const lengths = Array.from({ length: 8 }, (_, index) => {
		const ms = (index + 1) * 20 * minute;
		hold.died(ms);
		return hold.remainingMs(ms) / 1000;
	});
	expect(lengths).toEqual([20, 40, 80, 160, 320, 600, 600, 600]);
});

it('crashes before a reset do not count', () => {
	const hold = dying(5, 0);
	hold.reset();
	expect(hold.remainingMs(0)).toBe(0);
	hold.died(1);
	expect(hold.remainingMs(1)).toBe(0);
});
