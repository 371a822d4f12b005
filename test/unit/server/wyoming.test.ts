import { describe, expect, it } from 'vitest';
import { modelNamesOf } from '../../../src/server/live/session/model-names.js';
import {
	encodedEvent,
	maxDataBytes,
	maxHeaderBytes,
	maxPayloadBytes,
	WyomingReader,
} from '../../../src/server/wyoming/events.js';
import { infoOf, modelFor } from '../../../src/server/wyoming/models.js';
import { anyRequest, transcriptionOf } from '../../../src/server/wyoming/requests.js';
import { FakePool, FakeTranscriber, info, listed } from '../../helpers/fakes.js';

const read = (...chunks: (string | Buffer)[]) => {
	const reader = new WyomingReader();
	return chunks.flatMap((chunk) => [...reader.read(Buffer.from(chunk as Buffer))]);
};

describe('events of Wyoming', () => {
	const audio = Buffer.from([1, 2, 10, 3]);
	const all = Buffer.concat([
		Buffer.from('{"type":"describe"}\n{"type":"audio-chunk","data":{"rate":8000,"width":2},'),
		Buffer.from('"data_length":14,"payload_length":4}\n{"rate":16000}'),
		audio,
		Buffer.from('{"type":"audio-stop","data":null}\n'),
	]);
	const expected = [
		{ type: 'describe', data: {} },
		{ type: 'audio-chunk', data: { rate: 16_000, width: 2 } },
		{ type: 'audio-stop', data: {} },
	];

	it('are the same however the bytes are cut', () => {
		for (const size of [1, 2, 3, 7, 20, 64, all.length]) {
			const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
				all.subarray(at * size, (at + 1) * size),
			);
			const events = read(...pieces);
			expect(events.map(({ type, data }) => ({ type, data }))).toEqual(expected);
			expect(events.map(({ payload }) => [...payload])).toEqual([[], [...audio], []]);
		}
	});

	it('are written as they are read', () => {
		const [event] = read(encodedEvent('transcript', { text: 'für 7 °C' }, '1.2.3'));
		expect(event).toMatchObject({ type: 'transcript', data: { text: 'für 7 °C' } });
	});

	it.each([
		[
			'no JSON',
			'GET / HTTP/1.1\n',
			'Expected `the line of an event` to be a JSON object, got `GET / HTTP/1.1`',
		],
		['a list', '[]\n', 'Expected `the line of an event` to be a JSON object, got `[]`'],
		['no type', '{}\n', 'Expected `type` to be a string, got nothing'],
		['data that is none', '{"type":"ping","data":7}\n', 'Expected `data` to be a JSON object, got `7`'],
		[
			'more data that is none',
			'{"type":"ping","data_length":2}\n[]',
			'Expected `data` to be a JSON object, got `[]`',
		],
		[
			'a negative length',
			'{"type":"ping","data_length":-1}\n',
			`Expected \`data_length\` to be a whole number from 0 to ${maxDataBytes}, got \`-1\``,
		],
		[
			'a length that is a text',
			'{"type":"ping","data_length":"7"}\n',
			`Expected \`data_length\` to be a whole number from 0 to ${maxDataBytes}, got \`7\``,
		],
		['too much data', `{"type":"ping","data_length":${maxDataBytes + 1}}\n`, 'Expected `data_length`'],
		[
			'too much audio',
			`{"type":"audio-chunk","payload_length":${maxPayloadBytes + 1}}\n`,
			'Expected `payload_length`',
		],
		['a long line', 'x'.repeat(maxHeaderBytes + 1), "An event's line is too long: at most 16384 bytes"],
		['a long line that ends', `${'x'.repeat(maxHeaderBytes + 1)}\n`, "An event's line is too long"],
	])('that are %s are refused', (_, text, message) => {
		expect(() => read(text)).toThrow(message);
	});

	it('with a line that comes byte by byte and never ends are refused', () => {
		const bytes = Array.from({ length: maxHeaderBytes + 1 }, () => ' ');
		expect(() => read(...bytes)).toThrow('too long');
	});
});

function poolOf(models: readonly [id: string, languages: readonly string[] | null][]): FakePool {
	const pool = new FakePool(new FakeTranscriber());
	const { capabilities } = info();
	pool.models.splice(
		0,
		pool.models.length,
		...models.map(([id, languages]) => listed(id, { capabilities: { ...capabilities, languages } })),
	);
	return pool;
}

describe('the model of a transcription', () => {
	const pool = poolOf([
		['all', ['en', 'de', 'fr']],
		['tiny', ['en']],
		['french', ['fr']],
	]);
	const chosen = (request: object) => modelFor({ ...anyRequest, ...request }, pool, modelNamesOf(pool));

	it('is the one that is named', () => {
		expect(chosen({ name: 'french', language: 'en' })).toBe('french');
		expect(() => chosen({ name: 'gone' })).toThrow('gone');
	});

	it('is the default one, or the first that supports the language', () => {
		expect(chosen({})).toBe('tiny');
		expect(chosen({ language: 'en-US' })).toBe('tiny');
		expect(chosen({ language: 'de' })).toBe('all');
		expect(chosen({ language: 'fr' })).toBe('all');
		expect(chosen({ language: 'it' })).toBe('tiny');
	});

	it('is listed in `info`, the default one first', () => {
		const { asr } = infoOf(pool, '1.2.3') as { asr: [{ models: { name: string; languages: string[] }[] }] };
		expect(asr[0]).toMatchObject({
			name: 'earshot',
			installed: true,
			version: '1.2.3',
			supports_transcript_streaming: true,
			requires_external_vad: true,
		});
		expect(asr[0].models.map(({ name }) => name)).toEqual(['tiny', 'all', 'french']);
		expect(asr[0].models[0]).toMatchObject({ languages: ['en'], installed: true });
	});

	it('that supports any language is listed with all', () => {
		const { asr } = infoOf(poolOf([['tiny', null]]), '1') as { asr: [{ models: { languages: string[] }[] }] };
		expect(asr[0].models[0]!.languages).toEqual(expect.arrayContaining(['en', 'de', 'zh']));
	});
});

describe('likely words', () => {
	const request = { ...anyRequest, words: ['Kitchen', ' ', 'lamp'] };

	it('are keywords of a search, and never part of a prompt', () => {
		const searches = { keywords: true, prompt: false };
		expect(transcriptionOf(request, searches)).toEqual({ keywords: ['Kitchen', 'lamp'] });
		expect(transcriptionOf(anyRequest, searches)).toEqual({});
		expect(transcriptionOf(request, { keywords: true, prompt: true })).toEqual({});
		expect(transcriptionOf(request, { keywords: false, prompt: true })).toEqual({});
	});
});
