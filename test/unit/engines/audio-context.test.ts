import { describe, expect, test } from 'vitest';
import { contextFor, fullContext, missesSound } from '../../../src/engines/whisper/audio-context.js';

describe('the context of a clip', () => {
	test.each([
		[0.1, 384],
		[5.1, 384],
		[5.2, 400],
		[11, 688],
		[20, 1136],
		[23, 1280],
		[23.1, 0],
		[30, 0],
	])('of %d s is %i positions', (seconds, positions) => {
		expect(contextFor(seconds, 16)).toBe(positions);
	});

	test('always holds the clip and silence behind it, and is a multiple of the step', () => {
		for (let seconds = 0.05; seconds <= 30; seconds += 0.05) {
			for (const step of [16, 256]) {
				const positions = contextFor(seconds, step) || fullContext;
				if (positions < fullContext) expect(positions % step).toBe(0);
				expect(positions).toBeGreaterThanOrEqual(Math.min(fullContext, seconds * 50 + 128));
				expect(positions).toBeLessThanOrEqual(fullContext);
			}
		}
	});
});

describe('sound that no segment covers', () => {
	/** Loud where `loud` says so, by seconds. */
	const sound = (seconds: number, loud: (at: number) => boolean) =>
		Float32Array.from({ length: seconds * 16_000 }, (_, i) => (loud(i / 16_000) ? 0.3 : 0.001) * Math.sin(i));

	test.each([
		['covered all through', [{ start: 0, end: 10 }], false],
		['a second uncovered', [{ start: 0, end: 9 }], false],
		['the end uncovered', [{ start: 0, end: 7 }], true],
		['the start uncovered', [{ start: 3, end: 10 }], true],
		[
			'a hole',
			[
				{ start: 0, end: 4 },
				{ start: 7, end: 10 },
			],
			true,
		],
		['no text', [], true],
	])('%s', (_case, segments, expected) => {
		expect(
			missesSound(
				sound(10, () => true),
				segments,
			),
		).toBe(expected);
	});

	test('is not what is quiet', () => {
		const pause = sound(10, (at) => at < 5);
		expect(missesSound(pause, [{ start: 0, end: 5 }])).toBe(false);
		expect(missesSound(pause, [{ start: 5, end: 10 }])).toBe(true);
		expect(missesSound(new Float32Array(16_000), [])).toBe(false);
		expect(missesSound(new Float32Array(0), [])).toBe(false);
	});
});
