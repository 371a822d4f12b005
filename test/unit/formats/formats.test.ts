import { describe, expect, test } from 'vitest';
import { languageCandidates, languageCodes, languageName } from '../../../src/core/languages.js';
import type { Segment, Transcript } from '../../../src/core/speech/transcript.js';
import {
	type FormatName,
	formatNames,
	formats,
	type RenderOptions,
	render,
} from '../../../src/formats/formats.js';
import type { Include } from '../../../src/formats/include.js';
import { frame, StreamEvents } from '../../../src/formats/stream-events.js';
import { beach, segment, transcript } from '../../helpers/transcripts.js';

const plain: Include = { words: false, segments: true, logprobs: false };
const silence = transcript([], { language: null, duration: 2 });

function rendered(format: 'json' | 'verbose_json', of: Transcript, include: Partial<Include> = {}): unknown {
	return JSON.parse(formats[format].render(of, { ...plain, ...include }));
}

describe('render', () => {
	test.each(formatNames.filter((name) => name !== 'diarized_json'))(
		'gives %s as the server sends it, with segments and without words',
		(format) => {
			expect(render(beach, format)).toBe(formats[format].render(beach, plain));
		},
	);

	test('has words on request', () => {
		const all = { words: true, segments: true, logprobs: true };
		expect(render(beach, 'verbose_json', { words: true })).toBe(formats.verbose_json.render(beach, all));
	});

	test.each<[string, unknown, unknown, string]>([
		['a transcript', null, {}, 'transcript'],
		['a transcript', { text: 'a' }, {}, 'transcript'],
		['a transcript', { ...beach, segments: [null] }, {}, 'transcript'],
		['a transcript', { ...beach, segments: [{ start: Number.NaN, end: 1, text: 'a' }] }, {}, 'transcript'],
		['an object', beach, null, 'options'],
		[
			'to have no options but words, segments, logprobs, subtitles',
			beach,
			{ maxLineWith: 42 },
			'maxLineWith',
		],
	])('refuses what is not %s', (what, of, options, param) => {
		let refusal: unknown;
		try {
			render(of as Transcript, 'srt', options as RenderOptions);
		} catch (thrown) {
			refusal = thrown;
		}
		expect(refusal).toMatchObject({ code: 'invalid_request', param, message: expect.stringContaining(what) });
	});

	test('refuses a format that there is not, with those that there are', () => {
		expect(() => render(beach, 'toString' as FormatName)).toThrow(
			'Expected `format` to be one of json, text, srt, vtt, tsv, lrc, verbose_json, diarized_json, markdown, got `toString`',
		);
	});
});

describe('json', () => {
	test('is the text, the language and what was billed', () => {
		expect(rendered('json', beach)).toEqual({
			text: 'The beach was a popular spot. People swam & played.',
			languages: [{ code: 'en' }],
			usage: { type: 'duration', seconds: 9 },
		});
	});

	test('carries log-probabilities only on request', () => {
		expect(rendered('json', beach, { logprobs: true })).toMatchObject({
			logprobs: [
				{ token: ' The', logprob: -0.1, bytes: [32, 84, 104, 101] },
				{ token: ' People', logprob: -0.2, bytes: [32] },
			],
		});
	});

	test('of silence is an empty text', () => {
		const empty = { text: '', languages: [], usage: { type: 'duration', seconds: 2 } };
		expect(rendered('json', silence)).toEqual(empty);
		expect(rendered('json', { ...silence, language: 'en' })).toEqual(empty);
	});
});

test('text ends with a line end, as a text does', () => {
	expect(formats.text.render(beach, plain)).toBe('The beach was a popular spot. People swam & played.\n');
});

