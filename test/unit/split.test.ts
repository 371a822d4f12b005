import { describe, expect, it } from 'vitest';
import { levelsOf, type Span, splitSpans } from '../../src/audio/split.js';

const rules = { maxClipSeconds: 10, mergeGapSeconds: 0.5, paddingSeconds: 0.2, duration: 100 };

function loud(seconds: number): Float32Array {
	return new Float32Array(Math.round(seconds / 0.02)).fill(1);
}

function rounded(spans: readonly Span[]): number[][] {
	return spans.map(({ start, end }) => [Number(start.toFixed(2)), Number(end.toFixed(2))]);
}

describe('splitting a recording into clips', () => {
	it('gives no clip where nobody speaks', () => {
		expect(splitSpans([], loud(100), rules)).toEqual([]);
	});

	it('keeps some audio before and after the speech, but none from outside the recording', () => {
		const clips = splitSpans(
			[
				{ start: 0.1, end: 2 },
				{ start: 50, end: 99.9 - 45 },
			],
			loud(100),
			rules,
		);
		expect(rounded(clips)).toEqual([
			[0, 2.2],
			[49.8, 55.1],
		]);
	});

	it('puts stretches near each other into one clip', () => {
		const clips = splitSpans(
			[
				{ start: 1, end: 2 },
				{ start: 2.8, end: 4 },
				{ start: 8, end: 9 },
			],
			loud(100),
			rules,
		);
		expect(rounded(clips)).toEqual([
			[0.8, 4.2],
			[7.8, 9.2],
		]);
	});

	it('never lets padding make two clips overlap', () => {
		const clips = splitSpans(
			[
				{ start: 1, end: 5 },
				{ start: 5.1, end: 14 },
			],
			loud(100),
			rules,
		);
		expect(rounded(clips)).toEqual([
			[0.8, 5.05],
			[5.05, 14.2],
		]);
	});

	it('cuts a stretch that is too long at its quietest moment', () => {
		const levels = loud(30);
		levels.fill(0.1, Math.round(8 / 0.02), Math.round(8.2 / 0.02));
		const [first, second] = splitSpans([{ start: 0.2, end: 15 }], levels, { ...rules, duration: 30 });
		expect(first?.start).toBe(0);
		expect(first?.end).toBeGreaterThan(8);
		expect(first?.end).toBeLessThan(8.2);
		expect(second?.start).toBe(first?.end);
		expect(second?.end).toBeCloseTo(15.2);
	});

	it('covers every stretch, in order, without overlap and within the limit, whatever the speech', () => {
		const random = mulberry(7);
		for (let round = 0; round < 200; round++) {
			const spans: Span[] = [];
			let at = random() * 3;
			while (at < 80) {
				const end = at + random() ** 3 * 40 + 0.05;
				spans.push({ start: at, end: Math.min(end, 100) });
				at = end + random() * 2;
			}
			const clips = splitSpans(spans, loud(100).map(random), rules);
			for (const [index, clip] of clips.entries()) {
				expect(clip.end - clip.start).toBeLessThanOrEqual(rules.maxClipSeconds + 1e-9);
				expect(clip.end).toBeGreaterThan(clip.start);
				expect(clip.start).toBeGreaterThanOrEqual(clips[index - 1]?.end ?? 0);
			}
			for (const span of spans) expect(covered(span, clips)).toBe(true);
		}
	});

	it('measures the level of each frame', () => {
		const samples = new Float32Array(16_000).fill(0.5, 0, 8_000);
		const levels = levelsOf(samples, 16_000);
		expect(levels).toHaveLength(50);
		expect(levels[0]).toBeCloseTo(0.5);
		expect(levels[49]).toBe(0);
	});
});

function covered(span: Span, clips: readonly Span[]): boolean {
	let at = span.start;
	for (const clip of clips) if (clip.start <= at + 1e-9 && clip.end > at) at = clip.end;
	return at >= span.end - 1e-9;
}

/** A seeded generator, so that a failure can be had again. */
function mulberry(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
