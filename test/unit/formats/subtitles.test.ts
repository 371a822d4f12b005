import { describe, expect, test } from 'vitest';
import type { Segment, Transcript, Word } from '../../../src/core/speech/transcript.js';
import { type RenderOptions, render } from '../../../src/formats/formats.js';
import { cheapestParts } from '../../../src/formats/subtitles/partition.js';
import { timedWords } from '../../../src/formats/subtitles/timed-words.js';
import { widthOf } from '../../../src/formats/subtitles/width.js';
import { segment, transcript } from '../../helpers/transcripts.js';

interface ShownCue {
	/** Seconds. */
	readonly start: number;
	readonly end: number;
	readonly lines: readonly string[];
}

function secondsOf(time: string): number {
	const [hours = 0, minutes = 0, seconds = 0] = time.replace(',', '.').split(':').map(Number);
	return hours * 3600 + minutes * 60 + seconds;
}

function cuesOf(of: Transcript, options: RenderOptions): ShownCue[] {
	const cues = render(of, 'srt', options).split('\n\n').slice(0, -1);
	return cues.map((cue) => {
		const [, times = '', ...lines] = cue.split('\n');
		const [start = '', end = ''] = times.split(' --> ');
		return { start: secondsOf(start), end: secondsOf(end), lines };
	});
}

const linesOf = (of: Transcript, options: RenderOptions) => cuesOf(of, options).map(({ lines }) => lines);

/** A segment whose words follow each other without a pause, each as long as it is wide, at this many characters a second. */
function spoken(text: string, start = 0, charactersPerSecond = 10): Segment {
	let time = start;
	const words = text
		.trim()
		.split(' ')
		.map((word): Word => {
			const begin = time;
			time += (word.length + 1) / charactersPerSecond;
			return { word, start: begin, end: time };
		});
	return segment({ text: ` ${text.trim()}`, start, end: time, words });
}

describe('max_line_width', () => {
	const art = spoken(
		'The invention of movable metal letters in the middle of the century may be justly considered',
	);

	test('alone breaks the lines of a segment, which stays one cue', () => {
		expect(linesOf(transcript([art, spoken('Yes.', art.end)]), { maxLineWidth: 42 })).toEqual([
			['The invention of movable metal', 'letters in the middle of the century', 'may be justly considered'],
			['Yes.'],
		]);
	});

	test('leaves a longer word whole, in a line of its own', () => {
		const long = transcript([spoken('It is a Donaudampfschifffahrtsgesellschaft now')]);
		expect(linesOf(long, { maxLineWidth: 10 })).toEqual([
			['It is a', 'Donaudampfschifffahrtsgesellschaft', 'now'],
		]);
	});

	test('counts two columns for an East Asian wide character and none for a combining mark', () => {
		expect(['a', '字', 'ｱ', '한', '。', 'Ａ', 'e\u0301', '🙂', '\u200b', 'ไม่'].map(widthOf)).toEqual([
			1, 2, 1, 2, 2, 2, 1, 2, 0, 2,
		]);
	});
});

