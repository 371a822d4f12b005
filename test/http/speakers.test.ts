import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { describe, expect, test } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import type { FoundSpeakers } from '../../src/core/speech/speakers.js';
import type { TranscriptEvent } from '../../src/core/speech/transcript.js';
import { aborted, eventsOf, FakeTranscriber, gate, info, listed } from '../helpers/fakes.js';
import {
	type Arranged,
	arrange,
	form,
	framesOf,
	owner,
	send,
	transcribe,
	wav,
} from '../helpers/net/server.js';
import { segment, transcript } from '../helpers/transcripts.js';

const turns = [
	{ start: 0, end: 1, speaker: 0 },
	{ start: 1, end: 2, speaker: 1 },
];

const talk = transcript([
	segment({
		id: 0,
		text: ' Hi there. Hello you.',
		start: 0,
		end: 2,
		words: [
			{ word: 'Hi', start: 0.1, end: 0.4 },
			{ word: 'there.', start: 0.5, end: 0.9 },
			{ word: 'Hello', start: 1.1, end: 1.5 },
			{ word: 'you.', start: 1.5, end: 1.9 },
		],
	}),
]);

function found(given: Partial<FoundSpeakers> = {}): FoundSpeakers {
	const voice = [1, 0];
	const speakers = [
		{ name: null, voice },
		{ name: null, voice },
	];
	return { turns, speakers, fingerprint: 'net', ...given };
}

async function* diarized(of: FoundSpeakers): AsyncGenerator<TranscriptEvent> {
	yield { type: 'started', duration: 2 };
	yield { type: 'done', transcript: transcript([], { duration: 2 }), found: of };
}

async function arranged(
	of: FoundSpeakers = found(),
	given: Parameters<typeof arrange>[0] = {},
): Promise<Arranged> {
	const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(talk) }), ...given });
	server.pool.speakers = new FakeTranscriber({ script: () => diarized(of) });
	return server;
}

const reference = `data:audio/wav;base64,${wav.toString('base64')}`;