describe('verbose_json', () => {
	test('has all ten fields of every segment, times to the millisecond', () => {
		expect(rendered('verbose_json', beach)).toEqual({
			task: 'transcribe',
			language: 'english',
			duration: 8.47,
			text: 'The beach was a popular spot. People swam & played.',
			segments: [
				{
					id: 0,
					seek: 0,
					start: 0,
					end: 3.32,
					text: ' The beach was a popular spot.',
					tokens: [50_364, 440, 7534],
					temperature: 0,
					avg_logprob: -0.286093,
					compression_ratio: 1.235294,
					no_speech_prob: 0.008985,
				},
				{
					id: 1,
					seek: 0,
					start: 3.32,
					end: 8.47,
					text: ' People swam & played.',
					tokens: [3432],
					temperature: 0.2,
					avg_logprob: -0.5,
					compression_ratio: 1,
					no_speech_prob: 0,
				},
			],
			usage: { type: 'duration', seconds: 9 },
		});
	});

	test('with words alone has words at the top and no segments', () => {
		const body = rendered('verbose_json', beach, { words: true, segments: false });
		expect(body).toMatchObject({
			words: [
				{ word: 'The', start: 0, end: 0.24 },
				{ word: 'beach', start: 0.24, end: 0.56 },
				{ word: 'People', start: 3.32, end: 3.8 },
			],
		});
		expect(body).not.toHaveProperty('segments');
	});

	test('with words and segments has both, and the words are not inside the segments', () => {
		const body = rendered('verbose_json', beach, { words: true }) as { segments: object[] };
		expect(body).toHaveProperty('words');
		expect(body.segments[0]).not.toHaveProperty('words');
	});

	test('names the numbers that the model does not compute', () => {
		const body = rendered('verbose_json', transcript([segment({ text: 'hello' })], { language: null }));
		expect(body).toMatchObject({
			language: 'unknown',
			segments: [{ tokens: [], avg_logprob: 0, no_speech_prob: 0 }],
			not_computed: ['language', 'tokens', 'avg_logprob', 'no_speech_prob'],
		});
	});

	test('names no field that it does not show', () => {
		const body = rendered('verbose_json', transcript([segment({ text: 'hello' })]), { segments: false });
		expect(body).not.toHaveProperty('not_computed');
		expect(body).not.toHaveProperty('warnings');
	});

	test('of a translation is in english', () => {
		const body = rendered('verbose_json', transcript([], { task: 'translate', language: 'de' }));
		expect(body).toMatchObject({ task: 'translate', language: 'english' });
	});

	test('includes SenseVoice’s emotion and event', () => {
		const body = rendered(
			'verbose_json',
			transcript([segment({ text: 'ha', emotion: 'HAPPY', event: 'Laughter', speaker: 'A' })]),
		);
		expect(body).toMatchObject({ segments: [{ emotion: 'HAPPY', event: 'Laughter', speaker: 'A' }] });
	});
});

describe('subtitles', () => {
	const film = transcript([
		segment({ text: ' Hello,\n\nworld. ', start: 0.5, end: 2.25 }),
		segment({ text: '  ', start: 2.25, end: 3 }),
		segment({ text: ' a --> b <i> & c', start: 3661.007, end: 3661.5, speaker: 'Ann' }),
	]);

	test('srt counts its cues, leaves out empty ones and keeps blank lines out of them', () => {
		expect(formats.srt.render(film, plain)).toBe(
			[
				'1',
				'00:00:00,500 --> 00:00:02,250',
				'Hello,',
				'world.',
				'',
				'2',
				'01:01:01,007 --> 01:01:01,500',
				'[Ann] a -> b <i> & c',
				'',
				'',
			].join('\n'),
		);
	});

	test('vtt escapes what would be markup or the end of a cue', () => {
		expect(formats.vtt.render(film, plain)).toBe(
			[
				'WEBVTT',
				'',
				'00:00:00.500 --> 00:00:02.250',
				'Hello,',
				'world.',
				'',
				'01:01:01.007 --> 01:01:01.500',
				'<v Ann>a --&gt; b &lt;i&gt; &amp; c',
				'',
				'',
			].join('\n'),
		);
	});

	test('times never go backwards and no cue is empty, whatever the model says', () => {
		const odd = transcript([
			segment({ text: 'one', start: 1, end: 5 }),
			segment({ text: 'two', start: 4.5, end: 4.8 }),
			segment({ text: 'three', start: 5, end: 5 }),
		]);
		expect(formats.srt.render(odd, plain).match(/\d\d:.*/g)).toEqual([
			'00:00:01,000 --> 00:00:05,000',
			'00:00:05,000 --> 00:00:05,001',
			'00:00:05,001 --> 00:00:05,002',
		]);
	});

	test('simultaneous speakers are shown together, in the order in which they begin', () => {
		const talk = transcript([
			segment({ text: ' I was saying', start: 0, end: 9, channel: 0 }),
			segment({ text: ' Yes.', start: 2, end: 3, channel: 1 }),
			segment({ text: ' No.', start: 3.5, end: 4, channel: 1 }),
			segment({ text: ' that it is', start: 8.5, end: 12, channel: 0 }),
		]);
		expect(formats.srt.render(talk, plain)).toBe(
			[
				'1\n00:00:00,000 --> 00:00:09,000\n[Channel 0] I was saying\n',
				'2\n00:00:02,000 --> 00:00:03,000\n[Channel 1] Yes.\n',
				'3\n00:00:03,500 --> 00:00:04,000\n[Channel 1] No.\n',
				'4\n00:00:09,000 --> 00:00:12,000\n[Channel 0] that it is\n\n',
			].join('\n'),
		);
	});

	test('of silence: srt is empty, vtt is its header', () => {
		expect(formats.srt.render(silence, plain)).toBe('');
		expect(formats.vtt.render(silence, plain)).toBe('WEBVTT\n\n');
	});
});