describe('max_line_count', () => {
	test('bounds the lines of a cue, which may hold words of several segments', () => {
		const talk = transcript([
			spoken('One two three.'),
			spoken('Four five six. Seven', 1.5),
			spoken('eight.', 4),
		]);
		expect(linesOf(talk, { maxLineWidth: 15, maxLineCount: 2 })).toEqual([
			['One two three.'],
			['Four five six.', 'Seven eight.'],
		]);
	});

	test('does not bring together what a pause or a change of speaker keeps apart', () => {
		const talk = transcript([
			spoken('Yes.'),
			spoken('No.', 2.1),
			{ ...spoken('Why?', 2.6), speaker: 'Ann' },
			{ ...spoken('So.', 3.2), speaker: 'Ann' },
		]);
		expect(linesOf(talk, { maxLineWidth: 40, maxLineCount: 2 })).toEqual([
			['Yes.'],
			['No.'],
			['[Ann] Why? So.'],
		]);
	});

	test('keeps what one says while another speaks in the order of time', () => {
		const talk = transcript([
			{ ...spoken('one two three four five six'), speaker: 'Ann' },
			{ ...spoken('Mhm.', 1.5), speaker: 'Bob' },
			{ ...spoken('seven eight', 3), speaker: 'Ann' },
		]);
		expect(cuesOf(talk, { maxLineWidth: 19, maxLineCount: 1 })).toMatchObject([
			{ start: 0, lines: ['[Ann] one two three'] },
			{ start: 1.4, lines: ['[Ann] four five six'] },
			{ start: 1.5, lines: ['[Bob] Mhm.'] },
			{ start: 3, lines: ['[Ann] seven eight'] },
		]);
	});

	test('makes room for the name of a speaker in srt, which vtt does not show as text', () => {
		const talk = transcript([{ ...spoken('one two three four'), speaker: 'Ann' }]);
		expect(linesOf(talk, { maxLineWidth: 14, maxLineCount: 2 })).toEqual([['[Ann] one two', 'three four']]);
		expect(render(talk, 'vtt', { maxLineWidth: 18, maxLineCount: 1 })).toContain(
			'<v Ann>one two three four\n',
		);
	});
});

describe('max_words_per_line', () => {
	const count = transcript([spoken('one two three four five six seven')]);

	test('alone makes a cue of each line', () => {
		expect(linesOf(count, { maxWordsPerLine: 3 }).map(([line = '']) => line.split(' ').length)).toEqual([
			2, 2, 3,
		]);
		expect(linesOf(count, { maxWordsPerLine: 1 })).toHaveLength(7);
	});

	test('goes with the other bounds', () => {
		expect(linesOf(count, { maxWordsPerLine: 2, maxLineCount: 4, maxLineWidth: 100 })).toEqual([
			['one two', 'three', 'four five', 'six seven'],
		]);
	});
});

describe('lines and cues end', () => {
	const cut = (text: string, given: Partial<Transcript> = {}) =>
		linesOf(transcript([spoken(text)], given), { maxLineWidth: 40, maxLineCount: 1 });

	test('at punctuation rather than in the middle', () => {
		expect(cut('When the rain stops, we shall all go out to the garden')).toEqual([
			['When the rain stops,'],
			['we shall all go out to the garden'],
		]);
	});

	test('at the end of a sentence, and not after a title or an initial', () => {
		expect(cut('He is gone. Later we asked Mr. Hale about J. Smith')).toEqual([
			['He is gone.'],
			['Later we asked Mr. Hale about J. Smith'],
		]);
	});

	test('before a conjunction where there is no punctuation, in the language of the transcript', () => {
		expect(cut('we walked along the quiet river and then home again')).toEqual([
			['we walked along the quiet river'],
			['and then home again'],
		]);
		expect(cut('wir gingen heute am ruhigen Fluss weil es so warm war', { language: 'de' })).toEqual([
			['wir gingen heute am ruhigen Fluss'],
			['weil es so warm war'],
		]);
	});

	test('not after an article or a conjunction', () => {
		expect(cut('one of them stayed here and because it rained we left home')).toEqual([
			['one of them stayed here'],
			['and because it rained we left home'],
		]);
		expect(cut('this could be nothing more than the trace of old times')).toEqual([
			['this could be nothing more'],
			['than the trace of old times'],
		]);
	});

	test('where the speaker pauses', () => {
		const words = 'one two three four five six seven eight nine'.split(' ');
		const halting = segment({
			text: ` ${words.join(' ')}`,
			end: 10,
			words: words.map((word, index) => ({
				word,
				start: index + (index > 3 ? 0.8 : 0),
				end: index + 1 + (index > 3 ? 0.8 : 0),
			})),
		});
		expect(linesOf(transcript([halting]), { maxLineWidth: 30, maxLineCount: 1 })).toEqual([
			['one two three four'],
			['five six seven eight nine'],
		]);
	});

	test('in lines of about equal length where nothing else matters', () => {
		const even = transcript([spoken('alpha bravo charlie delta echo foxtrot golf hotel')]);
		expect(linesOf(even, { maxLineWidth: 42, maxLineCount: 2 })).toEqual([
			['alpha bravo charlie delta', 'echo foxtrot golf hotel'],
		]);
	});
});

