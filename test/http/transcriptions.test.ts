import OpenAI, { toFile } from 'openai';
import { describe, expect, test, vi } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import type { Transcript } from '../../src/core/speech/transcript.js';
import { aborted, eventsOf, FakeTranscriber, gate, info, plain } from '../helpers/fakes.js';
import {
	arrange,
	filePart,
	form,
	framesOf,
	multipart,
	send,
	sendRaw,
	transcribe,
	wav,
} from '../helpers/net/server.js';
import { beach, segment, transcript } from '../helpers/transcripts.js';

const warningsOf = ({ warnings }: Transcript) => ({ warnings });

describe('a transcription', () => {
	test('is answered as OpenAI answers it', async () => {
		const server = await arrange();
		const answer = await transcribe(server, { model: 'tiny' });
		expect(answer.status).toBe(200);
		expect(answer.json).toEqual({
			text: beach.text,
			languages: [{ code: 'en' }],
			usage: { type: 'duration', seconds: 9 },
		});
		expect(server.model.calls[0]?.bytes).toEqual(wav);
	});

	test.each([
		['json', 'application/json; charset=utf-8'],
		['text', 'text/plain; charset=utf-8'],
		['srt', 'text/plain; charset=utf-8'],
		['vtt', 'text/vtt; charset=utf-8'],
		['tsv', 'text/tab-separated-values; charset=utf-8'],
		['lrc', 'text/plain; charset=utf-8'],
		['verbose_json', 'application/json; charset=utf-8'],
		['markdown', 'text/markdown; charset=utf-8'],
	])('as %s has its content type', async (response_format, contentType) => {
		const answer = await transcribe(await arrange(), { response_format });
		expect(answer.status).toBe(200);
		expect(answer.headers.get('content-type')).toBe(contentType);
		expect(answer.text).toContain('The beach');
	});

	test('hands the model what the fields say', async () => {
		const server = await arrange();
		await transcribe(server, {
			model: 'tiny',
			language: 'en',
			prompt: 'Hello',
			'keywords[]': ['a', 'b'],
			temperature: '0.5',
			'include[]': 'logprobs',
			'chunking_strategy[type]': 'server_vad',
			'chunking_strategy[threshold]': '0.6',
			no_such_field: 'ignored',
		});
		expect(server.model.calls[0]?.options).toEqual({
			task: 'transcribe',
			language: 'en',
			prompt: 'Hello',
			keywords: ['a', 'b'],
			temperature: 0.5,
			words: false,
			logprobs: true,
			chunking: { threshold: 0.6, prefixPaddingMs: 300, silenceDurationMs: 200 },
		});
	});

	test('that is to be doubted says so in a header, the body and the log', async () => {
		const cut = transcript([segment({ text: ' Hello' })], {
			warnings: [
				{ code: 'removed_repetition', message: 'a', start: 1, end: 2 },
				{ code: 'removed_repetition', message: 'b', start: 3, end: 4 },
				{ code: 'truncated_audio', message: 'c', start: 9 },
			],
		});
		const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(cut) }) });
		for (const response_format of ['json', 'verbose_json', 'text', 'srt']) {
			const answer = await transcribe(server, { response_format });
			expect(answer.headers.get('x-earshot-warnings')).toBe('removed_repetition, truncated_audio');
			if (response_format.endsWith('json')) expect(answer.json).toMatchObject(warningsOf(cut));
		}
		const streamed = await transcribe(server, { stream: 'true' });
		expect(framesOf(streamed.text).at(-2)).toMatchObject(warningsOf(cut));
		expect(server.log.lines).toHaveLength(5);
		for (const line of server.log.lines)
			expect(line.fields).toMatchObject({ warnings: ['removed_repetition', 'truncated_audio'] });
	});

	test('that is whole has no header of warnings', async () => {
		const server = await arrange();
		expect((await transcribe(server)).headers.has('x-earshot-warnings')).toBe(false);
		expect(server.log.lines[0]?.fields).not.toHaveProperty('warnings');
	});

	test('without text where someone spoke says so in a header, the body and the log', async () => {
		const untranscribed = [
			{ start: 2, end: 3.5 },
			{ start: 5.0000001, end: 5.75, channel: 1 },
		];
		const part = transcript([segment({ text: ' Hello' })], { untranscribed });
		const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(part) }) });
		const verbose = await transcribe(server, { response_format: 'verbose_json' });
		expect(verbose.json).toMatchObject({
			untranscribed: [
				{ start: 2, end: 3.5 },
				{ start: 5, end: 5.75, channel: 1 },
			],
		});
		const text = await transcribe(server, { response_format: 'text' });
		for (const { headers } of [verbose, text])
			expect(headers.get('x-earshot-untranscribed-seconds')).toBe('2.25');
		expect(server.log.lines[0]?.fields).toMatchObject({ untranscribedSeconds: 2.25 });
		const whole = await transcribe(await arrange(), { response_format: 'verbose_json' });
		expect(whole.json).not.toHaveProperty('untranscribed');
		expect(whole.headers.has('x-earshot-untranscribed-seconds')).toBe(false);
	});

	test('of each channel by itself marks its segments and words', async () => {
		const both = transcript([
			segment({ text: ' Hello.', channel: 0, words: [{ word: 'Hello.', start: 0, end: 1 }] }),
			segment({ text: ' Hi.', channel: 1, start: 1, end: 2 }),
		]);
		const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(both) }) });
		const fields = { channels: 'split', response_format: 'verbose_json' };
		const { json } = await transcribe(server, fields);
		expect(json).toMatchObject({ segments: [{ channel: 0 }, { channel: 1 }] });
		const words = [{ word: 'Hello.', channel: 0 }];
		const granularity = { 'timestamp_granularities[]': 'word' };
		expect((await transcribe(server, { ...fields, ...granularity })).json).toMatchObject({ words });
		expect(server.model.calls[0]?.options.channels).toBe('split');
		expect((await transcribe(server, { ...fields, response_format: 'vtt' })).text).toContain(
			'<v Channel 1>Hi.',
		);
		expect((await transcribe(server, { ...fields, response_format: 'srt' })).text).toContain(
			'[Channel 0] Hello.',
		);
		expect((await transcribe(server, { ...fields, response_format: 'markdown' })).text).toContain(
			'**Channel 1:** Hi.',
		);
	});

	test.each([
		[{ channels: 'both' }, 'channels', 'Expected `channels` to be one of `mix`, `split`, got `both`'],
		[{ channels: 'split', stream: 'true' }, 'stream', '`stream` needs `channels` to be `mix`, got `split`'],
	])('refuses %o', async (fields, param, message) => {
		const answer = await transcribe(await arrange(), fields);
		expect(answer).toMatchObject({ status: 400, json: { error: { param, message } } });
	});

	test('without a model uses the default one', async () => {
		const server = await arrange();
		expect((await transcribe(server)).status).toBe(200);
		expect(server.pool.asked).toEqual(['tiny']);
	});

	test('of silence is an empty text', async () => {
		const silence = transcript([], { language: null, duration: 3 });
		const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(silence) }) });
		const answer = await transcribe(server);
		expect(answer).toMatchObject({ status: 200, json: { text: '' } });
	});

	test('refuses what the model cannot honour, naming the field', async () => {
		const server = await arrange({ model: new FakeTranscriber({ info: info(plain) }) });
		const answer = await transcribe(server, { 'keywords[]': 'Hello' });
		expect(answer).toMatchObject({
			status: 400,
			json: { error: { param: 'keywords', code: 'unsupported_value' } },
		});
	});

	test('ignores fields that programs send to any model: reported in a header each time, in the log once', async () => {
		const server = await arrange({ model: new FakeTranscriber({ info: info(plain) }) });
		for (const stream of ['false', 'true']) {
			const answer = await transcribe(server, {
				prompt: 'private',
				temperature: '0.3',
				beam_size: '5',
				stream,
			});
			expect(answer.status).toBe(200);
			expect(answer.headers.get('x-earshot-ignored')).toBe('beam_size, prompt, temperature');
		}
		expect((await transcribe(server)).headers.get('x-earshot-ignored')).toBeNull();
		const logged = server.log.lines.filter(({ message }) => message.includes('x-earshot-ignored'));
		expect(logged).toMatchObject([
			{ level: 'info', fields: { model: 'tiny', fields: ['beam_size', 'prompt', 'temperature'] } },
		]);
		expect(JSON.stringify(server.log.lines)).not.toContain('private');
	});

	test.each(['/openai/deployments/org%2Flarge:q5/audio', '/openai/deployments/org/large:q5/audio'])(
		'answers at Azure’s path, whose deployment is the model: %s',
		async (path) => {
			const server = await arrange({ apiKeys: ['secret'] });
			const answer = await send(`${server.url}${path}/transcriptions?api-version=2024-10-21`, {
				method: 'POST',
				headers: { 'api-key': 'secret' },
				body: form(),
			});
			expect(answer.status).toBe(200);
			expect(server.pool.asked).toEqual(['org/large:q5']);
			const translated = await send(`${server.url}${path}/translations`, {
				method: 'POST',
				headers: { 'api-key': 'secret' },
				body: form(),
			});
			expect(translated.status).toBe(200);
			expect(server.model.calls[1]?.options.task).toBe('translate');
		},
	);

	test('answers without /v1 as well', async () => {
		const server = await arrange();
		expect((await transcribe(server, {}, '/audio/transcriptions')).status).toBe(200);
		expect((await transcribe(server, {}, '/audio/translations')).status).toBe(200);
	});

	test('as subtitles is cut as the fields say, by the times of the words', async () => {
		const server = await arrange();
		const answer = await transcribe(server, {
			response_format: 'srt',
			max_line_width: '12',
			max_line_count: '1',
		});
		expect(answer.text.split('\n')).toEqual(
			expect.arrayContaining(['The beach', 'was', 'a popular', 'spot.', 'People swam', '& played.']),
		);
		expect(server.model.calls[0]?.options).toMatchObject({ words: true, wordsOptional: true });
	});

	test('in verbose_json has words only on request', async () => {
		const server = await arrange();
		const verbose = { response_format: 'verbose_json' };
		const plainly = await transcribe(server, verbose);
		const words = await transcribe(server, { ...verbose, 'timestamp_granularities[]': 'word' });
		const both = await transcribe(server, { ...verbose, timestamp_granularities: ['word', 'segment'] });
		expect(Object.keys(plainly.json)).toEqual(['task', 'language', 'duration', 'text', 'segments', 'usage']);
		expect(Object.keys(words.json)).toEqual(['task', 'language', 'duration', 'text', 'words', 'usage']);
		expect(both.json).toMatchObject({ words: expect.any(Array), segments: expect.any(Array) });
	});
});

