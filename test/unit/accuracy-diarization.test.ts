/** What `npm run accuracy -- diarization` is counted with. */

import { describe, expect, it } from 'vitest';
import { errorsOf, rateOf, type Turn } from '../accuracy/diarization/error-rate.mjs';
import { wordsRight } from '../accuracy/diarization/words.mjs';

const turn = (start: number, end: number, speaker: string): Turn => ({ start, end, speaker });
const truth = [turn(0, 10, 'a'), turn(10, 20, 'b'), turn(18, 25, 'c'), turn(27, 30, 'a')];

// What pyannote.metrics 4.2.0 says of them, with collars of 0 and of 0.5 s (its own is both sides together).
it.each<[string, Turn[], number, number]>([
	['the truth', truth, 0, 0],
	[
		'other edges',
		[turn(0.5, 10.3, 'x'), turn(9.8, 19, 'y'), turn(18, 26, 'z'), turn(27.1, 30, 'x')],
		10.3333,
		6.6667,
	],
	['two people taken for one', [turn(0, 20, 'x'), turn(18, 25, 'z'), turn(27, 30, 'x')], 33.3333, 33.3333],
	[
		'one person taken for two',
		[turn(0, 6, 'w'), turn(6, 10, 'x'), turn(10, 20, 'y'), turn(18, 25, 'z'), turn(27, 30, 'w')],
		13.3333,
		13.8889,
	],
	[
		'a fourth speaker',
		[turn(0, 10, 'x'), turn(10, 20, 'y'), turn(18, 25, 'z'), turn(27, 30, 'v')],
		10,
		9.2593,
	],
	['nobody', [], 100, 100],
])('the error rate of %s is that of pyannote.metrics', (_, found, exact, forgiving) => {
	expect(rateOf(errorsOf(truth, found))).toBeCloseTo(exact, 3);
	expect(rateOf(errorsOf(truth, found, 0.25))).toBeCloseTo(forgiving, 3);
});

describe('words with the right speaker', () => {
	const said = [
		{ text: 'Hello there, can you hear me?', speaker: 'ann' },
		{ text: 'Yes, I can.', speaker: 'bob' },
	];
	const written = (text: string, speaker: string) => ({ text, speaker });

	it('are all where each person has one letter', () => {
		const found = [
			...said[0]!.text.split(' ').map((word) => written(word, 'B')),
			...said[1]!.text.split(' ').map((word) => written(word, 'A')),
		];
		expect(wordsRight(said, found)).toEqual({ right: 9, pairs: 9, said: 9 });
	});

	it('are counted where the word itself is wrong, and not where nothing stands beside it', () => {
		const found = [
			written('Hello hair can you hear me', 'A'),
			written('yes I', 'B'),
			written('can and more', 'A'),
		];
		expect(wordsRight(said, found)).toEqual({ right: 8, pairs: 9, said: 9 });
		expect(wordsRight(said, [])).toEqual({ right: 0, pairs: 0, said: 9 });
	});

	it('are those of one person alone where two have one letter', () => {
		expect(wordsRight(said, [written('hello there can you hear me yes i can', 'A')]).right).toBe(6);
	});
});