describe('scripts without spaces', () => {
	test.each([
		['zh', '今天天气很好，我们去公园散步吧。明天可能会下雨。'],
		['ja', '私は昨日、友達と一緒に東京へ行きました。とても楽しかったです。'],
		['th', 'วันนี้อากาศดีมากเราไปเดินเล่นที่สวนสาธารณะกันเถอะ'],
	])('%s is cut within the width, and no line begins with a punctuation mark', (language, text) => {
		const lines = linesOf(transcript([segment({ text, end: 9 })], { language }), {
			maxLineWidth: 16,
			maxLineCount: 2,
		}).flat();
		expect(lines.join('')).toBe(text);
		expect(lines.length).toBeGreaterThan(2);
		expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(16);
		expect(lines.filter((line) => /^\p{P}/u.test(line))).toEqual([]);
	});

	test('a word wider than a line is cut into characters', () => {
		const narrow = transcript([segment({ text: '図書館。', end: 2 })]);
		expect(linesOf(narrow, { maxLineWidth: 4 })).toEqual([['図書', '館。']]);
	});

	test('opening brackets stay with what they open', () => {
		expect(timedWords([segment({ text: '他说「明天见」吧' })], 80).map(({ text }) => text)).toEqual([
			'他',
			'说',
			'「明天',
			'见」',
			'吧',
		]);
	});
});

describe('times', () => {
	test('come from the words', () => {
		const words = [
			{ word: 'one', start: 1, end: 1.4 },
			{ word: 'two', start: 3, end: 3.5 },
		];
		const talk = transcript([segment({ text: ' one two', start: 0.5, end: 4, words })]);
		expect(cuesOf(talk, { maxWordsPerLine: 1 })).toEqual([
			{ start: 1, end: 1.4, lines: ['one'] },
			{ start: 3, end: 3.5, lines: ['two'] },
		]);
	});

	test('of simultaneous speakers are cues of each', () => {
		const [one, two] = ['one', 'two'].map((word, index) => ({ word, start: 1 + index, end: 4 }));
		const talk = transcript([
			segment({ text: ' one', start: 1, end: 4, words: one ? [one] : [], channel: 0 }),
			segment({ text: ' two', start: 2, end: 4, words: two ? [two] : [], channel: 1 }),
		]);
		expect(cuesOf(talk, { maxWordsPerLine: 1 }).map(({ start, end }) => [start, end])).toEqual([
			[1, 4],
			[2, 4],
		]);
		const marked = cuesOf(talk, { highlightWords: true }).map(({ start, end }) => [start, end]);
		expect(marked).toEqual([
			[1, 4],
			[2, 4],
		]);
	});

	test('without words are in proportion to the characters', () => {
		const talk = transcript([segment({ text: 'abcd efghi', start: 10, end: 20 })]);
		expect(cuesOf(talk, { maxWordsPerLine: 1 })).toEqual([
			{ start: 10, end: 14, lines: ['abcd'] },
			{ start: 15, end: 20, lines: ['efghi'] },
		]);
	});

	test('of words of no length, which were not found, are in proportion, too', () => {
		const words = ['one', 'two', 'six'].map((word) => ({ word, start: 9, end: 9 }));
		const talk = transcript([segment({ text: 'one two six', start: 0, end: 5.5, words })], { duration: 9 });
		expect(cuesOf(talk, { maxWordsPerLine: 1 }).map(({ start }) => start)).toEqual([0, 2, 4]);
	});

	test('never go back where those of the words do', () => {
		const words = [
			{ word: 'one', start: 2, end: 3 },
			{ word: 'two', start: 1, end: 1.5 },
			{ word: 'six', start: 2.5, end: 4 },
		];
		const times = timedWords([segment({ text: 'one two six', start: 1, end: 4, words })], 80);
		expect(times.map(({ start, end }) => [start, end])).toEqual([
			[2, 2],
			[2, 2],
			[2.5, 4],
		]);
	});

	test('of words that the text spells differently are in proportion between the others', () => {
		const words = [
			{ word: 'nothing-like-it', start: 0, end: 1 },
			{ word: 'two', start: 8, end: 9 },
		];
		const talk = transcript([segment({ text: ' uno two', start: 0, end: 9, words })]);
		expect(cuesOf(talk, { maxWordsPerLine: 1 })[1]).toEqual({ start: 8, end: 9, lines: ['two'] });
	});
});