describe('a translation', () => {
	test('is requested from the model and is in English', async () => {
		const translated = transcript([segment({ text: ' Hi.' })], { task: 'translate', language: 'de' });
		const server = await arrange({ model: new FakeTranscriber({ script: () => eventsOf(translated) }) });
		const answer = await transcribe(server, { response_format: 'verbose_json' }, '/v1/audio/translations');
		expect(answer.json).toMatchObject({ task: 'translate', language: 'english', text: 'Hi.' });
		expect(server.model.calls[0]?.options.task).toBe('translate');
	});

	test('by a model that cannot is refused, naming the model', async () => {
		const server = await arrange({ model: new FakeTranscriber({ info: info(plain) }) });
		const answer = await transcribe(server, {}, '/v1/audio/translations');
		expect(answer).toMatchObject({
			status: 400,
			json: { error: { param: 'model', code: 'unsupported_value' } },
		});
	});
});

describe('a refusal', () => {
	test.each([
		[{ response_format: 'diarized_json' }, 'response_format', 'unsupported_value'],
		[{ 'known_speaker_names[]': 'Ann' }, 'known_speaker_names', 'unsupported_value'],
		[{ language: 'fr' }, 'language', 'unsupported_value'],
		[{ 'include[]': 'logprobs' }, 'include', 'unsupported_value'],
		[{ temperature: '7' }, 'temperature', 'invalid_request'],
	])('of %j is a 400 that names the field', async (fields, param, code) => {
		const server = await arrange({ model: new FakeTranscriber({ info: info(plain) }) });
		const answer = await transcribe(server, fields);
		expect(answer.status).toBe(400);
		expect(answer.json).toEqual({
			error: { message: expect.any(String), type: 'invalid_request_error', param, code },
		});
		expect(server.model.calls).toEqual([]);
	});

	test('of speakers names them even where their recordings are larger than all other fields may be', async () => {
		const reference = `data:audio/wav;base64,${'A'.repeat(3 << 20)}`;
		const answer = await transcribe(await arrange(), { 'known_speaker_references[]': reference });
		expect(answer).toMatchObject({ status: 400, json: { error: { param: 'known_speaker_references' } } });
	});

	test('of an unknown model is a 404 that names the field', async () => {
		const answer = await transcribe(await arrange(), { model: 'nope' });
		expect(answer).toMatchObject({
			status: 404,
			json: { error: { param: 'model', code: 'model_not_found', type: 'invalid_request_error' } },
		});
	});

	test.each([
		['audio_unsupported', 400, undefined],
		['audio_too_short', 400, undefined],
		['audio_too_long', 400, undefined],
		['overloaded', 429, 'true'],
		['engine_failed', 500, 'false'],
		['model_load_failed', 500, 'false'],
		['engine_missing', 503, 'false'],
		['out_of_memory', 503, 'true'],
		['closed', 503, 'true'],
	] as const)('by the model with %s is a %i', async (code, status, shouldRetry) => {
		const model = new FakeTranscriber({
			script: () => {
				throw new EarshotError(code, 'no', { param: 'file' });
			},
		});
		const answer = await transcribe(await arrange({ model }));
		expect(answer).toMatchObject({ status, json: { error: { code, message: 'no', param: 'file' } } });
		expect(answer.headers.get('x-should-retry') ?? undefined).toBe(shouldRetry);
	});

	test('for too much work says when to come back', async () => {
		const server = await arrange();
		server.pool.onLoad = async () => {
			throw new EarshotError('overloaded', 'busy', { retryAfterSeconds: 7 });
		};
		const answer = await transcribe(server);
		expect(answer.status).toBe(429);
		expect(answer.headers.get('retry-after')).toBe('7');
		expect(answer.json.error.type).toBe('rate_limit_error');
	});

	test('for an unexpected error hides its message, and logs it', async () => {
		const model = new FakeTranscriber({
			script: () => {
				throw new TypeError('secret');
			},
		});
		const server = await arrange({ model });
		const answer = await transcribe(server);
		expect(answer.status).toBe(500);
		expect(answer.text).not.toContain('secret');
		expect(await server.log.next()).toMatchObject({ level: 'error', fields: { err: { message: 'secret' } } });
	});

	test('when the model ends without a transcript is a 500', async () => {
		const model = new FakeTranscriber({
			script: async function* () {
				yield { type: 'started', duration: 1 } as const;
			},
		});
		const server = await arrange({ model });
		expect((await transcribe(server)).status).toBe(500);
		expect(framesOf((await transcribe(server, { stream: 'true' })).text)).toMatchObject([
			{ error: { code: 'internal' } },
		]);
	});

	test('when the model is closed under a waiting client is a 503', async () => {
		const model = new FakeTranscriber({
			script: () => {
				throw new EarshotError('cancelled', 'cancelled');
			},
		});
		expect(await transcribe(await arrange({ model }))).toMatchObject({
			status: 503,
			json: { error: { code: 'closed' } },
		});
	});
});

