/** What the word error rates of `npm run accuracy` are counted with. */

import { describe, expect, it } from 'vitest';
import { pairedDifference } from '../accuracy/bootstrap.mjs';
import { configurationsOf, floatsOf, nameOf } from '../accuracy/configurations.mjs';
import { chosenRows } from '../accuracy/recordings.mjs';
import { differenceOf, score } from '../accuracy/score.mjs';
import { accuracyTable, arithmeticTable } from '../accuracy/table.mjs';
import { normaliseEnglish } from '../accuracy/text/normalise.mjs';
import { alignment, errorRate, summed, wordErrors } from '../accuracy/word-errors.mjs';
import { startDifferences, wordTimesLine } from '../accuracy/word-times.mjs';

const words = (text: string) => text.split(' ').filter((word) => word !== '');

describe('text before it is compared', () => {
	// What whisper.normalizers.EnglishTextNormalizer of openai-whisper 20250625 makes of them.
	it.each([
		["Won't you let's go, Mr. Smith?", 'will not you let us go mister smith'],
		["She'd been (coughs) uh, y'all [noise] gone.", 'she had been you all gone'],
		['The colour of the aeroplane', 'the color of the airplane'],
		['It cost twenty million dollars and five cents.', 'it cost $20000000.05'],
		['two thousand and ten', '2010'],
		['nineteen eighty four', '1984'],
		['one oh one', '101'],
		['one hundred and twenty-third street', '123rd street'],
		['double seven five triple oh', '775000'],
		['three point one four', '3.14'],
		['two and a half million', '2500000'],
		['fifty percent of forty per cent', '50% of 40%'],
		['minus five, or plus', '-5 or plus'],
		['the one and only ones', 'the one and only ones'],
		['10,000 in the 1960s', '10000 in the 1960s'],
		['$3.50 is £0.50', '$3.50 is ¢50'],
		['Ærøskøbing naïve café', 'aeroskobing naive cafe'],
		['sixties, fifth, twelfth, sixes', '60s 5th 12th 6s'],
		['', ''],
	])('%j is %j', (text, normal) => {
		expect(normaliseEnglish(text)).toBe(normal);
	});
});

describe('word errors', () => {
	it.each([
		['a b c', 'a b c', 0, 0, 0],
		['a b c', 'a x c', 1, 0, 0],
		['a b c', 'a c', 0, 1, 0],
		['a b c', 'a b b c', 0, 0, 1],
		['a b c', '', 0, 3, 0],
		['', 'a b', 0, 0, 2],
		['the cat sat', 'cat sat down', 0, 1, 1],
	])('from %j to %j', (reference, written, substituted, deleted, inserted) => {
		const errors = wordErrors(words(reference), words(written));
		expect(errors).toEqual({ words: words(reference).length, substituted, deleted, inserted });
	});

	it('are reported word by word, from the end', () => {
		expect([...alignment(words('the cat sat'), words('cat sat down'))]).toEqual([
			{ in: 2 },
			{ of: 2, in: 1 },
			{ of: 1, in: 0 },
			{ of: 0 },
		]);
	});

	it('are a share of the words of all recordings together', () => {
		const all = summed([wordErrors(['a'], ['b']), wordErrors(['a', 'b', 'c'], ['a', 'b', 'c'])]);
		expect(errorRate(all)).toBe(25);
	});
});

describe('the interval of a difference', () => {
	const pairs = Array.from({ length: 100 }, (_, at) => ({ words: 10, errors: at % 3, baseline: at % 3 }));

	it('is nothing where both make the same errors', () => {
		expect(pairedDifference(pairs)).toEqual({ difference: 0, low: 0, high: 0 });
	});

	it('holds the difference, and is the same each time', () => {
		const worse = pairs.map((pair, at) => ({ ...pair, errors: pair.errors + (at % 10 === 0 ? 1 : 0) }));
		const seen = pairedDifference(worse);
		expect(seen.difference).toBe(1);
		expect(seen.low).toBeGreaterThan(0);
		expect(seen.low).toBeLessThan(1);
		// A binomial's 95 %: 10 of 100, 1.96 standard deviations of 3 recordings on either side.
		expect(seen.high).toBeGreaterThan(1.4);
		expect(seen.high).toBeLessThan(1.8);
		expect(pairedDifference(worse)).toEqual(seen);
	});
});