describe('broadcast', () => {
	const broadcast = { subtitles: 'broadcast' } as const;

	test('shows a short cue for five sixths of a second, and no longer than the recording', () => {
		expect(cuesOf(transcript([spoken('Oh!', 1, 40)], { duration: 9 }), broadcast)).toEqual([
			{ start: 1, end: 1.833, lines: ['Oh!'] },
		]);
		expect(cuesOf(transcript([spoken('Oh!', 1, 40)], { duration: 1.5 }), broadcast)).toEqual([
			{ start: 1, end: 1.5, lines: ['Oh!'] },
		]);
	});

	test('shows what was said fast for as long as it takes to read', () => {
		const [cue] = cuesOf(transcript([spoken('x'.repeat(40), 0, 80)], { duration: 9 }), broadcast);
		expect(cue?.end).toBe(2);
	});

	test('ends a cue before 7 s have been spoken', () => {
		const slow = transcript([spoken('one two three four five six seven eight nine ten', 0, 4)]);
		const cues = cuesOf(slow, broadcast);
		expect(cues.map(({ lines }) => lines)).toEqual([
			['one two three four five'],
			['six seven eight nine ten'],
		]);
		expect(cues.at(-1)?.end).toBe(slow.duration);
	});

	test('leaves a twelfth of a second between cues and closes short pauses', () => {
		const talk = transcript([spoken('First of all this.'), spoken('x'.repeat(40), 2.3), spoken('Then.', 12)]);
		expect(cuesOf(talk, { ...broadcast, maxLineCount: 1 }).map(({ start, end }) => [start, end])).toEqual([
			[0, 2.217],
			[2.3, 6.4],
			[12, 12.833].map((time) => Math.min(time, talk.duration)),
		]);
	});

	test('begins what is spoken too fast to read up to a quarter of a second early, where the cue before leaves the time', () => {
		const fast = spoken('x'.repeat(40), 5, 21);
		const faster = spoken('x'.repeat(40), 5, 40);
		const around = (first: Segment, second: Segment) =>
			cuesOf(transcript([first, second, spoken('Then.', second.end)]), { ...broadcast, maxLineCount: 1 });
		const readable = around(spoken('First of all this.', 3), fast);
		const begin = fast.end - 2 / 24 - 40 / 20;
		expect(readable[1]?.start).toBeCloseTo(begin, 2);
		expect(readable[0]?.end).toBeCloseTo(begin - 2 / 24, 2);
		expect(around(spoken('First of all this.', 3), faster)[1]?.start).toBe(4.75);
		expect(around(spoken('y'.repeat(40), 3, 20.5), fast)[1]?.start).toBe(5);
	});

	test('shows an interrupted speaker for as long as they speak, beside the one who interrupts', () => {
		const talk = transcript([
			{ ...spoken('I was saying that it is so.', 0, 5), channel: 0 },
			{ ...spoken('Yes.', 2), channel: 1 },
			{ ...spoken('No.', 5), channel: 1 },
		]);
		const cues = cuesOf(talk, broadcast).map(({ start, end, lines }) => [start, end, ...lines]);
		expect(cues).toEqual([
			[0, 5.4, '[Channel 0] I was saying that it is so.'],
			[2, 2.833, '[Channel 1] Yes.'],
			[5, 5.4, '[Channel 1] No.'],
		]);
	});

	test('can be changed in part', () => {
		const talk = transcript([spoken('one two three four five six seven eight nine ten eleven twelve')]);
		const lines = linesOf(talk, { ...broadcast, maxLineWidth: 20 }).flat();
		expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(20);
	});
});