describe('tsv', () => {
	test('has a head and a row for each segment, times in milliseconds, as Whisper writes it', () => {
		const talk = transcript([
			segment({ text: ' Hello,\tworld.', start: 0.0004, end: 2.2496 }),
			segment({ text: ' ', start: 2.5, end: 3 }),
			segment({ text: ' Two\nlines', start: 3661, end: 3662.5 }),
		]);
		expect(render(talk, 'tsv')).toBe(
			'start\tend\ttext\n0\t2250\tHello, world.\n3661000\t3662500\tTwo lines\n',
		);
	});

	test('has the speaker in a column of its own', () => {
		const talk = transcript([
			segment({ text: ' Hi.', start: 0, end: 1, speaker: 'Ann' }),
			segment({ text: ' You.', start: 1, end: 2, speaker: 'B' }),
		]);
		expect(render(talk, 'tsv')).toBe('start\tend\ttext\tspeaker\n0\t1000\tHi.\tAnn\n1000\t2000\tYou.\tB\n');
	});

	test('of silence is its head', () => {
		expect(render(silence, 'tsv')).toBe('start\tend\ttext\n');
	});
});

describe('lrc', () => {
	test('has a line for each segment with minutes, seconds and hundredths, and no hours', () => {
		const song = transcript([
			segment({ text: ' Hello,\nworld.', start: 0, end: 2 }),
			segment({ text: ' ', start: 2.5, end: 3 }),
			segment({ text: ' La', start: 59.996, end: 61 }),
			segment({ text: ' la', start: 6001.239, end: 6002 }),
		]);
		expect(render(song, 'lrc')).toBe('[00:00.00]Hello, world.\n[01:00.00]La\n[100:01.24]la\n');
	});

	test('has the speaker or the channel, where that is known', () => {
		const duet = transcript([
			segment({ text: ' La', start: 0, end: 2, speaker: 'Ann' }),
			segment({ text: ' la', start: 1, end: 2, channel: 1 }),
		]);
		expect(render(duet, 'lrc')).toBe('[00:00.00]Ann: La\n[00:01.00]Channel 1: la\n');
	});

	test('of silence is empty', () => {
		expect(render(silence, 'lrc')).toBe('');
	});
});