describe('the recordings', () => {
	const row = (path: string, transcript: string, notes = '', language = 'en', kind = 'speech') => ({
		path,
		kind,
		language,
		transcript,
		notes,
	});

	it('are English ones with a transcript that can be trusted, one container of each', () => {
		const chosen = chosenRows([
			row('b/2.wav', 'Two words'),
			row('b/1.wav', 'One word'),
			row('b/2.mp3', 'two words.'),
			row('b/3.wav', 'none'),
			row('b/4.wav', 'Guessed', 'text inferred from the file name'),
			row('b/5.wav', 'Made', 'large-v2 output'),
			row('b/6.wav', 'Deux mots', '', 'fr'),
			row('b/7.wav', 'Long', '', 'en', 'long'),
		]);
		expect(chosen.map(({ path }) => path)).toEqual(['b/1.wav', 'b/2.mp3']);
	});

	it('are at most so many of a folder, from all over it', () => {
		const many = Array.from({ length: 9 }, (_, at) => row(`fsdd/${at}.wav`, 'six'));
		expect(chosenRows(many, 3).map(({ path }) => path)).toEqual(['fsdd/0.wav', 'fsdd/3.wav', 'fsdd/6.wav']);
	});
});

describe('the configurations', () => {
	const auto = { encoder: 'onnx', decoderWeights: 'as-is' };

	it('are of the encoders that are there, each once, the reference first', () => {
		const { usual, configurations } = configurationsOf(['ggml', 'onnx', 'onnx-int8'], auto, false);
		const names = configurations.map(nameOf);
		expect(nameOf(usual)).toBe('onnx as-is auto auto');
		expect(names.slice(0, 2)).toEqual(['ggml as-is full 1', 'onnx as-is auto auto']);
		expect(new Set(names).size).toBe(names.length);
		expect(names.filter((name) => name.startsWith('int'))).toEqual([]);
	});

	it('are judged beside floats of the same context and beam', () => {
		const candidate = { encoder: 'int8', decoderWeights: 'q8_0', audioContext: 'auto', beam: 5 };
		expect(floatsOf(candidate)).toEqual(['onnx as-is auto 5', 'ggml as-is auto 5']);
	});

	it('are all with --all', () => {
		expect(configurationsOf(['ggml', 'onnx'], auto, true).configurations).toHaveLength(2 * 2 * 2 * 3);
	});
});

describe('a score', () => {
	const recordings = [
		{ id: 'a', file: 'a', kind: 'speech', reference: 'Number two.' },
		{ id: 'b', file: 'b', kind: 'speech', reference: 'Hello there' },
		{ id: 'c', file: 'c', kind: 'nonspeech', reference: '' },
	] as const;
	const outcomes = (b: string, c: string) => [
		{ id: 'c', text: c, fellBack: true },
		{ id: 'a', text: 'number 2', fellBack: false, zeroWords: 2, afterEnd: 1 },
		{ id: 'b', text: b, fellBack: false },
	];

	it('counts errors in speech, and text where there is none', () => {
		const seen = score('x', recordings, outcomes('hello where', ' Thank you.'));
		expect(seen.rate).toBeCloseTo(25);
		expect(seen).toMatchObject({ fellBack: 1, zeroWords: 2, afterEnd: 1 });
		expect(seen.fromNothing).toEqual([{ id: 'c', text: ' Thank you.' }]);
	});

	it('wants a result for each recording', () => {
		expect(() => score('x', recordings, outcomes('hello', '').slice(1))).toThrow('x has no result for c');
	});

	it('fits a line of 100 columns', () => {
		const one = score('faster-whisper int8 5 vad', recordings, outcomes('hello there', ''));
		const toFloat = differenceOf(one, score('y', recordings, outcomes('', '')));
		const table = accuracyTable([
			{ score: one, toFloat, toDefault: toFloat, speed: 1, thrift: 1, timed: true },
		]);
		expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
	});
	it('is accepted where the upper end of its interval is under 0.3 points', () => {
		const one = score('int8 as-is auto 1', recordings, outcomes('hello there', ''));
		const verdict = (high: number) => {
			const points = { difference: 0, low: -1, high };
			const row = { score: one, toFloat: points, toDefault: points, speed: 1, thrift: 1, timed: true };
			return arithmeticTable([{ ...row, alone: { to: 'onnx as-is auto auto', points } }]).includes(
				'not under',
			);
		};
		expect([verdict(0.29), verdict(0.3)]).toEqual([false, true]);
	});
});

describe('when words begin', () => {
	const timed = (texts: string, starts: number[]) =>
		words(texts).map((text, at) => ({ text, start: starts[at] ?? Number.NaN }));

	it('is compared for the words that both transcribed', () => {
		const differences = startDifferences(
			timed('The cat, sat.', [0, 0.5, 1]),
			timed('a cat sat down', [0.2, 0.75, 1, 2]),
		);
		expect(differences).toEqual([0, 0.25]);
		expect(wordTimesLine('one', 'other', differences)).toBe(
			'one: 2 words as other heard them begin 0 ms (median), 250 ms (95 %) from where it says',
		);
	});

	it('is not compared without a word in common', () => {
		expect(startDifferences(timed('yes', [0]), timed('no', [0]))).toEqual([]);
		expect(startDifferences([], timed('no', [0]))).toEqual([]);
	});
});
