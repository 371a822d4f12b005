import { describe, expect, test } from 'vitest';
import type { Stretch, Word } from '../../../src/core/speech/transcript.js';
import { wordsInSpeech } from '../../../src/pipeline/words-in-speech.js';

const word = (text: string, start: number, end: number): Word => ({ word: text, start, end });
const stretch = (start: number, end: number): Stretch => ({ start, end });
const timesOf = (words: readonly Word[]) =>
	words.map(({ start, end }) => [Math.round(start * 100) / 100, Math.round(end * 100) / 100]);

describe('A word', () => {
	test('ends with its speech and not with the pause after it', () => {
		const words = [word('new', 2.3, 2.6), word('skirt.', 2.6, 5)];
		expect(timesOf(wordsInSpeech(words, [stretch(0.4, 3), stretch(4.9, 7)]))).toEqual([
			[2.3, 2.6],
			[2.6, 3.1],
		]);
	});

	test('that is the first of a segment begins with the speech before the second one', () => {
		const words = [word('He', 118.7, 126.3), word('made', 126.3, 126.7)];
		expect(timesOf(wordsInSpeech(words, [stretch(118.5, 120), stretch(126, 129)]))).toEqual([
			[125.9, 126.3],
			[126.3, 126.7],
		]);
	});

	test('that has been waited for begins with its speech', () => {
		expect(timesOf(wordsInSpeech([word('Yes.', 1, 4)], [stretch(0, 1.05), stretch(3.3, 4)]))).toEqual([
			[3.2, 4],
		]);
	});

	test.each<[string, Word, Stretch[]]>([
		['in the middle of speech', word('long', 1, 4), [stretch(0, 5)]],
		['of which no speech was detected', word('low', 1, 4), [stretch(5, 6)]],
		['whose last consonant is quiet', word('its', 1, 1.6), [stretch(0, 1.3)]],
		['where speech was not looked for', word('any', 1, 4), []],
	])('%s stays as it is', (_, given, speech) => {
		expect(wordsInSpeech([given], speech)).toEqual([given]);
	});

	test('keeps its order and some length', () => {
		const words = Array.from({ length: 40 }, (_, at) => word(`${at}`, at * 0.7, at * 0.7 + 0.7));
		const speech = Array.from({ length: 12 }, (_, at) => stretch(at * 2.3, at * 2.3 + 0.11 + at * 0.1));
		let last = 0;
		for (const { start, end } of wordsInSpeech(words, speech)) {
			expect(start).toBeGreaterThanOrEqual(last - 1e-9);
			expect(end - start).toBeGreaterThan(0.05);
			last = end;
		}
	});
});
