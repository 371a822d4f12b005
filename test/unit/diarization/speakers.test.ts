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
		[{ max: 1 }, 1],
		[{ min: 3 }, 2],
		[{ min: 40, max: 40 }, 2],
	])('has as many speakers as requested, and no invented ones: %j', async (counts, expected) => {
		const { labels } = await speakersOf(pieces(60, 1), { threshold: 0.33, ...counts }, async () => {});
		expect(new Set(labels).size).toBe(expected);
	});
});

describe('stretches that overlap', () => {
	const [ann, bob] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
	/** Ann from 0 s to 6.2 s and Bob from 6 s to 12 s, in one track where the network takes them for one voice. */
	const turns: Piece[] = [0, 2, 4].flatMap((start) => [
		{ start, end: start + (start === 4 ? 2.2 : 2), track: 0, alone: 1.8, voice: ann },
		{ start: start + (start === 0 ? 6.2 : 6), end: start + 8, track: 0, alone: 1.2, voice: bob },
	]);

	async function speakers(more: Piece) {
		const all = [...turns, more].sort((a, b) => a.start - b.start || a.end - b.end);
		const { labels, centres } = await speakersOf(all, { threshold: 0.33 }, async () => {});
		const isAnn = centres.map(([first = 0]) => first > 0.5);
		return all.map(({ start, track }, at) => `${isAnn[labels[at] ?? 0] ? 'Ann' : 'Bob'} ${start}/${track}`);
	}
	const known = ['Ann 0/0', 'Ann 2/0', 'Ann 4/0', 'Bob 6.2/0', 'Bob 8/0', 'Bob 10/0'];

	test.each([
		[6, 6.7, 'Ann'],
		[5.6, 6.4, 'Bob'],
	])(
		'at a change of speakers leave them who is known, and have the other: from %d s to %d s',
		async (start, end, who) => {
			const found = await speakers({ start, end, track: 1, alone: 0, voice: null });
			expect(found.filter((each) => each.endsWith('/0'))).toEqual(known);
			expect(found.find((each) => each.endsWith('/1'))).toBe(`${who} ${start}/1`);
		},
	);

	test('are of two people, though one sounds like the other', async () => {
		const found = await speakers({ start: 8.5, end: 9.5, track: 1, alone: 0.5, voice: bob });
		expect(found).toEqual([...known.slice(0, 5), 'Ann 8.5/1', ...known.slice(5)]);
	});
});