describe('a stream', () => {
	test('is deltas, the whole text and the end', async () => {
		const answer = await transcribe(await arrange(), { stream: 'true' });
		expect(answer.status).toBe(200);
		expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
		expect(answer.headers.get('x-accel-buffering')).toBe('no');
		expect(framesOf(answer.text)).toEqual([
			{ type: 'transcript.text.delta', delta: 'The beach was a popular spot.' },
			{ type: 'transcript.text.delta', delta: ' People swam & played.' },
			{
				type: 'transcript.text.done',
				text: beach.text,
				language: 'en',
				languages: [{ code: 'en' }],
				duration: 8.47,
				usage: expect.objectContaining({ type: 'tokens', total_tokens: 89 }),
			},
			'data: [DONE]',
		]);
	});

	test('of verbose_json has its segments as they come', async () => {
		const answer = await transcribe(await arrange(), { stream: 'true', response_format: 'verbose_json' });
		expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
		expect(framesOf(answer.text)).toMatchObject([
			{ type: 'transcript.text.delta' },
			{ type: 'transcript.text.segment', start: 0, end: 3.32 },
			{ type: 'transcript.text.delta' },
			{ type: 'transcript.text.segment', start: 3.32, end: 8.47 },
			{ type: 'transcript.text.done', task: 'transcribe', language: 'english', duration: 8.47 },
			'data: [DONE]',
		]);
	});

	test.each([
		[{ response_format: 'srt' }, /^1\n00:00:00,000 -->/],
		[{ model: 'whisper-1' }, /^\{"text":"The beach/],
		[{ response_format: 'text', model: 'whisper-1' }, /^The beach/],
		[{ response_format: 'verbose_json', model: 'whisper-1' }, /^\{"task":"transcribe"/],
	])('of %j is no stream, as with OpenAI’s whisper-1', async (fields, body) => {
		const answer = await transcribe(await arrange(), { stream: 'true', ...fields });
		expect(answer).toMatchObject({ status: 200, text: expect.stringMatching(body) });
		expect(answer.headers.get('x-earshot-ignored')).toBe('stream');
	});

	test('sends a delta when its segment is finished, not at the end', async () => {
		const second = gate();
		const model = new FakeTranscriber({
			script: async function* () {
				const [first, last] = beach.segments;
				yield { type: 'started', duration: 8 } as const;
				yield { type: 'segments', segments: [first!], language: 'en', processed: 3 } as const;
				await second.promise;
				yield { type: 'segments', segments: [last!], language: 'en', processed: 8 } as const;
				yield { type: 'done', transcript: beach } as const;
			},
		});
		const server = await arrange({ model });
		const response = await fetch(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: form({ stream: 'true' }),
		});
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		expect(framesOf((await reader.read()).value!)).toEqual([
			{ type: 'transcript.text.delta', delta: 'The beach was a popular spot.' },
		]);
		second.open();
		let rest = '';
		for (let read = await reader.read(); !read.done; read = await reader.read()) rest += read.value;
		expect(framesOf(rest)).toHaveLength(3);
	});

	test('carries log-probabilities on request', async () => {
		const answer = await transcribe(await arrange(), { stream: 'true', 'include[]': 'logprobs' });
		expect(framesOf(answer.text)).toMatchObject([
			{ logprobs: [{ token: ' The' }] },
			{ logprobs: [{ token: ' People' }] },
			{ type: 'transcript.text.done', logprobs: [{ token: ' The' }, { token: ' People' }] },
			'data: [DONE]',
		]);
	});

	test('that fails before it begins is an ordinary error', async () => {
		const model = new FakeTranscriber({
			script: () => {
				throw new EarshotError('audio_unsupported', 'this is no recording');
			},
		});
		const answer = await transcribe(await arrange({ model }), { stream: 'true' });
		expect(answer).toMatchObject({ status: 400, json: { error: { code: 'audio_unsupported' } } });
	});

	test('that fails midway says so in an event and ends', async () => {
		const model = new FakeTranscriber({
			script: async function* () {
				yield { type: 'started', duration: 8 } as const;
				yield {
					type: 'segments',
					segments: beach.segments.slice(0, 1),
					language: 'en',
					processed: 3,
				} as const;
				throw new EarshotError('engine_failed', 'the model crashed');
			},
		});
		const server = await arrange({ model });
		const answer = await transcribe(server, { stream: 'true' });
		expect(framesOf(answer.text)).toEqual([
			{ type: 'transcript.text.delta', delta: 'The beach was a popular spot.' },
			{
				error: { message: 'the model crashed', type: 'server_error', param: null, code: 'engine_failed' },
			},
		]);
		expect(await server.log.next()).toMatchObject({
			level: 'error',
			fields: { status: 200, code: 'engine_failed' },
		});
	});

	test('is kept alive while the model is busy, and not longer', async () => {
		const rest = gate();
		const started = gate();
		const model = new FakeTranscriber({
			script: async function* () {
				yield { type: 'started', duration: 8 } as const;
				started.open();
				await rest.promise;
				yield { type: 'done', transcript: beach } as const;
			},
		});
		const server = await arrange({ model });
		const answer = transcribe(server, { stream: 'true' });
		await started.promise;
		server.clock.advance(14_999);
		server.clock.advance(1);
		server.clock.advance(15_000);
		rest.open();
		const frames = framesOf((await answer).text);
		expect(frames.filter((frame) => frame === ': keep-alive')).toHaveLength(2);
		expect(frames.slice(0, 2)).toEqual([': keep-alive', ': keep-alive']);
		expect(server.clock.waiting).toBe(0);
	});
});

describe('a client that goes away', () => {
	test.each(['false', 'true'])('ends the work for it and leaves no file (stream=%s)', async (stream) => {
		const started = gate();
		const model = new FakeTranscriber({
			script: async function* (_call, signal) {
				yield { type: 'started', duration: 8 } as const;
				started.open();
				await aborted(signal);
			},
		});
		const server = await arrange({ model, memoryUploadBytes: 8 });
		const client = new AbortController();
		const answer = fetch(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: form({ stream }),
			signal: client.signal,
		}).then((response) => response.text());
		await started.promise;
		expect(server.leftovers()).toHaveLength(1);
		client.abort();
		await expect(answer).rejects.toThrow('aborted');
		expect(await server.log.next()).toMatchObject({
			level: 'info',
			fields: { code: 'cancelled', status: 499 },
		});
		expect(server.leftovers()).toEqual([]);
	});

	test('while its model is being loaded reaches the pool', async () => {
		const asked = gate();
		const server = await arrange();
		server.pool.onLoad = async (_model, signal) => {
			asked.open();
			await aborted(signal);
		};
		const client = new AbortController();
		const answer = fetch(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: form(),
			signal: client.signal,
		});
		await asked.promise;
		client.abort();
		await expect(answer).rejects.toThrow('aborted');
		expect((await server.log.next()).fields.code).toBe('cancelled');
		expect(server.model.calls).toEqual([]);
	});
});

