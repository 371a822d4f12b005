import { describe, expect, test } from 'vitest';
import { nextStep, retryAfterMsOf, retryDelaysMs } from '../../../src/webhooks/schedule.js';

const hour = 3_600_000;
const answered = (status: number | null, retryAfterMs: number | null = null) => ({ status, retryAfterMs });

describe('the schedule', () => {
	test('is that of Standard Webhooks: ten tries, the last after three days', () => {
		expect(retryDelaysMs.map((ms) => ms / 1000)).toEqual([
			0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
		]);
	});

	test.each(retryDelaysMs.slice(1).map((ms, at) => [at + 1, ms] as const))(
		'waits after try %i for %i ms, a fifth more or less',
		(tries, ms) => {
			const waits = [0, 0.5, 1].map((random) => nextStep(tries, answered(500), random));
			expect(waits).toEqual([0.8, 1, 1.2].map((part) => ({ type: 'retry', afterMs: ms * part })));
		},
	);

	test('ends with the tenth try', () => {
		expect(nextStep(10, answered(500), 0.5)).toEqual({ type: 'failed', isGone: false });
	});
});

describe('an answer', () => {
	test.each([200, 201, 204, 299])('%i is the end', (status) => {
		expect(nextStep(1, answered(status), 0.5)).toEqual({ type: 'delivered' });
	});

	test.each([100, 301, 302, 307, 400, 401, 404, 409, 422, 500, 502, 503, 504, null])(
		'%s is tried again',
		(status) => {
			expect(nextStep(1, answered(status), 0.5)).toEqual({ type: 'retry', afterMs: 5000 });
		},
	);

	test('410 means that nothing more is wanted', () => {
		expect(nextStep(1, answered(410), 0.5)).toEqual({ type: 'failed', isGone: true });
	});

	test.each([429, 503])('%i may ask for more time, for a day at most', (status) => {
		const waitFor = (ms: number): unknown => nextStep(1, answered(status, ms), 0.5);
		expect(waitFor(hour)).toEqual({ type: 'retry', afterMs: hour });
		expect(waitFor(1)).toEqual({ type: 'retry', afterMs: 5000 });
		expect(waitFor(1000 * hour)).toEqual({ type: 'retry', afterMs: 24 * hour });
	});

	test('others may not', () => {
		expect(nextStep(1, answered(500, hour), 0.5)).toEqual({ type: 'retry', afterMs: 5000 });
	});
});

describe('Retry-After', () => {
	const now = Date.UTC(2026, 0, 1);

	test.each([
		['120', 120_000],
		[' 0 ', 0],
		['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
		['Wed, 31 Dec 2025 23:00:00 GMT', 0],
		['soon', null],
		['-5', null],
		['1.5', null],
		['99999999999999999999', null],
		['', null],
		[undefined, null],
	])('%s is %s ms', (header, ms) => {
		expect(retryAfterMsOf(header, now)).toBe(ms);
	});
});
