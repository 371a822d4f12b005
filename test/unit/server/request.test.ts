import { describe, expect, test } from 'vitest';
import { defaultChunking } from '../../../src/core/speech/options.js';
import { fieldNames, fieldOf } from '../../../src/server/request/fields/fields.js';
import { fitToModel, parseRequest } from '../../../src/server/request/parse.js';
import { able, info, plain } from '../../helpers/fakes.js';

type Given = Record<string, string | readonly string[]>;

function parse(fields: Given = {}, task: 'transcribe' | 'translate' = 'transcribe') {
	const form = Object.entries(fields).map(
		([name, values]) => [name, typeof values === 'string' ? [values] : values] as const,
	);
	return parseRequest(new Map(form), task);
}

function fitted(fields: Given, capabilities = able, task: 'transcribe' | 'translate' = 'transcribe') {
	return fitToModel(parse(fields, task), info(capabilities)).options;
}

const ignored = (fields: Given, capabilities = able) => fitToModel(parse(fields), info(capabilities)).ignored;

test('a request that says nothing gets the defaults', () => {
	expect(parse()).toEqual({
		task: 'transcribe',
		model: null,
		language: null,
		languages: [],
		prompt: '',
		promptField: 'initial_prompt',
		keywords: [],
		hotwords: [],
		temperature: 0,
		decoding: { options: {}, fields: [] },
		format: 'json',
		include: { words: false, segments: true, logprobs: false },
		wordsIfPossible: false,
		subtitles: {},
		stream: false,
		channels: 'mix',
		speakers: null,
		chunking: defaultChunking,
		ignored: [],
	});
});

test('empty values say nothing', () => {
	const empty = Object.fromEntries(fieldNames.map((name) => [name, '']));
	expect(parse(empty)).toEqual(parse());
});

test('every field that says something arrives', () => {
	expect(
		parse({
			model: ' tiny ',
			language: 'en',
			'languages[]': ['en', 'de'],
			'keywords[]': ['Earshot', 'koa'],
			prompt: 'Hello',
			response_format: 'verbose_json',
			temperature: '0.4',
			'timestamp_granularities[]': ['word', 'segment'],
			chunking_strategy: 'auto',
		}),
	).toMatchObject({
		model: 'tiny',
		language: ['en'],
		languages: [['en'], ['de']],
		keywords: ['Earshot', 'koa'],
		prompt: 'Hello',
		format: 'verbose_json',
		temperature: 0.4,
		include: { words: true, segments: true, logprobs: false },
	});
});

describe('the spelling of lists', () => {
	test.each([
		['timestamp_granularities[]', ['word', 'segment']],
		['timestamp_granularities', ['word', 'segment']],
	])('%s repeated is a list', (name, values) => {
		const { include } = parse({ [name]: values, response_format: 'verbose_json' });
		expect(include).toMatchObject({ words: true, segments: true });
	});

	test('numbered and mixed spellings add up', () => {
		expect(parse({ 'keywords[0]': 'a', 'keywords[1]': 'b', 'keywords[]': 'c', keywords: 'd' })).toMatchObject(
			{
				keywords: ['a', 'b', 'c', 'd'],
			},
		);
	});

	test('a name that is no field is none', () => {
		expect(['no_such_field', '__proto__', 'model[][]', 'toString', ''].map(fieldOf)).toEqual(
			Array(5).fill(undefined),
		);
	});
});

describe('timestamp_granularities', () => {
	test('words alone leave the segments out', () => {
		const { include } = parse({ 'timestamp_granularities[]': 'word', response_format: 'verbose_json' });
		expect(include).toMatchObject({ words: true, segments: false });
	});

	test('segments are what there is without asking, so asking beside json is no mistake', () => {
		expect(parse({ 'timestamp_granularities[]': 'segment' }).include).toMatchObject({
			words: false,
			segments: true,
		});
	});
});

