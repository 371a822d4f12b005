import { expect, test } from 'vitest';
import { toMilliseconds } from '../../../../src/core/speech/seconds.js';

test('seconds are rounded to the millisecond by their digits, as toFixed does', () => {
	// Every eighth sample at 16 kHz is in the middle of two milliseconds, or on one.
	for (let at = 1; at < 20_000; at++) {
		for (const seconds of [at / 16_000, at * 0.0005, 3600 + at / 16_000, at * 1.1, -at / 16_000]) {
			expect(toMilliseconds(seconds)).toBe(Number(seconds.toFixed(3)));
		}
	}
});

test.each([1e7, 123_456_789.0125, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN])(
	'%d too',
	(seconds) => {
		expect(toMilliseconds(seconds)).toBe(Number(seconds.toFixed(3)));
	},
);