describe('highlight_words', () => {
	const words = [
		{ word: 'a', start: 1, end: 1.5 },
		{ word: '<b>', start: 2, end: 2.5 },
	];
	const talk = transcript([segment({ text: ' a <b>', start: 1, end: 3, words })]);

	test('has a cue for each word, in which it is underlined, and plain ones between', () => {
		expect(render(talk, 'vtt', { highlightWords: true })).toBe(
			[
				'WEBVTT',
				'',
				'00:00:01.000 --> 00:00:01.500',
				'<u>a</u> &lt;b&gt;',
				'',
				'00:00:01.500 --> 00:00:02.000',
				'a &lt;b&gt;',
				'',
				'00:00:02.000 --> 00:00:02.500',
				'a <u>&lt;b&gt;</u>',
				'',
				'',
			].join('\n'),
		);
		expect(linesOf(talk, { highlightWords: true })).toEqual([['<u>a</u> <b>'], ['a <b>'], ['a <u><b></u>']]);
	});

	test('goes with the bounds of lines and cues', () => {
		expect(linesOf(talk, { highlightWords: true, maxWordsPerLine: 1, maxLineCount: 2 })[0]).toEqual([
			'<u>a</u>',
			'<b>',
		]);
	});

	test('underlines no word without times', () => {
		const half = transcript([...talk.segments, segment({ text: ' none', start: 3, end: 4 })]);
		expect(linesOf(half, { highlightWords: true }).at(-1)).toEqual(['none']);
	});
});

describe('refused, naming the option:', () => {
	const talk = transcript([segment({ text: ' one two' })]);
	test.each<[RenderOptions, 'srt' | 'json' | 'tsv', string, string]>([
		[
			{ maxLineWidth: 0 },
			'srt',
			'maxLineWidth',
			'Expected `maxLineWidth` to be a whole number from 1 to 1000, got `0`',
		],
		[{ maxLineCount: 1.5 }, 'srt', 'maxLineCount', 'a whole number from 1 to 100, got `1.5`'],
		[{ maxWordsPerLine: Number.NaN }, 'srt', 'maxWordsPerLine', 'a whole number from 1 to 1000'],
		[{ subtitles: 'cinema' as 'broadcast' }, 'srt', 'subtitles', 'to be `broadcast`, got `cinema`'],
		[{ highlightWords: 1 as unknown as true }, 'srt', 'highlightWords', 'to be `true` or `false`, got `1`'],
		[{ maxLineCount: 2 }, 'srt', 'maxLineCount', 'needs `maxLineWidth`, `maxWordsPerLine` or `subtitles`'],
		[{ highlightWords: true }, 'json', 'highlightWords', 'needs `format` to be `srt` or `vtt`, got `json`'],
		[{ subtitles: 'broadcast' }, 'tsv', 'subtitles', 'needs `format` to be `srt` or `vtt`, got `tsv`'],
		[{ highlightWords: true }, 'srt', 'highlightWords', 'needs a transcript made with `words: true`'],
	])('%j as %s', (options, format, param, message) => {
		expect(() => render(talk, format, options)).toThrow(
			expect.objectContaining({ param, message: expect.stringContaining(message) }),
		);
	});

	test('nothing that says nothing', () => {
		expect(render(talk, 'json', { highlightWords: false })).toBe(render(talk, 'json'));
		expect(render(talk, 'srt', { highlightWords: false })).toBe(render(talk, 'srt'));
	});
});

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

