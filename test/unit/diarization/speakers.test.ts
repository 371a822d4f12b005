import { describe, expect, test } from 'vitest';
import { type Piece, speakersOf } from '../../../src/diarization/speakers.js';

/** Two voices by turns, a second each. */
const pieces = (count: number, alone: number): Piece[] =>
	Array.from({ length: count }, (_, at) => ({
		start: at,
		end: at + 1,
		track: at,
		alone,
		voice: Float32Array.from(at % 2 ? [1, 0] : [0, 1]),
	}));

describe('a long recording', () => {
	test('yields to other work while its stretches are assigned to speakers', async () => {
		let yields = 0;
		const yieldNow = async () => {
			yields++;
		};
		// Stretches this short are not clustered, except one.
		await speakersOf(pieces(1000, 0.9), { threshold: 0.33 }, yieldNow);
		expect(yields).toBeGreaterThan(20);
	});

	test.each([
		[{}, 2],
		[{ most: 1 }, 1],
		[{ least: 3 }, 2],
		[{ least: 40, most: 40 }, 2],
	])('has as many speakers as are asked for, and nobody who is made up: %j', async (counts, expected) => {
		const { labels } = await speakersOf(pieces(60, 1), { threshold: 0.33, ...counts }, async () => {});
		expect(new Set(labels).size).toBe(expected);
	});
});