describe('speakers are distinguished', () => {
	test('in a job as in a request that waits', async () => {
		const server = await arranged();
		const fields = { response_format: 'diarized_json' };
		const made = await send(`${server.url}/v1/transcription_jobs`, { method: 'POST', body: form(fields) });
		expect(made.status).toBe(202);
		const job = `${server.url}/v1/transcription_jobs/${made.json.id}`;
		expect((await send(`${job}?wait=60`)).json).toMatchObject({ status: 'completed' });
		const late = await send(`${job}/result`);
		expect(late.text).toBe((await transcribe(server, fields)).text);
		const events = framesOf((await send(`${job}/events`)).text);
		expect(events).toContainEqual(expect.objectContaining({ type: 'transcript.text.done' }));
		expect((await send(`${job}/result?partial=true&response_format=text`)).text).toContain('A: Hi there.');
	});

	test('in diarized_json, as OpenAI answers it', async () => {
		const { json } = await transcribe(await arranged(), { response_format: 'diarized_json' });
		const type = 'transcript.text.segment';
		expect(json).toEqual({
			task: 'transcribe',
			duration: talk.duration,
			text: 'A: Hi there.\nB: Hello you.',
			segments: [
				{ type, id: 'seg_000', start: 0, end: 0.9, text: ' Hi there.', speaker: 'A' },
				{ type, id: 'seg_001', start: 1.1, end: 2, text: ' Hello you.', speaker: 'B' },
			],
			usage: { type: 'duration', seconds: Math.ceil(talk.duration) },
		});
	});

	test('in the stream of diarized_json, an event for each segment', async () => {
		const { text } = await transcribe(await arranged(), { response_format: 'diarized_json', stream: 'true' });
		const events = framesOf(text);
		expect(
			events.map((event) => (typeof event === 'string' ? event : (event as { type: string }).type)),
		).toEqual(['transcript.text.segment', 'transcript.text.segment', 'transcript.text.done', 'data: [DONE]']);
		expect(events[1]).toMatchObject({ speaker: 'B', text: ' Hello you.' });
	});

	test.each([
		['text', 'A: Hi there.\nB: Hello you.\n'],
		['srt', '[B] Hello you.'],
		['vtt', '<v B>Hello you.'],
		['markdown', '**B:** Hello you.'],
	])('in %s, too', async (response_format, expected) => {
		const { text } = await transcribe(await arranged(), { response_format, diarize: 'true' });
		expect(text).toContain(expected);
	});

	test('in segments and words of verbose_json', async () => {
		const { json } = await transcribe(await arranged(), {
			response_format: 'verbose_json',
			'timestamp_granularities[]': ['word', 'segment'],
			diarize: 'true',
		});
		expect(json.segments.map(({ speaker }: { speaker: string }) => speaker)).toEqual(['A', 'B']);
		expect(json.words.map(({ speaker }: { speaker: string }) => speaker)).toEqual(['A', 'A', 'B', 'B']);
	});

	test('the deltas of a stream are the text of its end', async () => {
		const { text } = await transcribe(await arranged(), { diarize: 'true', stream: 'true' });
		const events = framesOf(text).filter((event) => typeof event !== 'string') as Record<string, string>[];
		const deltas = events.flatMap(({ delta }) => delta ?? []).join('');
		expect(deltas).toBe('A: Hi there.\nB: Hello you.');
		expect(events.at(-1)?.text).toBe(deltas);
	});

	test('under the name of OpenAI’s model without another word', async () => {
		const server = await arranged();
		server.pool.models[0] = listed('tiny', { aliases: ['gpt-4o-transcribe-diarize'] });
		const { json } = await transcribe(server, { model: 'gpt-4o-transcribe-diarize' });
		expect(json.text).toBe('A: Hi there.\nB: Hello you.');
	});

	test('with word times, which are left out of the response', async () => {
		const server = await arranged();
		await transcribe(server, { diarize: 'true' });
		expect(server.model.calls[0]?.options).toMatchObject({ words: true, wordsOptional: true });
		expect(server.model.calls[0]?.options).not.toHaveProperty('speakers');
	});

	test('by a model without times of words, turn by turn', async () => {
		const model = new FakeTranscriber({ info: info({ words: false }), script: () => eventsOf(talk) });
		const server = await arranged(found(), { model });
		const { status } = await transcribe(server, { response_format: 'diarized_json' });
		expect(status).toBe(200);
		expect(model.calls[0]?.options).toMatchObject({ words: false, breaks: [1] });
	});

	test('with what the request says of them', async () => {
		const server = await arranged();
		await transcribe(server, {
			response_format: 'diarized_json',
			min_speakers: '2',
			max_speakers: '3',
			'known_speaker_names[]': ['Ann'],
			'known_speaker_references[]': [reference],
			chunking_strategy: 'auto',
		});
		expect(server.pool.speakers?.calls[0]?.options.speakers).toMatchObject({
			min: 2,
			max: 3,
			known: [{ name: 'Ann', reference: { bytes: wav }, param: 'known_speaker_references' }],
		});
	});

	test.each([
		['in lines', (url: string) => url.replaceAll(/.{76}/g, '$&\r\n')],
		['after white space', (url: string) => ` \n${url}`],
		['without its padding', (url: string) => url.replace(/=+$/, '')],
		['with parameters', (url: string) => url.replace(';base64', ';codecs=1;base64')],
		['in capitals', (url: string) => url.replace('data:audio/wav;base64', 'DATA:AUDIO/WAV;BASE64')],
	])('by a reference %s', async (_, spelled) => {
		const server = await arranged();
		const { status } = await transcribe(server, {
			response_format: 'diarized_json',
			'known_speaker_names[]': '👩‍👩‍👧 Zoe\u0308',
			'known_speaker_references[]': spelled(reference),
		});
		expect(status).toBe(200);
		expect(server.pool.speakers?.calls[0]?.options.speakers?.known).toMatchObject([
			{ name: '👩‍👩‍👧 Zo\u00eb', reference: { bytes: wav } },
		]);
	});

	test('known ones have their names, and the others the letters that are left', async () => {
		const speakers = [
			{ name: null, voice: null },
			{ name: 'A', voice: null },
		];
		const { json } = await transcribe(await arranged(found({ speakers })), {
			response_format: 'diarized_json',
		});
		expect(json.text).toBe('B: Hi there.\nA: Hello you.');
	});

	test('and everything is given back', async () => {
		const server = await arranged();
		await transcribe(server, { diarize: 'true' });
		expect(server.pool.leased).toBe(0);
		expect(server.leftovers()).toEqual([]);
	});
});