describe('markdown', () => {
	test('begins a paragraph after a pause', () => {
		const talk = transcript([
			segment({ text: ' One.', start: 0, end: 1 }),
			segment({ text: ' Two.', start: 2.9, end: 3 }),
			segment({ text: ' Three.', start: 5, end: 6 }),
		]);
		expect(formats.markdown.render(talk, plain)).toBe('# Transcript\n\nOne. Two.\n\nThree.\n');
	});

	test('begins a paragraph with every change of speaker, and names the speaker', () => {
		const talk = transcript([
			segment({ text: ' Hi.', speaker: 'Ann' }),
			segment({ text: ' You.', start: 1, end: 2, speaker: 'Ann' }),
			segment({ text: ' Hello.', start: 2, end: 3, speaker: 'B_b' }),
		]);
		expect(formats.markdown.render(talk, plain)).toBe(
			'# Transcript\n\n**Ann:** Hi. You.\n\n**B\\_b:** Hello.\n',
		);
	});

	test('escapes markup in the text', () => {
		const talk = transcript([
			segment({ text: ' # not a heading, *not* strong, <b>' }),
			segment({ text: ' 1. no list', start: 9, end: 10 }),
			segment({ text: ' - nor here', start: 19, end: 20 }),
		]);
		expect(formats.markdown.render(talk, plain)).toBe(
			'# Transcript\n\n\\# not a heading, \\*not\\* strong, \\<b\\>\n\n1\\. no list\n\n\\- nor here\n',
		);
	});

	test('of silence is the heading', () => {
		expect(formats.markdown.render(silence, plain)).toBe('# Transcript\n');
	});
});

describe('stream events', () => {
	const usage = {
		type: 'tokens',
		input_tokens: 85,
		input_token_details: { text_tokens: 0, audio_tokens: 85 },
		output_tokens: 4,
		total_tokens: 89,
	};

	function deltas(clips: readonly (readonly Segment[])[], logprobs = false): Record<string, unknown>[] {
		const events = new StreamEvents('json', { ...plain, logprobs });
		const sent = clips.flatMap((segments) => events.next(segments));
		return [...sent, ...events.done(transcript(clips.flat()))] as Record<string, unknown>[];
	}

	test('deltas put together are the final text, wherever white space falls', () => {
		const texts = [' ', ' Hello', ' ', '', ' world. ', '\n', '你', '好', '  '];
		for (let cut = 0; cut <= texts.length; cut++) {
			const segments = texts.map((text) => segment({ text }));
			const events = deltas([segments.slice(0, cut), segments.slice(cut)]);
			const done = events.pop();
			expect(events.map((event) => event.delta).join('')).toBe(done?.text);
			expect(done?.text).toBe('Hello  world. \n你好');
			expect(events.every((event) => event.delta !== '')).toBe(true);
		}
	});

	test('the last event has the text, the language, the duration and the usage', () => {
		expect(deltas([beach.segments as Segment[]])).toEqual([
			{ type: 'transcript.text.delta', delta: beach.text },
			{
				type: 'transcript.text.done',
				text: beach.text,
				language: 'en',
				languages: [{ code: 'en' }],
				duration: 8.47,
				usage,
			},
		]);
	});

	test('of verbose_json: each segment when it is finished, and the rest of that format at the end', () => {
		const events = new StreamEvents('verbose_json', { ...plain, words: true });
		const [first] = beach.segments;
		expect(events.next([first!])).toEqual([
			{ type: 'transcript.text.delta', delta: 'The beach was a popular spot.' },
			{
				type: 'transcript.text.segment',
				id: 'seg_000',
				speaker: '',
				seek: 0,
				start: 0,
				end: 3.32,
				text: ' The beach was a popular spot.',
				tokens: [50_364, 440, 7534],
				temperature: 0,
				avg_logprob: -0.286093,
				compression_ratio: 1.235294,
				no_speech_prob: 0.008985,
				words: [
					{ word: 'The', start: 0, end: 0.24 },
					{ word: 'beach', start: 0.24, end: 0.56 },
				],
			},
		]);
		events.next(beach.segments.slice(1));
		expect(events.done(beach)).toEqual([
			{
				type: 'transcript.text.done',
				task: 'transcribe',
				language: 'english',
				languages: [{ code: 'en' }],
				duration: 8.47,
				text: beach.text,
				usage,
				not_computed: ['speaker'],
			},
		]);
	});

	test('count a token for each tenth of a second, and those that the model wrote', () => {
		const short = transcript([segment({ text: 'a', tokens: [1, 2], end: 0.25 })]);
		expect(new StreamEvents('text', plain).done(short).at(-1)).toMatchObject({
			usage: { type: 'tokens', input_tokens: 3, output_tokens: 2, total_tokens: 5 },
		});
	});

	test('every log-probability is in one delta, and all are in the last event', () => {
		const one = { token: 'a', logprob: -1, bytes: [97] };
		const two = { token: ' b', logprob: -2, bytes: [32, 98] };
		const events = deltas(
			[[segment({ text: ' ', logprobs: [one] })], [segment({ text: 'b', logprobs: [two] })]],
			true,
		);
		expect(events).toMatchObject([
			{ delta: 'b', logprobs: [one, two] },
			{ type: 'transcript.text.done', logprobs: [one, two] },
		]);
	});

	test('silence streams the closing event alone', () => {
		expect(deltas([[]])).toMatchObject([{ type: 'transcript.text.done', text: '', languages: [] }]);
	});

	test('a text that no segment has is sent before the end', () => {
		const events = new StreamEvents('json', plain);
		expect(events.done(transcript([], { text: 'late' }))).toMatchObject([
			{ delta: 'late' },
			{ type: 'transcript.text.done', text: 'late' },
		]);
	});

	test('a frame is one line of data and an empty line', () => {
		expect(frame({ text: 'a\nb' })).toBe('data: {"text":"a\\nb"}\n\n');
		expect(frame('[DONE]')).toBe('data: [DONE]\n\n');
	});
});