describe('chunking_strategy', () => {
	const changed = { threshold: 0.7, prefixPaddingMs: 100, silenceDurationMs: 500 };

	test('comes as pairs, the way the SDKs send it', () => {
		expect(
			parse({
				'chunking_strategy[type]': 'server_vad',
				'chunking_strategy[threshold]': '0.7',
				'chunking_strategy[prefix_padding_ms]': '100',
				'chunking_strategy[silence_duration_ms]': '500',
			}).chunking,
		).toEqual(changed);
	});

	test('comes as JSON', () => {
		const chunking_strategy = JSON.stringify({
			type: 'server_vad',
			threshold: 0.7,
			prefix_padding_ms: 100,
			silence_duration_ms: 500,
		});
		expect(parse({ chunking_strategy }).chunking).toEqual(changed);
	});

	test.each(['auto', '"auto"', 'null', '{"type":"server_vad"}'])('%s is the default', (chunking_strategy) => {
		expect(parse({ chunking_strategy }).chunking).toEqual(defaultChunking);
	});
});

describe('subtitles', () => {
	test('arrive as Whisper names their fields', () => {
		expect(
			parse({
				response_format: 'vtt',
				subtitles: 'broadcast',
				max_line_width: '37',
				max_line_count: ' 3 ',
				max_words_per_line: '8',
				highlight_words: 'true',
			}).subtitles,
		).toEqual({
			subtitles: 'broadcast',
			maxLineWidth: 37,
			maxLineCount: 3,
			maxWordsPerLine: 8,
			highlightWords: true,
		});
	});

	test('request word times from the model, if it has any', () => {
		const cut = { response_format: 'srt', max_line_width: '42' };
		expect(fitted(cut)).toMatchObject({ words: true, wordsOptional: true });
		expect(fitted(cut, plain).words).toBe(false);
		expect(fitted({ response_format: 'srt' })).not.toHaveProperty('wordsOptional');
		expect(fitted({ response_format: 'srt' }).words).toBe(false);
	});

	test('with highlighted words need word times', () => {
		const highlighted = { response_format: 'srt', highlight_words: 'true' };
		expect(fitted(highlighted)).toMatchObject({ words: true });
		expect(fitted(highlighted)).not.toHaveProperty('wordsOptional');
		expect(() => fitted(highlighted, plain)).toThrow(
			expect.objectContaining({ code: 'unsupported_value', param: 'highlight_words' }),
		);
	});

	test('whose words are not to be highlighted say nothing', () => {
		expect(parse({ highlight_words: 'false' }).subtitles).toEqual({});
	});
});

test.each([
	['true', true],
	['1', true],
	['True', true],
	['false', false],
	['0', false],
	['null', false],
])('stream=%s is %s', (stream, expected) => {
	expect(parse({ stream }).stream).toBe(expected);
});

test.each(['auto', 'Auto', ' '])('language %j lets the model detect', (language) => {
	expect(parse({ language }).language).toBeNull();
});

