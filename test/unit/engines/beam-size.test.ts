import { describe, expect, it } from 'vitest';
import { beamSizeFor } from '../../../src/engines/whisper/beam-size.js';

describe('the beam size of a clip', () => {
	it('is the one that was set', () => {
		expect([1, 3, 8].map((setting) => beamSizeFor(29, setting))).toEqual([1, 3, 8]);
		expect(beamSizeFor(0.2, 5)).toBe(5);
	});

	it('is of its own choice 5 for long clips and greedy search for short ones', () => {
		expect([0, 1.5, 12.99].map((seconds) => beamSizeFor(seconds, 'auto'))).toEqual([1, 1, 1]);
		expect([13, 17, 30].map((seconds) => beamSizeFor(seconds, 'auto'))).toEqual([5, 5, 5]);
	});
});
