import { describe, expect, it } from 'vitest';
import { SampleWindow } from '../../../src/audio/sample-window.js';
import type { Span, VadSegments } from '../../../src/audio/speech-spans.js';
import { ClipSplitter, type SplitRules } from '../../../src/audio/split.js';
import { levelFrameSeconds } from '../../../src/core/speech/pcm.js';
import { splitSpans as splitWhole } from '../../helpers/reference-splitter.js';

interface Rules extends SplitRules {
	readonly duration: number;
}

const rules: Rules = { maxClipSeconds: 10, mergeGapSeconds: 0.5, paddingSeconds: 0.2, duration: 100 };

/** A recording all of which is known at once. */
function splitSpans(spans: readonly Span[], levels: Float32Array, { duration, ...others }: Rules): Span[] {
	const splitter = new ClipSplitter(others, (frame) => levels[frame] ?? 0);
	const ranges = splitter.push({ spans, openSince: null, settled: duration });
	return [...ranges, ...splitter.finish(duration)];
}

function loud(seconds: number): Float32Array {
	return new Float32Array(Math.round(seconds / 0.02)).fill(1);
}

function rounded(spans: readonly Span[]): number[][] {
	return spans.map(({ start, end }) => [Number(start.toFixed(2)), Number(end.toFixed(2))]);
}