describe('refused, naming the field:', () => {
	test.each<[string, Given, string, string]>([
		['an unknown format', { response_format: 'xml' }, 'response_format', 'invalid_request'],
		['names of speakers', { 'known_speaker_names[]': 'Ann' }, 'known_speaker_names', 'unsupported_value'],
		[
			'recordings of speakers',
			{ 'known_speaker_references[]': 'data:audio/wav;base64,AA==' },
			'known_speaker_references',
			'unsupported_value',
		],
		['a temperature above 1', { temperature: '1.7' }, 'temperature', 'invalid_request'],
		['a temperature below 0', { temperature: '-0.1' }, 'temperature', 'invalid_request'],
		['a temperature that is no number', { temperature: 'warm' }, 'temperature', 'invalid_request'],
		['an unknown include', { 'include[]': 'everything' }, 'include', 'invalid_request'],
		[
			'log-probabilities outside json',
			{ 'include[]': 'logprobs', response_format: 'text' },
			'include',
			'unsupported_value',
		],
		[
			'an unknown granularity',
			{ 'timestamp_granularities[]': 'letter' },
			'timestamp_granularities',
			'invalid_request',
		],
		[
			'words outside verbose_json',
			{ 'timestamp_granularities[]': 'word' },
			'timestamp_granularities',
			'unsupported_value',
		],
		['a stream that is neither yes nor no', { stream: 'maybe' }, 'stream', 'invalid_request'],
		[
			'an unknown preset of subtitles',
			{ subtitles: 'cinema', response_format: 'srt' },
			'subtitles',
			'invalid_request',
		],
		...['max_line_width', 'max_line_count', 'max_words_per_line'].flatMap((field) =>
			['0', '-1', '1.5', '1001', 'wide', '1e2'].map((value): [string, Given, string, string] => [
				`${field} of ${value}`,
				{ [field]: value, response_format: 'srt', subtitles: 'broadcast' },
				field,
				'invalid_request',
			]),
		),
		[
			'a highlight that is neither yes nor no',
			{ highlight_words: 'maybe', response_format: 'srt' },
			'highlight_words',
			'invalid_request',
		],
		[
			'lines of a cue without what fills a line',
			{ max_line_count: '2', response_format: 'srt' },
			'max_line_count',
			'unsupported_value',
		],
		...['json', 'text', 'tsv', 'lrc', 'verbose_json', 'markdown'].flatMap((response_format) =>
			Object.entries({ subtitles: 'broadcast', max_line_width: '42', highlight_words: '1' }).map(
				([field, value]): [string, Given, string, string] => [
					`${field} beside ${response_format}`,
					{ [field]: value, response_format },
					field,
					'unsupported_value',
				],
			),
		),
		['a language that is none', { language: 'klingon' }, 'language', 'invalid_request'],
		['a hint of a language that is none', { 'languages[]': ['en', '??'] }, 'languages', 'invalid_request'],
		['two models', { model: ['a', 'b'] }, 'model', 'invalid_request'],
		['channels both mixed and split', { channels: ['split', 'mix'] }, 'channels', 'invalid_request'],
		[
			'a chunking strategy that is neither',
			{ chunking_strategy: 'none' },
			'chunking_strategy',
			'invalid_request',
		],
		[
			'a chunking strategy of an unknown type',
			{ 'chunking_strategy[type]': 'semantic' },
			'chunking_strategy',
			'invalid_request',
		],
		[
			'a chunking strategy without a type',
			{ 'chunking_strategy[threshold]': '0.5' },
			'chunking_strategy',
			'invalid_request',
		],
		[
			'a threshold above 1',
			{ chunking_strategy: '{"type":"server_vad","threshold":2}' },
			'chunking_strategy',
			'invalid_request',
		],
		[
			'a padding that is no number',
			{ chunking_strategy: '{"type":"server_vad","prefix_padding_ms":{}}' },
			'chunking_strategy',
			'invalid_request',
		],
	])('%s', (_what, fields, param, code) => {
		expect(() => parse(fields)).toThrow(expect.objectContaining({ code, param }));
	});

	test('the sentence says what was expected and what came', () => {
		expect(() => parse({ temperature: '1.7' })).toThrow(
			'Expected `temperature` to be a number from 0 to 1, got `1.7`',
		);
		expect(() => parse({ max_line_width: 'wide', response_format: 'srt' })).toThrow(
			'Expected `max_line_width` to be a whole number from 1 to 1000, got `wide`',
		);
		expect(() => parse({ highlight_words: 'true' })).toThrow(
			'`highlight_words` needs `response_format` to be `srt` or `vtt`, got `json`',
		);
	});
});

describe('a model that can', () => {
	test('gets everything', () => {
		const options = fitted({
			language: 'German',
			prompt: 'Hello',
			'keywords[]': 'koa',
			temperature: '0.2',
			'timestamp_granularities[]': 'word',
			response_format: 'verbose_json',
		});
		expect(options).toEqual({
			task: 'transcribe',
			language: 'de',
			prompt: 'Hello',
			keywords: ['koa'],
			temperature: 0.2,
			words: true,
			logprobs: false,
			chunking: defaultChunking,
		});
	});
});

