import { describe, expect, it } from 'vitest';
import { GrowingText } from '../../../../src/core/live/growing-text.js';
import { seeded } from './random.js';

const publishedOf = (guesses: readonly string[]): string[] => {
	const text = new GrowingText();
	return guesses.map((guess) => text.partial(guess));
};

describe('growing text', () => {
	it('emits a word once two hypotheses have it and another word follows', () => {
		expect(publishedOf(['seven', 'seven thr', 'seven three', 'seven three one', 'seven three one'])).toEqual([
			'',
			'seven',
			'',
			' three',
			'',
		]);
	});

	it('emits characters of scripts without spaces one by one', () => {
		expect(publishedOf(['你', '你好', '你好吗', '你好吗 ok'])).toEqual(['', '你', '好', '吗']);
	});

	it('waits for the punctuation after a word', () => {
		expect(publishedOf(['one', 'one two', 'one, two', 'one, two three'])).toEqual(['', 'one', '', ', two']);
		expect(publishedOf(['Well', 'Well, now', 'Well, now then', 'Well, now then'])).toEqual([
			'',
			'',
			'Well, now',
			'',
		]);
	});

	it('says the rest at the end', () => {
		const text = new GrowingText();
		text.partial('seven three');
		text.partial('seven three');
		expect(text.finish('seven three one')).toEqual({ delta: ' three one', revised: false });
		expect(text.published).toBe('seven three one');
	});

	it.each([
		['seven tree', 'seven three one', ' one', 'seven tree one'],
		['seven', '', '', 'seven'],
		['a b c d', 'a c d e', ' e', 'a b c d e'],
		['Hello world', 'hello, world again', ' again', 'Hello world again'],
		['one', 'one two', ' two', 'one two'],
	])('keeps %j when the end is %j', (before, end, delta, whole) => {
		const text = new GrowingText();
		text.settle(before);
		expect(text.finish(end).delta).toBe(delta);
		expect(text.published).toBe(whole);
	});

	it('joins to its end, whatever was guessed', () => {
		for (let seed = 0; seed < 2000; seed++) {
			const random = seeded(seed);
			const words = [' a', ' bc', ' d.', '好', '𝄞', ' 7'];
			const text = new GrowingText();
			let joined = '';
			let guess = '';
			for (let count = random.below(12); count > 0; count--) {
				guess = random.chance(0.7)
					? guess + random.pick(words)
					: guess.slice(0, random.below(guess.length + 1));
				joined += text.partial(guess.trim());
				expect(text.published).toBe(joined);
			}
			joined += text.finish(guess.trim()).delta;
			expect(text.published).toBe(joined);
		}
	});
});
