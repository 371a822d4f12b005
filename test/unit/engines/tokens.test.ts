import { describe, expect, it } from 'vitest';
import type { RawResult } from '../../../binding.js';
import { hasLogprobs, hasTimes, logprobsOf, textOf, wordsOf } from '../../../src/engines/tokens.js';

interface Token {
	readonly bytes: string | readonly number[];
	readonly start?: number;
	readonly end?: number;
	readonly logprob?: number;
}

function raw(tokens: readonly Token[]): RawResult {
	const parts = tokens.map(({ bytes }) =>
		typeof bytes === 'string' ? [...Buffer.from(bytes, 'utf8')] : bytes,
	);
	let end = 0;
	return {
		bytes: Uint8Array.from(parts.flat()),
		tokenEnds: Uint32Array.from(parts.map((part) => (end += part.length))),
		tokenIds: Int32Array.from(tokens.map((_, index) => index)),
		tokenTimes: Float32Array.from(
			tokens.flatMap(({ start, end: stop }) => [start ?? Number.NaN, stop ?? Number.NaN]),
		),
		tokenLogprobs: Float32Array.from(tokens.map(({ logprob }) => logprob ?? Number.NaN)),
		segments: new Float64Array(),
		removedRepetitions: new Float64Array(),
		decodedTokens: 0,
		text: '',
		language: '',
		emotion: '',
		event: '',
	};
}

const all = (result: RawResult) => ({ from: 0, to: result.tokenEnds.length });

describe('words from tokens', () => {
	it('begin at spaces, and punctuation belongs to the word before it', () => {
		const result = raw([
			{ bytes: ' Hel', start: 0, end: 0.1 },
			{ bytes: 'lo', start: 0.1, end: 0.3 },
			{ bytes: ',', start: 0.3, end: 0.3 },
			{ bytes: ' world', start: 0.5, end: 0.9 },
			{ bytes: '.', start: 0.9, end: 1 },
		]);
		expect(wordsOf(result, all(result), 2)).toEqual([
			{ word: 'Hello,', start: 0, end: expect.closeTo(0.3) },
			{ word: 'world.', start: 0.5, end: 1 },
		]);
	});

	it('never split a character whose bytes are spread over tokens', () => {
		const result = raw([
			{ bytes: [0xe4, 0xbd], start: 0.2, end: 0.3 },
			{ bytes: [0xa0], start: 0.3, end: 0.4 },
			{ bytes: '好', start: 0.6, end: 0.7 },
		]);
		expect(
			wordsOf(result, all(result), 2).map(({ word, start }) => [word, Number(start.toFixed(1))]),
		).toEqual([
			['你', 0.2],
			['好', 0.6],
		]);
		expect(textOf(result, all(result))).toBe('你好');
	});

	it('turn bytes that are no text into the replacement character rather than failing', () => {
		const result = raw([
			{ bytes: [0xff], start: 0, end: 0.1 },
			{ bytes: ' a', start: 0.1, end: 0.2 },
			{ bytes: [0xe4], start: 0.3, end: 0.4 },
		]);
		expect(wordsOf(result, all(result), 2).map(({ word }) => word)).toEqual(['\u{FFFD}', 'a\u{FFFD}']);
	});

	it('end where the next token starts, but not after a pause, when the model gives only starts', () => {
		const result = raw([
			{ bytes: ' one', start: 0 },
			{ bytes: ' two', start: 0.25 },
			{ bytes: ' three', start: 5 },
		]);
		expect(wordsOf(result, all(result), 5.2).map(({ end }) => Number(end.toFixed(2)))).toEqual([
			0.25, 0.65, 5.2,
		]);
	});

	it('never end after the clip, nor start before the word before', () => {
		const result = raw([
			{ bytes: ' a', start: 1, end: 9 },
			{ bytes: ' b', start: 0.5, end: 0.6 },
		]);
		const words = wordsOf(result, all(result), 2);
		expect(words[0]?.end).toBe(2);
		expect(words[1]?.start).toBeGreaterThanOrEqual(1);
		expect(words[1]?.end).toBeGreaterThanOrEqual(words[1]?.start ?? 0);
	});

	it('have the geometric mean of their tokens as probability, and none where none is known', () => {
		const result = raw([
			{ bytes: ' a', start: 0, end: 1, logprob: Math.log(0.5) },
			{ bytes: 'b', start: 1, end: 1, logprob: Math.log(0.125) },
		]);
		expect(wordsOf(result, all(result), 2)[0]?.probability).toBeCloseTo(0.25);
		expect(wordsOf(raw([{ bytes: ' a', start: 0 }]), { from: 0, to: 1 }, 2)[0]).not.toHaveProperty(
			'probability',
		);
	});

	it('know times and log-probabilities only where every token has them', () => {
		const result = raw([{ bytes: 'a', start: 0, logprob: -1 }, { bytes: 'b' }]);
		expect([hasTimes(result, all(result)), hasLogprobs(result, all(result))]).toEqual([false, false]);
		expect(hasTimes(result, { from: 0, to: 1 })).toBe(true);
		expect(logprobsOf(result, { from: 0, to: 1 })).toEqual([{ token: 'a', logprob: -1, bytes: [97] }]);
	});
});