describe('a model that cannot', () => {
	test('accepts fields with their default values', () => {
		expect(fitted({ prompt: '', temperature: '0' }, plain)).toMatchObject({ prompt: '', temperature: 0 });
	});

	test('accepts any language where the model has no list', () => {
		expect(fitted({ language: 'de' }, { ...able, languages: null, choosesLanguage: false }).language).toBe(
			'de',
		);
	});

	test.each<[string, Given, string]>([
		[
			'times for words',
			{ 'timestamp_granularities[]': 'word', response_format: 'verbose_json' },
			'timestamp_granularities',
		],
		['log-probabilities', { 'include[]': 'logprobs' }, 'include'],
		['a language that it does not know', { language: 'fr' }, 'language'],
		['a choice of languages', { 'languages[]': ['de', 'en'] }, 'languages'],
		['keywords', { 'keywords[]': 'koa' }, 'keywords'],
	])('refuses %s, naming the field', (_what, fields, param) => {
		expect(() => fitted(fields, plain)).toThrow(
			expect.objectContaining({ code: 'unsupported_value', param }),
		);
	});

	test('ignores what programs send whatever the model, and names it', () => {
		const fields = { prompt: 'Hello', temperature: '0.2' };
		expect(fitted(fields, plain)).toMatchObject({ prompt: '', temperature: 0 });
		expect(ignored(fields, plain)).toEqual(['prompt', 'temperature']);
		expect(ignored(fields)).toEqual([]);
		expect(ignored({ initial_prompt: 'Hello' }, plain)).toEqual(['initial_prompt']);
		expect(ignored({ prompt: '', temperature: '0' }, plain)).toEqual([]);
	});

	test('names the supported languages', () => {
		expect(() => fitted({ language: 'fr' }, plain)).toThrow(
			'Expected `language` to be one of the languages of the model `tiny` (en, de, yue), got `fr`',
		);
	});

	test('refuses to translate, naming the model', () => {
		expect(() => fitted({}, plain, 'translate')).toThrow(
			expect.objectContaining({ code: 'unsupported_value', param: 'model' }),
		);
	});
});

