import { describe, expect, test } from 'vitest';
import type { SpeakerTurn } from '../../../src/core/speech/speakers.js';
import { attributed } from '../../../src/speakers/attribution.js';
import { speakerNames } from '../../../src/speakers/names.js';
import { segment } from '../../helpers/transcripts.js';

const names = ['A', 'B', 'C'];
const turn = (start: number, end: number, speaker: number): SpeakerTurn => ({ start, end, speaker });

/** `Hi 0-0.4 there 0.5-0.9` → a segment of those words. */
function spoken(text: string) {
	const words = [...text.matchAll(/(\S+) ([\d.]+)-([\d.]+)/g)].map(([, word = '', start, end]) => ({
		word,
		start: Number(start),
		end: Number(end),
	}));
	return segment({
		text: ` ${words.map(({ word }) => word).join(' ')}`,
		start: words[0]?.start ?? 0,
		end: words.at(-1)?.end ?? 0,
		words,
		tokens: [1, 2],
	});
}

const said = (text: string, turns: readonly SpeakerTurn[]) =>
	attributed([spoken(text)], turns, names).map(({ speaker, text: words }) => `${speaker}:${words}`);

describe('a word belongs to', () => {
	test('the turn that it shares most of its time with', () => {
		expect(said('one 0-1 two 1-2', [turn(0, 1.2, 0), turn(1.2, 3, 1)])).toEqual(['A: one', 'B: two']);
	});

	test('the speaker of the word before, if it shares as much with two', () => {
		expect(said('one 0-1 two 1-2', [turn(0, 1.5, 1), turn(1.5, 3, 0)])).toEqual(['B: one two']);
		expect(said('one 0-1 two 1-2 three 2-3', [turn(0, 3, 0), turn(1, 2, 1)])).toEqual(['A: one two three']);
	});

	test('the nearest turn within half a second, if it is in none', () => {
		expect(said('one 0-1 two 1.8-1.9', [turn(0, 1, 0), turn(2, 3, 1)])).toEqual(['A: one', 'B: two']);
	});

	test('the speaker of the word before, if none is near; the first to the next', () => {
		expect(said('one 0-1 two 4-4.5', [turn(0, 1, 1), turn(6, 7, 0)])).toEqual(['B: one two']);
		expect(said('one 0-1 two 4-4.5', [turn(4, 5, 1)])).toEqual(['B: one two']);
	});

	test('the speakers around it, if it is a short one alone', () => {
		const turns = [turn(0, 1, 0), turn(1, 1.3, 1), turn(1.3, 3, 0)];
		expect(said('one 0-1 two 1-1.3 three 1.3-2', turns)).toEqual(['A: one two three']);
		const long = [turn(0, 1, 0), turn(1, 1.6, 1), turn(1.6, 3, 0)];
		expect(said('one 0-1 two 1-1.6 three 1.6-2', long)).toEqual(['A: one', 'B: two', 'A: three']);
	});
});

describe('a word at the edge of a sentence goes with it', () => {
	const turns = [turn(0, 2, 0), turn(3, 5, 1)];

	test('where its time reaches from the pause into the next turn', () => {
		expect(said('Spill 0-1 its 1-1.9 contents. 2.8-3.4 Hold 3.5-4 on. 4-5', turns)).toEqual([
			'A: Spill its contents.',
			'B: Hold on.',
		]);
	});

	test('or from the turn before into the pause', () => {
		const late = [turn(0, 2.3, 0), turn(3, 5, 1)];
		expect(said('All 0-1 right. 1-1.9 Then 2-2.5 in 3-4 time. 4-5', late)).toEqual([
			'A: All right.',
			'B: Then in time.',
		]);
	});

	test('and not where its turn holds all of it', () => {
		expect(said('We 0-1 are 1-1.9 lost. 3.1-3.6 Yes. 4-5', turns)).toEqual(['A: We are', 'B: lost. Yes.']);
	});

	test('and not where it is a sentence of its own', () => {
		expect(said('We 0-1 are 1-1.9 No. 2.8-3.4 Yes. 4-5', turns)).toEqual(['A: We are', 'B: No. Yes.']);
	});
});

describe('a segment', () => {
	test('is split where the speaker changes, and its parts are the whole', () => {
		const one = segment({
			text: ' “Hi,” she said – “bye.”',
			start: 0,
			end: 4,
			tokens: [1, 2, 3],
			words: [
				{ word: '“Hi,”', start: 0.2, end: 1 },
				{ word: 'she', start: 1, end: 1.4 },
				{ word: 'said', start: 1.4, end: 2 },
				{ word: '“bye.”', start: 3, end: 3.8 },
			],
		});
		const parts = attributed([one], [turn(0, 2, 0), turn(2.5, 4, 1)], names);
		expect(parts).toMatchObject([
			{ id: 0, start: 0, end: 2, speaker: 'A', tokens: [1, 2, 3] },
			{ id: 1, start: 3, end: 4, speaker: 'B', tokens: [], text: ' “bye.”' },
		]);
		expect(parts.map(({ text }) => text).join('')).toBe(one.text);
		expect(parts[1]?.words).toEqual([{ word: '“bye.”', start: 3, end: 3.8, speaker: 'B' }]);
	});

	test('without words belongs to the speaker with the most speech in it', () => {
		const two = [segment({ text: ' a', start: 0, end: 3 }), segment({ text: ' b', start: 3, end: 4 })];
		const parts = attributed(two, [turn(0, 1, 0), turn(1, 3, 1), turn(3, 4, 0)], names);
		expect(parts.map(({ id, speaker }) => [id, speaker])).toEqual([
			[0, 'B'],
			[1, 'A'],
		]);
	});

	test('has no speaker where no turn overlaps it', () => {
		expect(attributed([spoken('one 0-1')], [], [])[0]).not.toHaveProperty('speaker');
	});

	test('keeps its text where its words are not in it', () => {
		const odd = segment({
			text: ' 3 o’clock',
			start: 0,
			end: 2,
			words: [
				{ word: 'three', start: 0, end: 1 },
				{ word: 'oclock', start: 1, end: 2 },
			],
		});
		const parts = attributed([odd], [turn(0, 1, 0), turn(1, 2, 1)], names);
		expect(parts.map(({ text }) => text).join('')).toBe(odd.text);
	});

	test('of three hours is given its speakers in no time', () => {
		const turns = Array.from({ length: 6000 }, (_, at) => turn(at * 2, at * 2 + 2, at % 2));
		const many = Array.from({ length: 6000 }, (_, at) => spoken(`one ${at * 2}-${at * 2 + 1}`));
		const parts = attributed(many, turns, names);
		expect(parts.slice(0, 3).map(({ speaker }) => speaker)).toEqual(['A', 'B', 'A']);
		expect(parts).toHaveLength(6000);
	});
});

test('speakers without a name are letters in order, without those that are names', () => {
	const named = (name: string | null) => ({ name });
	expect(speakerNames([null, 'B', null, 'Ann', null].map(named))).toEqual(['A', 'B', 'C', 'Ann', 'D']);
	expect(speakerNames(Array.from({ length: 28 }, () => named(null))).slice(24)).toEqual([
		'Y',
		'Z',
		'AA',
		'AB',
	]);
});