const vocabulary = [
	...[
		'a',
		'the',
		'and',
		'but',
		'we',
		'went',
		'home,',
		'now.',
		'Why?',
		'Mr.',
		'incomprehensibilities',
		'"So',
		'is"',
	],
	...[
		'今天天气很好，',
		'私は東京へ。',
		'สวัสดีครับ',
		'한국어',
		'🙂',
		'(x)',
		'-->',
		'<i>',
		'&',
		'e\u0301te\u0301',
		'—',
	],
];

/** A transcript as models make them at their worst: pauses, words of no length, out of order or beyond their segment. */
function randomTranscript(random: () => number): Transcript {
	const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
	let time = 0;
	const segments = Array.from({ length: 1 + Math.floor(random() * 6) }, () => {
		const start = time;
		const said = Array.from({ length: Math.floor(random() * 30) }, () => pick(vocabulary));
		const words = said.map((word): Word => {
			const begin = time + (random() < 0.1 ? random() * 4 : 0) - (random() < 0.05 ? random() : 0);
			time = Math.max(begin, 0) + (random() < 0.1 ? 0 : random() * 0.8);
			return { word, start: Math.max(begin, 0), end: time };
		});
		const hasWords = random() < 0.7;
		const text = said.map((word) => (random() < 0.9 ? ' ' : '') + word).join('');
		return segment({ text, start, end: time, ...(hasWords && { words }) });
	});
	const speakers = random() < 0.3 ? ['Ann', 'Bob', undefined] : [undefined];
	return transcript(
		segments.map((each) => {
			const speaker = pick(speakers);
			return speaker === undefined ? each : { ...each, speaker };
		}),
		{
			duration: Math.max(time + (random() < 0.8 ? random() : -random()), 1),
			language: pick(['en', 'de', 'zh', null]),
		},
	);
}

const sorted = (text: string): string => [...text].sort().join('');
const withoutSpace = (text: string): string => text.replaceAll(/\s/gu, '');