describe('splitting a recording into clips', () => {
	it('gives no clip without speech', () => {
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

	it('goes across no break, neither in a stretch nor between two', () => {
		const clips = splitSpans(
			[
				{ start: 1, end: 5 },
				{ start: 5.3, end: 6 },
				{ start: 6.2, end: 8 },
			],
			loud(100),
			{ ...rules, breaks: [3, 6.1] },
		);
		expect(rounded(clips)).toEqual([
			[0.8, 3],
			[3, 6.1],
			[6.1, 8.2],
		]);
	});

	it('takes a break at the edge of a stretch for its edge', () => {
		const clips = splitSpans(
			[
				{ start: 1, end: 3 },
				{ start: 3.1, end: 5 },
			],
			loud(100),
			{ ...rules, breaks: [1.1, 3.3] },
		);
		expect(rounded(clips)).toEqual([
			[0.8, 3.05],
			[3.05, 5.2],
		]);
	});

	it('gives a range out as soon as nothing can change it', () => {
		const splitter = new ClipSplitter({ ...rules, maxClipSeconds: 10 }, () => 1);
		const push = (segments: Partial<VadSegments>) =>
			rounded(splitter.push({ spans: [], openSince: null, settled: 0, ...segments }));
		expect(push({ openSince: 1, settled: 3 })).toEqual([]);
		expect(push({ spans: [{ start: 1, end: 4 }], settled: 4.1 })).toEqual([]);
		// Somebody may go on within the gap, before the padding of both is through.
		expect(push({ settled: 4.8 })).toEqual([]);
		expect(push({ settled: 5 })).toEqual([[0.8, 4.2]]);
	});

	it('cuts a stretch that goes on and on before it ends', () => {
		const levels = loud(100);
		levels[Math.round(9 / levelFrameSeconds)] = 0;
		const splitter = new ClipSplitter(rules, (frame) => levels[frame] ?? 0);
		expect(rounded(splitter.push({ spans: [], openSince: 1, settled: 10.9 }))).toEqual([[0.8, 9.01]]);
		expect(splitter.needed).toBeCloseTo(9.01);
	});

	it('gives the same ranges however the recording is divided, and reads nothing twice', () => {
		const random = mulberry(11);
		let [tooLong, merges, broken] = [0, 0, 0];
		for (let round = 0; round < 750; round++) {
			const wild: Rules = {
				maxClipSeconds: 5 + random() * 25,
				mergeGapSeconds: random() * 2,
				paddingSeconds: random() < 0.2 ? 0 : random() * 1.5,
				duration: 20 + random() * 100,
				breaks: round % 3 === 0 ? breaks(random) : [],
			};
			const spans = speech(random, wild.duration);
			const levels = loud(wild.duration).map(() => Math.round(random() * 5));
			const whole = splitWhole(spans, levels, wild);
			const lengths = spans.map(({ start, end }) => end - start);
			tooLong += lengths.filter((length) => length > wild.maxClipSeconds).length;
			if (whole.length < spans.length) merges++;
			if (whole.length > splitWhole(spans, levels, { ...wild, breaks: [] }).length) broken++;

			let [needed, known, outside] = [0, 0, 0];
			const splitter = new ClipSplitter(wild, (frame) => {
				const at = frame * levelFrameSeconds;
				if (at < needed - 1e-9 || at + levelFrameSeconds > known + 1e-9) outside++;
				return levels[frame] ?? 0;
			});
			const pieces: Span[] = [];
			while (known < wild.duration) {
				const before = known;
				known = Math.min(wild.duration, known + random() ** 2 * 15);
				const clips = splitter.push(speechBetween(spans, before, known, random));
				for (const { start, end } of clips) if (start < needed || end > known) outside++;
				pieces.push(...clips);
				needed = splitter.needed;
				// What is kept is a clip that may grow, and what may still be merged into it.
				expect(known - needed).toBeLessThan(2 * wild.maxClipSeconds + 2 * wild.paddingSeconds + 2);
			}
			pieces.push(...splitter.finish(wild.duration));
			expect(pieces).toEqual(whole);
			expect(outside).toBe(0);
		}
		expect(tooLong).toBeGreaterThan(100);
		expect(merges).toBeGreaterThan(100);
		expect(broken).toBeGreaterThan(100);
	});
});

/** What a search for speech says that has come from one place to another. Starts and ends are noticed late. */
function speechBetween(
	spans: readonly Span[],
	before: number,
	now: number,
	random: () => number,
): VadSegments {
	const lateSeconds = 0.2;
	const noticed = (at: number, until: number) => at + lateSeconds <= until;
	const ended = spans.filter(({ end }) => noticed(end, now) && !noticed(end, before));
	const open = spans.find(({ start, end }) => noticed(start, now) && !noticed(end, now));
	const since = open?.start ?? ended.at(-1)?.end ?? 0;
	return {
		spans: ended,
		openSince: open?.start ?? null,
		settled: Math.max(since, now - lateSeconds - random() * 0.1),
	};
}

describe('the window on a recording', () => {
	it('measures the level of each frame', () => {
		const window = new SampleWindow(16_000);
		window.room(16_000).fill(0.5, 0, 8_000).fill(0, 8_000);
		window.grow(16_000);
		expect(window.levelOf(0)).toBeCloseTo(0.5);
		expect(window.levelOf(49)).toBe(0);
	});

	it('keeps what is still needed at its place, in no more memory than that takes', () => {
		const window = new SampleWindow(16_000);
		for (let second = 0; second < 100; second++) {
			window.room(16_000).fill(second / 100);
			window.grow(16_000);
			window.forget((second - 1) * 16_000);
			expect(window.length).toBeLessThanOrEqual(32_000);
		}
		expect(window.end).toBe(1_600_000);
		expect(window.levelOf(98 * 50)).toBeCloseTo(0.98);
		expect([...window.view(1_583_999, 1_584_001)]).toEqual([Math.fround(0.98), Math.fround(0.99)]);
		expect(window.room(16_000).buffer.byteLength).toBeLessThanOrEqual(4 * 48_000);
	});
});

/** Stretches of all lengths and pauses of all lengths. */
function speech(random: () => number, duration: number): Span[] {
	const spans: Span[] = [];
	let at = random() * 3;
	while (at < duration - 1) {
		const end = Math.min(at + random() ** 3 * 60 + 0.05, duration - 0.3);
		if (end > at) spans.push({ start: at, end });
		at = end + 0.05 + random() ** 2 * 4;
	}
	return spans;
}

/** From a tenth of a second to half a minute apart. */
function breaks(random: () => number): number[] {
	const all: number[] = [];
	for (let at = random() * 10; at < 120; at += 0.1 + random() ** 3 * 30) all.push(at);
	return all;
}

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