describe('languages', () => {
	test("are Whisper's hundred", () => {
		expect(languageCodes).toHaveLength(100);
	});

	test.each([
		['en', 'english'],
		['yue', 'cantonese'],
		['ht', 'haitian creole'],
		['jv', 'javanese'],
		['nb', 'norwegian'],
		['de-at', 'german'],
		['xx', 'xx'],
		['xx-yy', 'xx-yy'],
	])('%s is called %s', (code, name) => {
		expect(languageName(code)).toBe(name);
	});

	test.each([
		['EN', ['en']],
		['en-US', ['en-us', 'en']],
		['zh_TW', ['zh-tw', 'zh']],
		['German', ['de']],
		['jv', ['jv', 'jw']],
		['nb-NO', ['nb-no', 'nb', 'no']],
		['klingon', []],
		['', []],
		['constructor', []],
	])('%s may mean %j', (given, candidates) => {
		expect(languageCandidates(given)).toEqual(candidates);
	});

	test('a name that every object has is no language', () => {
		expect(languageName('constructor')).toBe('constructor');
	});
});

describe('a warning', () => {
	const warned = transcript([segment({ text: 'la' })], {
		warnings: [
			{ code: 'removed_repetition', message: 'It went round in circles.', start: 3.20000004, end: 9.5 },
			{ code: 'truncated_audio', message: 'It ends at 12 s.', start: 12 },
		],
	});

	test.each(['json', 'verbose_json'] as const)('is a field of %s', (format) => {
		expect(rendered(format, warned)).toMatchObject({
			warnings: [
				{ code: 'removed_repetition', message: 'It went round in circles.', start: 3.2, end: 9.5 },
				{ code: 'truncated_audio', message: 'It ends at 12 s.', start: 12 },
			],
		});
		expect(rendered(format, beach)).not.toHaveProperty('warnings');
	});

	test('is a field of the last event of a stream', () => {
		const events = new StreamEvents('json', { words: false, segments: false, logprobs: false }).done(warned);
		expect(events.at(-1)).toMatchObject({
			warnings: [{ code: 'removed_repetition' }, { code: 'truncated_audio' }],
		});
	});

	test('is a note in vtt and a quotation in markdown', () => {
		expect(render(warned, 'vtt')).toMatch(
			/^WEBVTT\n\nNOTE It went round in circles\.\n\nNOTE It ends at 12 s\.\n\n00:/,
		);
		expect(render(warned, 'markdown')).toMatch(/^# Transcript\n\n> It went round in circles\.\n\n> It ends/);
	});

	test.each(['text', 'srt'] as const)('has no place in %s', (format) => {
		expect(render(warned, format)).not.toContain('circles');
	});
});