describe("OpenAI's own client", () => {
	async function client(options: Parameters<typeof arrange>[0] = {}) {
		const server = await arrange(options);
		const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any', maxRetries: 0 });
		return { server, openai, file: await toFile(wav, 'a.wav') };
	}

	test('gets json, with log-probabilities and chunking', async () => {
		const { server, openai, file } = await client();
		const answer = await openai.audio.transcriptions.create({
			file,
			model: 'whisper-1',
			include: ['logprobs'],
			language: 'en',
			chunking_strategy: { type: 'server_vad', threshold: 0.25 },
		});
		expect(answer.text).toBe(beach.text);
		expect(answer.logprobs).toHaveLength(2);
		expect(answer._request_id).toMatch(/^req_/);
		expect(server.model.calls[0]?.options.chunking.threshold).toBe(0.25);
	});

	test('gets verbose_json with words and segments', async () => {
		const { openai, file } = await client();
		const answer = await openai.audio.transcriptions.create({
			file,
			model: 'tiny',
			response_format: 'verbose_json',
			timestamp_granularities: ['word', 'segment'],
		});
		expect(answer.language).toBe('english');
		expect(answer.words?.[0]).toEqual({ word: 'The', start: 0, end: 0.24 });
		expect(answer.segments?.[1]?.avg_logprob).toBe(-0.5);
	});

	test.each(['text', 'srt', 'vtt'] as const)('gets %s as a string', async (response_format) => {
		const { openai, file } = await client();
		const answer = await openai.audio.transcriptions.create({ file, model: 'tiny', response_format });
		expect(answer).toContain('The beach');
	});

	test('reads the stream to its end', async () => {
		const { openai, file } = await client();
		const stream = await openai.audio.transcriptions.create({
			file,
			model: 'tiny',
			stream: true,
			include: ['logprobs'],
		});
		let text = '';
		let whole = '';
		for await (const event of stream) {
			if (event.type === 'transcript.text.delta') text += event.delta;
			if (event.type === 'transcript.text.done') whole = event.text;
		}
		expect(text).toBe(beach.text);
		expect(whole).toBe(beach.text);
	});

	test('gets one document if it requests a stream from whisper-1, as from OpenAI', async () => {
		const { openai, file } = await client();
		const { data, response } = await openai.audio.transcriptions
			.create({ file, model: 'whisper-1', stream: true })
			.withResponse();
		expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
		expect(response.headers.get('x-earshot-ignored')).toBe('stream');
		for await (const event of data) throw new Error(`an event came: ${event.type}`);
	});

	test('throws when the stream fails midway', async () => {
		const model = new FakeTranscriber({
			script: async function* () {
				yield { type: 'started', duration: 8 } as const;
				throw new EarshotError('engine_failed', 'the model crashed');
			},
		});
		const { openai, file } = await client({ model });
		const stream = await openai.audio.transcriptions.create({ file, model: 'tiny', stream: true });
		const read = (async () => {
			for await (const _ of stream);
		})();
		await expect(read).rejects.toThrow('the model crashed');
	});

	test('translates', async () => {
		const { openai, file } = await client();
		const answer = await openai.audio.translations.create({ file, model: 'tiny' });
		expect(answer.text).toBe(beach.text);
	});

	test('lists models and retrieves one by an alias or an id with a slash', async () => {
		const { openai } = await client();
		const models = await openai.models.list();
		expect(models.data.map(({ id }) => id)).toEqual(['tiny', 'org/large:q5']);
		expect(await openai.models.retrieve('whisper-1')).toMatchObject({ id: 'tiny', owned_by: 'earshot' });
		expect(await openai.models.retrieve('org/large:q5')).toMatchObject({ id: 'org/large:q5' });
	});

	test.each([
		[{ model: 'nope' }, OpenAI.NotFoundError, 'model'],
		[{ model: 'tiny', temperature: 3 }, OpenAI.BadRequestError, 'temperature'],
	])('throws its own errors for %j', async (fields, kind, param) => {
		const { openai, file } = await client();
		const error = await openai.audio.transcriptions.create({ file, ...fields }).catch((thrown) => thrown);
		expect(error).toBeInstanceOf(kind);
		expect(error).toMatchObject({ param, requestID: expect.stringMatching(/^req_/) });
	});

	test('throws an AuthenticationError without the right key', async () => {
		const { openai, file } = await client({ apiKeys: ['sk-right'] });
		const error = await openai.audio.transcriptions.create({ file, model: 'tiny' }).catch((thrown) => thrown);
		expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
	});

	test('comes back by itself when the server was busy', async () => {
		const server = await arrange();
		let calls = 0;
		server.pool.onLoad = async () => {
			calls++;
			if (calls === 1) throw new EarshotError('overloaded', 'busy', { retryAfterSeconds: 0 });
		};
		const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any', maxRetries: 1 });
		const answer = await openai.audio.transcriptions.create({
			file: await toFile(wav, 'a.wav'),
			model: 'tiny',
		});
		expect(answer.text).toBe(beach.text);
		expect(calls).toBe(2);
	});

	test('does not send a recording again that broke the model', async () => {
		let calls = 0;
		const model = new FakeTranscriber({
			script: () => {
				calls++;
				throw new EarshotError('engine_failed', 'the model crashed');
			},
		});
		const server = await arrange({ model });
		const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any', maxRetries: 2 });
		const answer = openai.audio.transcriptions.create({ file: await toFile(wav, 'a.wav'), model: 'tiny' });
		await expect(answer).rejects.toThrow('the model crashed');
		expect(calls).toBe(1);
	});
});