describe('the official client', () => {
	const client = (server: Arranged) =>
		new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });

	test('reads diarized_json by its own types', async () => {
		const answer: unknown = await client(await arranged()).audio.transcriptions.create({
			file: await toFile(wav, 'a.wav'),
			model: 'whisper-1',
			response_format: 'diarized_json',
			chunking_strategy: 'auto',
			known_speaker_names: ['Ann'],
			known_speaker_references: [reference],
		});
		// The client has no overload of its own for the format.
		const { segments } = answer as OpenAI.Audio.TranscriptionDiarized;
		expect(segments.map(({ speaker, text }) => `${speaker}:${text}`)).toEqual([
			'A: Hi there.',
			'B: Hello you.',
		]);
	});

	test('reads its stream', async () => {
		const stream = await client(await arranged()).audio.transcriptions.create({
			file: await toFile(wav, 'a.wav'),
			model: 'tiny',
			response_format: 'diarized_json',
			stream: true,
		});
		const speakers: string[] = [];
		for await (const event of stream)
			if (event.type === 'transcript.text.segment') speakers.push(event.speaker);
		expect(speakers).toEqual(['A', 'B']);
	});
});

describe('a refusal', () => {
	const diarized = { response_format: 'diarized_json' };
	test.each<[string, Record<string, string | string[]>, string]>([
		['names without references', { ...diarized, 'known_speaker_names[]': 'Ann' }, 'known_speaker_references'],
		[
			'references without names',
			{ ...diarized, 'known_speaker_references[]': reference },
			'known_speaker_names',
		],
		[
			'a name twice',
			{
				...diarized,
				'known_speaker_names[]': ['Ann', 'Ann'],
				'known_speaker_references[]': [reference, reference],
			},
			'known_speaker_names',
		],
		[
			'five known speakers',
			{
				...diarized,
				'known_speaker_names[]': ['a', 'b', 'c', 'd', 'e'],
				'known_speaker_references[]': Array.from({ length: 5 }, () => reference),
			},
			'known_speaker_names',
		],
		[
			'a reference that is no data URL',
			{ ...diarized, 'known_speaker_names[]': 'Ann', 'known_speaker_references[]': 'https://a.b/c.wav' },
			'known_speaker_references',
		],
		[
			'a reference that is not base64',
			{
				...diarized,
				'known_speaker_names[]': 'Ann',
				'known_speaker_references[]': 'data:audio/wav;base64,?',
			},
			'known_speaker_references',
		],
		[
			'known speakers where there is no diarization',
			{ 'known_speaker_names[]': 'Ann' },
			'known_speaker_names',
		],
		['a number of speakers where there is no diarization', { num_speakers: '2' }, 'num_speakers'],
		['no speaker at all', { ...diarized, num_speakers: '0' }, 'num_speakers'],
		['half a speaker', { ...diarized, num_speakers: '1.5' }, 'num_speakers'],
		[
			'an exact number and a least one',
			{ ...diarized, num_speakers: '2', min_speakers: '1' },
			'num_speakers',
		],
		['more at least than at most', { ...diarized, min_speakers: '3', max_speakers: '2' }, 'max_speakers'],
		['channels by themselves', { ...diarized, channels: 'split' }, 'channels'],
		['diarized_json without it', { ...diarized, diarize: 'false' }, 'diarize'],
		['a prompt for OpenAI’s model', { model: 'gpt-4o-transcribe-diarize', prompt: 'Hi' }, 'prompt'],
		[
			'words of OpenAI’s model',
			{
				model: 'gpt-4o-transcribe-diarize',
				response_format: 'verbose_json',
				'timestamp_granularities[]': 'word',
			},
			'timestamp_granularities',
		],
		[
			'subtitles of OpenAI’s model',
			{ model: 'gpt-4o-transcribe-diarize', response_format: 'srt' },
			'response_format',
		],
		['a name that is not enrolled', { ...diarized, known_speakers: 'Nobody' }, 'known_speakers'],
	])('of %s names the field', async (_, fields, param) => {
		const server = await arranged();
		const { status, json } = await transcribe(server, fields);
		expect([400, 404]).toContain(status);
		expect(json.error).toMatchObject({ type: 'invalid_request_error', param });
		expect(server.model.calls).toEqual([]);
		expect(server.pool.leased).toBe(0);
	});

	test('names the command to install a diarization model if there is none', async () => {
		const { status, json } = await transcribe(await arrange(), { response_format: 'diarized_json' });
		expect(status).toBe(400);
		expect(json.error).toMatchObject({
			param: 'response_format',
			code: 'unsupported_value',
			message: expect.stringContaining('pull diarization'),
		});
	});

	test('of the diarizer ends the transcription, and is the answer', async () => {
		const server = await arranged(found(), {
			model: new FakeTranscriber({
				script: async function* (_, signal) {
					yield { type: 'started', duration: 2 };
					await aborted(signal);
				},
			}),
		});
		if (server.pool.speakers)
			server.pool.speakers.script = async function* () {
				yield { type: 'started', duration: 2 };
				throw new EarshotError('invalid_request', 'too short', { param: 'known_speaker_references' });
			};
		const { status, json } = await transcribe(server, { diarize: 'true' });
		expect(status).toBe(400);
		expect(json.error).toMatchObject({ message: 'too short', param: 'known_speaker_references' });
		expect(server.pool.leased).toBe(0);
	});
});