describe('whatever the transcript', () => {
	const seeds = Array.from({ length: 300 }, (_, seed) => seed);
	const nameless = (line: string): string => line.replace(/^\[(Ann|Bob)\] /, '');
	const optionsOf = (random: () => number): RenderOptions => ({
		...(random() < 0.5 && { subtitles: 'broadcast' as const }),
		maxLineWidth: 1 + Math.floor(random() * 60),
		...(random() < 0.5 && { maxLineCount: 1 + Math.floor(random() * 3) }),
		...(random() < 0.3 && { maxWordsPerLine: 1 + Math.floor(random() * 6) }),
	});

	const speakerOf = ({ lines: [first = ''] }: ShownCue) => /^\[(Ann|Bob)\] /.exec(first)?.[1];

	/** In order, those of one speaker apart, none empty, and inside the recording. */
	function expectOrder(cues: readonly ShownCue[], duration: number, about: string): void {
		const shownUntil = new Map<string | undefined, number>();
		let last = 0;
		for (const cue of cues) {
			const speaker = speakerOf(cue);
			expect(cue.start, about).toBeGreaterThanOrEqual(last);
			expect(cue.start, about).toBeGreaterThanOrEqual(shownUntil.get(speaker) ?? 0);
			expect(cue.end, about).toBeGreaterThan(cue.start);
			expect(cue.end, about).toBeLessThanOrEqual(Math.round(duration * 1000) / 1000);
			shownUntil.set(speaker, cue.end);
			last = cue.start;
		}
	}

	test('every word is shown once, in order, in lines and cues within their bounds', () => {
		for (const seed of seeds) {
			const about = `seed ${seed}`;
			const random = randomNumbers(seed);
			const talk = randomTranscript(random);
			const options = optionsOf(random);
			const cues = cuesOf(talk, options);
			expectOrder(cues, talk.duration, about);
			const said = cues.map(({ lines: [first = '', ...rest] }) => [nameless(first), ...rest].join(''));
			const expected = withoutSpace(talk.text).replaceAll('-->', '->');
			const shown = withoutSpace(said.join(''));
			// What several say may be shown in another order, if they speak at once.
			const isOne = new Set(talk.segments.map(({ speaker }) => speaker)).size <= 1;
			expect(isOne ? shown : sorted(shown), about).toBe(isOne ? expected : sorted(expected));
			const maxLines = options.maxLineCount ?? (options.subtitles && 2) ?? (options.maxWordsPerLine && 1);
			for (const { lines } of cues) {
				expect(lines.length, about).toBeLessThanOrEqual(maxLines ?? 1e9);
				for (const [index, line] of lines.entries()) {
					const text = index === 0 ? nameless(line) : line;
					const words = timedWords([segment({ text })], 1e9).length;
					expect(words, about).toBeLessThanOrEqual(options.maxWordsPerLine ?? 1e9);
					if (words > 1) expect(widthOf(line), about).toBeLessThanOrEqual(options.maxLineWidth ?? 0);
				}
			}
		}
	});

	test('broadcast cues are shown long enough to be read where the next one leaves the time, and 7 s at most', () => {
		const rounding = 0.0021;
		for (const seed of seeds) {
			const about = `seed ${seed}`;
			const talk = randomTranscript(randomNumbers(seed));
			const cues = cuesOf(talk, { subtitles: 'broadcast' });
			expectOrder(cues, talk.duration, about);
			for (const [index, cue] of cues.entries()) {
				const {
					start,
					end,
					lines: [first = '', ...rest],
				} = cue;
				const next = cues[index + 1];
				expect(end - start, about).toBeLessThanOrEqual(7 + rounding);
				// Who is interrupted is shown as long as they speak.
				if (next !== undefined && speakerOf(next) !== speakerOf(cue) && end > next.start - 2 / 24) continue;
				const columns = [nameless(first), ...rest].reduce((sum, line) => sum + widthOf(line), 0);
				const needed = Math.min(Math.max(20 / 24, columns / 20), 7);
				const gap = next === undefined ? 0 : Math.min(2 / 24, (next.start - start) / 2);
				const latest = (next?.start ?? talk.duration) - gap;
				expect(end, about).toBeLessThanOrEqual(latest + rounding);
				expect(end, about).toBeGreaterThanOrEqual(Math.min(start + needed, latest) - rounding);
			}
		}
	});

	test('highlighted words are cues of the same order', () => {
		for (const seed of seeds) {
			const talk = randomTranscript(randomNumbers(seed));
			if (!talk.segments.some(({ words = [] }) => words.length > 0)) continue;
			const cues = cuesOf(talk, { subtitles: 'broadcast', highlightWords: true });
			expectOrder(cues, talk.duration, `seed ${seed}`);
		}
	});
});

describe('the cheapest parts', () => {
	test('are those that cost least of all, as trying every way shows', () => {
		const random = randomNumbers(1);
		for (let round = 0; round < 50; round++) {
			const count = 1 + Math.floor(random() * 9);
			const costs = Array.from({ length: count }, () => Array.from({ length: count + 1 }, random));
			const reach = 1 + Math.floor(random() * 4);
			const cost = (from: number, to: number): number => costs[from]?.[to] ?? 0;
			const best = (from: number): number =>
				from === count
					? 0
					: Math.min(
							...Array.from({ length: Math.min(reach, count - from) }, (_, more) => {
								const to = from + more + 1;
								return cost(from, to) + best(to);
							}),
						);
			const ends = cheapestParts(count, (from) => from + reach, cost);
			const sum = ends.reduce((total, to, index) => total + cost(ends[index - 1] ?? 0, to), 0);
			expect(sum).toBeCloseTo(best(0), 9);
		}
	});

	test('of nothing are none', () => {
		expect(
			cheapestParts(
				0,
				() => 1,
				() => 0,
			),
		).toEqual([]);
	});
});