test('what other clients send is understood: python-requests, .NET and curl', async () => {
	const server = await arrange();
	const { type: _, ...untyped } = filePart;
	const text = { type: 'text/plain; charset=utf-8' };
	const bodies = [
		multipart([{ name: 'model', body: 'tiny' }, untyped]),
		multipart([
			{ name: 'model', body: 'tiny', ...text },
			{ name: 'temperature', body: '0.5', ...text },
			filePart,
		]),
		multipart([filePart, { name: 'model', body: 'tiny' }]),
		multipart([{ name: 'file', type: 'audio/wav', body: wav }]),
	];
	for (const body of bodies) expect(await sendRaw(server, { body })).toMatchObject({ status: 200 });
	expect(server.model.calls.map(({ bytes }) => bytes.equals(wav))).toEqual([true, true, true, true]);
	expect(server.model.calls[1]?.options.temperature).toBe(0.5);
});

test('a path in a path: unknown ones are refused in the envelope', async () => {
	const server = await arrange();
	expect(await send(`${server.url}/v1/audio/speech`, { method: 'POST' })).toMatchObject({
		status: 404,
		json: { error: { code: 'not_found', type: 'invalid_request_error' } },
	});
});

test('the model is given back however a request ends', async () => {
	const server = await arrange();
	await transcribe(server);
	await transcribe(server, { stream: 'true' });
	expect((await transcribe(server, { temperature: 'hot' })).status).toBe(400);
	server.model.script = () => {
		throw new EarshotError('engine_failed', 'no');
	};
	expect((await transcribe(server)).status).toBe(500);
	expect(server.pool.leased).toBe(0);
	server.model.script = (_, signal) => {
		expect(server.pool.leased).toBe(1);
		return (async function* () {
			yield await aborted(signal);
		})();
	};
	const gone = new AbortController();
	const lost = fetch(`${server.url}/v1/audio/transcriptions`, {
		method: 'POST',
		body: form(),
		signal: gone.signal,
	});
	await vi.waitUntil(() => server.pool.leased === 1);
	gone.abort();
	await expect(lost).rejects.toThrow();
	await vi.waitUntil(() => server.pool.leased === 0);
});