describe('fields of other servers', () => {
	test('do what they say under their names', () => {
		const fields = {
			initial_prompt: 'Hello',
			hotwords: 'Earshot, koa\nNode',
			word_timestamps: 'True',
			vad_filter: 'false',
			response_format: 'verbose_json',
		};
		expect(fitted(fields)).toMatchObject({
			prompt: 'Hello',
			keywords: ['Earshot', 'koa', 'Node'],
			words: true,
			chunking: { ...defaultChunking, threshold: 0 },
		});
		expect(ignored(fields)).toEqual([]);
		expect(fitToModel(parse(fields), info(able)).include).toMatchObject({ words: true, segments: true });
	});

	test('that the model cannot use are ignored and named, never refused', () => {
		const fields = {
			hotwords: 'Earshot',
			word_timestamps: 'true',
			beam_size: '5',
			response_format: 'verbose_json',
		};
		expect(ignored(fields, plain)).toEqual(['word_timestamps', 'beam_size', 'hotwords']);
		expect(fitToModel(parse(fields), info(plain)).include.words).toBe(false);
	});

	test('that the format has no place for are ignored and named', () => {
		expect(ignored({ word_timestamps: 'true' })).toEqual(['word_timestamps']);
		expect(ignored({ word_timestamps: 'false', vad_filter: 'true', hotwords: '' })).toEqual([]);
	});

	test('give way to OpenAI’s', () => {
		const fields = {
			prompt: 'Hello',
			initial_prompt: 'Bye',
			vad_filter: 'false',
			chunking_strategy: '{"type":"server_vad"}',
		};
		expect(fitted(fields)).toMatchObject({ prompt: 'Hello', chunking: defaultChunking });
		expect(ignored(fields)).toEqual(['initial_prompt', 'vad_filter']);
	});

	test.each<[string, Given]>([
		['vad_filter', { vad_filter: 'maybe' }],
		['word_timestamps', { word_timestamps: '2' }],
	])('are refused where they are no values: %s', (param, fields) => {
		expect(() => parse(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
	});
});

describe('options of decoding', () => {
	const fields = {
		beam_size: '5',
		temperature_increment: '0',
		logprob_threshold: '-0.8',
		compression_ratio_threshold: '3',
		no_speech_threshold: '0.5',
	};

	test('override the settings of a model that has them, and only those that are given', () => {
		expect(fitted(fields).decoding).toEqual({
			beamSize: 5,
			temperatureIncrement: 0,
			logprobThreshold: -0.8,
			compressionRatioThreshold: 3,
			noSpeechThreshold: 0.5,
		});
		expect(fitted({ beam_size: '1' }).decoding).toEqual({ beamSize: 1 });
		expect(fitted({ beam_size: 'auto' }).decoding).toEqual({ beamSize: 'auto' });
		expect(fitted({}).decoding).toBeUndefined();
		expect(ignored(fields)).toEqual([]);
	});

	test('are ignored and named where the model has none', () => {
		expect(fitted(fields, plain).decoding).toBeUndefined();
		expect([...ignored(fields, plain)].sort()).toEqual(Object.keys(fields).sort());
	});

	test.each([
		['beam_size', '9', 'a whole number from 1 to 8, or `auto`'],
		['beam_size', 'wide', 'a whole number from 1 to 8, or `auto`'],
		['temperature_increment', '0.001', '0, or a number from 0.1 to 1'],
		['logprob_threshold', '1', 'a number from -100 to 0'],
		['compression_ratio_threshold', '0', 'a number from 1 to 100'],
		['no_speech_threshold', '1.5', 'a number from 0 to 1'],
	])('are refused outside of their range: %s=%s', (param, value, what) => {
		expect(() => parse({ [param]: value })).toThrow(
			expect.objectContaining({
				code: 'invalid_request',
				param,
				message: `Expected \`${param}\` to be ${what}, got \`${value}\``,
			}),
		);
	});
});

describe('a stream', () => {
	test.each([
		['json', 'tiny', true],
		['text', 'tiny', true],
		['verbose_json', 'tiny', true],
		['srt', 'tiny', false],
		['vtt', 'tiny', false],
		['markdown', 'tiny', false],
		['json', 'gpt-4o-transcribe', true],
		['json', '', true],
		['json', 'whisper-1', false],
		['text', 'openai/whisper-1', false],
		['verbose_json', 'Whisper-1', false],
		['srt', 'whisper-1', false],
	])('of %s by %s is one: %s', (response_format, model, expected) => {
		const request = parse({ stream: 'true', response_format, model });
		expect([request.stream, request.ignored]).toEqual([expected, expected ? [] : ['stream']]);
	});
});

test('the model of an Azure path goes before the field', () => {
	const fields = new Map([
		['model', ['tiny']],
		['stream', ['true']],
	]);
	expect(parseRequest(fields, 'transcribe', { deployment: 'large' })).toMatchObject({
		model: 'large',
		stream: true,
	});
	expect(parseRequest(fields, 'transcribe', { deployment: 'whisper-1' }).stream).toBe(false);
});

describe('server_vad takes what OpenAI takes', () => {
	test.each(['0', '1', '0.005'])('a threshold of %s', (threshold) => {
		const fields = { 'chunking_strategy[type]': 'server_vad', 'chunking_strategy[threshold]': threshold };
		expect(fitted(fields).chunking.threshold).toBe(Number(threshold));
	});

	test('a silence of 0', () => {
		const fields = {
			'chunking_strategy[type]': 'server_vad',
			'chunking_strategy[silence_duration_ms]': '0',
		};
		expect(fitted(fields).chunking.silenceDurationMs).toBe(0);
	});
});

describe('languages', () => {
	test('are several: the model chooses among them, in its own spelling', () => {
		expect(fitted({ 'languages[]': ['German', 'en-US', 'de'] }, able)).toMatchObject({
			language: null,
			languages: ['de', 'en'],
		});
		expect(() => fitted({ 'languages[]': ['de', 'fr'] }, { ...able, languages: ['de', 'en'] })).toThrow(
			expect.objectContaining({ code: 'unsupported_value', param: 'languages' }),
		);
	});

	test.each([
		['en-US', 'en'],
		['EN', 'en'],
		['english', 'en'],
		['cantonese', 'yue'],
	])('%s means %s to a model that lists it', (language, code) => {
		expect(fitted({ language }, plain).language).toBe(code);
	});

	test('a code that the model lists with its region is kept whole', () => {
		const regional = { ...able, languages: ['zh', 'zh-tw'] };
		expect(fitted({ language: 'zh-TW' }, regional).language).toBe('zh-tw');
	});

	test('one hint is the language', () => {
		expect(fitted({ 'languages[]': 'de' }, plain).language).toBe('de');
	});

	test('the language goes before the hints', () => {
		expect(fitted({ language: 'en', 'languages[]': ['de', 'yue'] }, plain).language).toBe('en');
	});
});