describe('enrolled voices', () => {
	const one = found({
		turns: [{ start: 0, end: 4, speaker: 0 }],
		speakers: [{ name: null, voice: [0.6, 0.8] }],
	});

	async function enrol(server: Arranged, name: string) {
		const body = form({ name });
		return await send(`${server.url}/v1/voices`, { method: 'POST', body, headers: owner });
	}

	async function withFolder(of: FoundSpeakers = one): Promise<{ server: Arranged; folder: string }> {
		const server = await arranged(of);
		const [directory = ''] = server.directories();
		return { server, folder: join(directory, 'voices') };
	}

	test('are enrolled, listed and removed, and nothing of them is left', async () => {
		const { server, folder } = await withFolder();
		expect((await enrol(server, ' Ada ')).json).toMatchObject({ object: 'voice', name: 'Ada', seconds: 4 });
		const listed = await send(`${server.url}/v1/voices`, { headers: owner });
		expect(listed.json).toMatchObject({ object: 'list', data: [{ name: 'Ada' }] });
		expect(listed.text).not.toContain('0.6');
		const [file = ''] = readdirSync(folder);
		expect(JSON.parse(readFileSync(join(folder, file), 'utf8'))).toMatchObject({ voice: [0.6, 0.8] });
		if (process.platform !== 'win32') expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
		const removed = await send(`${server.url}/v1/voices/Ada`, { method: 'DELETE', headers: owner });
		expect(removed.json).toEqual({ object: 'voice', name: 'Ada', deleted: true });
		expect(readdirSync(folder)).toEqual([]);
		const again = await send(`${server.url}/v1/voices/Ada`, { method: 'DELETE', headers: owner });
		expect(again.status).toBe(404);
	});

	test('are enrolled and removed by many requests at once, and nothing is left in the end', async () => {
		const { server, folder } = await withFolder();
		const url = `${server.url}/v1/voices`;
		const remove = (name: string) => send(`${url}/${name}`, { method: 'DELETE', headers: owner });
		const names = ['Ada', 'Bob', 'Eve'];
		const answers = await Promise.all(
			Array.from({ length: 60 }, (_, at) => {
				const name = names[at % 3] ?? '';
				if (at % 4 === 0) return send(url, { headers: owner });
				return at % 4 === 1 ? remove(name) : enrol(server, name);
			}),
		);
		for (const { status } of answers) expect([200, 404]).toContain(status);
		await Promise.all(names.map(remove));
		expect((await send(url, { headers: owner })).json.data).toEqual([]);
		expect(readdirSync(folder)).toEqual([]);
		expect(server.pool.leased).toBe(0);
	});

	test('are used by requests that name them', async () => {
		const { server } = await withFolder();
		await enrol(server, 'Ada');
		for (const known_speakers of ['all', 'Ada'])
			await transcribe(server, { response_format: 'diarized_json', known_speakers });
		const asked = server.pool.speakers?.calls.slice(1).map(({ options }) => options.speakers?.known);
		const known = { name: 'Ada', reference: { voice: [0.6, 0.8], fingerprint: 'net' } };
		expect(asked).toEqual([[known], [{ ...known, param: 'known_speakers' }]]);
	});

	test('are carried by a job as they were when it was made, since a worker has others', async () => {
		const { server } = await withFolder();
		await enrol(server, 'Ada');
		const { promise: removed, open } = gate();
		server.model.script = async function* () {
			await removed;
			yield* eventsOf(talk);
		};
		const fields = { response_format: 'diarized_json', known_speakers: 'Ada' };
		const made = await send(`${server.url}/v1/transcription_jobs`, { method: 'POST', body: form(fields) });
		expect(made.status).toBe(202);
		await send(`${server.url}/v1/voices/Ada`, { method: 'DELETE', headers: owner });
		open(undefined);
		const job = await send(`${server.url}/v1/transcription_jobs/${made.json.id}?wait=60`);
		expect(job.json).toMatchObject({ status: 'completed', error: null });
		const known = { name: 'Ada', reference: { voice: [0.6, 0.8], fingerprint: 'net' } };
		expect(server.pool.speakers?.calls.at(-1)?.options.speakers?.known).toEqual([
			{ ...known, param: 'known_speakers' },
		]);
	});

	test('are found in a recording without a transcript', async () => {
		const { server } = await withFolder(
			found({
				turns,
				speakers: [
					{ name: 'Ada', voice: [1] },
					{ name: null, voice: [1] },
				],
			}),
		);
		const { json } = await send(`${server.url}/v1/voices/identify`, { method: 'POST', body: form() });
		expect(json.data).toEqual([
			{ object: 'speaker', speaker: 'Ada', name: 'Ada', turns: [{ start: 0, end: 1 }] },
			{ object: 'speaker', speaker: 'A', name: null, turns: [{ start: 1, end: 2 }] },
		]);
	});

	test.each([
		['of two people', found(), 'Ada', 'file'],
		[
			'of a second',
			found({ turns: turns.slice(0, 1), speakers: [{ name: null, voice: [1] }] }),
			'Ada',
			'file',
		],
		['without speech', found({ turns: [], speakers: [] }), 'Ada', 'file'],
		['without a name', one, '', 'name'],
		['by the name of all', one, 'all', 'name'],
		['with a control character in the name', one, 'A\u0000b', 'name'],
		['with a line break in the name', one, 'A\u2028b', 'name'],
		['with nothing to see in the name', one, '\u200D\u200C', 'name'],
	])('%s are refused', async (_, of, name, param) => {
		const { server, folder } = await withFolder(of);
		const { status, json } = await enrol(server, name);
		expect(status).toBe(400);
		expect(json.error.param).toBe(param);
		expect(() => readdirSync(folder)).toThrow();
	});

	test.each([
		['GET', '/v1/voices'],
		['POST', '/v1/voices'],
		['DELETE', '/v1/voices/Ada'],
	])('%s %s needs a key or the server’s own user', async (method, path) => {
		const { server } = await withFolder();
		const body = method === 'POST' ? form({ name: 'Ada' }) : null;
		const { status, json } = await send(server.url + path, { method, body });
		expect(status).toBe(403);
		expect(json.error.code).toBe('key_needed');
	});
});
