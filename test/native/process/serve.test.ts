import { createReadStream, readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audioPath, modelFixture } from '../../helpers/fixtures.js';
import { type Served, serveFixtures } from '../../helpers/net/real-server.js';

let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(() => served.close());

function post(
	recording: string,
	fields: Record<string, string> = {},
	signal?: AbortSignal,
): Promise<Response> {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(audioPath(recording))]), `${recording}.wav`);
	for (const [name, value] of Object.entries(fields)) form.append(name, value);
	return fetch(`${served.url}/v1/audio/transcriptions`, {
		method: 'POST',
		body: form,
		...(signal ? { signal } : {}),
	});
}

async function textOf(response: Response): Promise<string> {
	return ((await response.json()) as { text: string }).text;
}

async function codeOf(response: Response): Promise<[number, string | null]> {
	const { error } = (await response.json()) as { error: { code: string | null } };
	return [response.status, error.code];
}

describe('the server with real engines', () => {
	it('transcribes recordings of any rate, depth and number of channels', async () => {
		for (const recording of [
			'tones-abc',
			'tones-abc-44100-stereo',
			'tones-abc-8000',
			'tones-abc-8000-mulaw',
			'tones-abc-float',
		]) {
			expect([recording, await textOf(await post(recording))]).toEqual([recording, 'a b c']);
		}
	});

	it('gives segments and words at their times in a recording with pauses', async () => {
		const response = await post('tones-long-pauses', {
			response_format: 'verbose_json',
			'timestamp_granularities[]': 'word',
		});
		const { words } = (await response.json()) as { words: { word: string; start: number }[] };
		expect(words.map(({ word, start }) => [word, Math.round(start * 5) / 5])).toEqual([
			['a', 1],
			['b', 4.6],
			['c', 8.2],
			['d', 11.8],
			['e', 15.4],
		]);
	});

	it('drops nothing of a recording that is cut into many clips', async () => {
		expect(await textOf(await post('tones-minute'))).toBe(
			modelFixture('zipformer_ctc').expectedTexts['tones-minute'],
		);
	});

	it('answers silence with an empty text', async () => {
		expect(await textOf(await post('silence'))).toBe('');
	});

	it('serves several models at once, each request its own', async () => {
		const names = ['sense_voice', 'paraformer', 'transducer', 'nemo_transducer', 'whisper', 'nemo_ctc'];
		const texts = await Promise.all(names.map(async (model) => textOf(await post('tones-abc', { model }))));
		expect(texts).toEqual(names.map((name) => modelFixture(name).expectedTexts['tones-abc']));
	});

	it('returns the language that a model detected', async () => {
		const response = await post('tones-abc', { model: 'sense_voice', response_format: 'verbose_json' });
		expect(await response.json()).toMatchObject({ language: 'english', segments: [{ text: ' a b c' }] });
	});

	it('answers in the language that the request chooses, and refuses one that the model does not have', async () => {
		const fields = { model: 'sense_voice', response_format: 'verbose_json' };
		const chinese = await post('tones-abc', { ...fields, language: 'zh' });
		expect(await chinese.json()).toMatchObject({
			language: 'chinese',
			segments: [{ text: ' a b c', emotion: 'NEUTRAL', event: 'Speech' }],
		});
		const swahili = await post('tones-abc', { ...fields, language: 'sw' });
		expect(swahili.status).toBe(400);
		expect(await swahili.json()).toMatchObject({
			error: { param: 'language', message: expect.stringContaining('zh, en, ja, ko, yue') },
		});
	});

	it('says so when an engine fails on a clip and keeps it to itself', async () => {
		const response = await post('tones-abc', { model: 'moonshine_fails' });
		expect(response.status).toBe(500);
		expect(await response.json()).toMatchObject({
			error: { code: 'engine_failed', message: expect.stringContaining('sherpa-onnx failed on the clip') },
		});
	});

	it('speaks to the official client, streaming included', async () => {
		const openai = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: 'none' });
		const file = () => createReadStream(audioPath('tones-long-pauses'));
		const transcript = await openai.audio.transcriptions.create({ file: file(), model: 'whisper-1' });
		expect(transcript.text).toBe('a b c d e');
		const deltas: string[] = [];
		let done = '';
		for await (const event of await openai.audio.transcriptions.create({
			file: file(),
			model: 'gpt-4o-transcribe',
			stream: true,
		})) {
			if (event.type === 'transcript.text.delta') deltas.push(event.delta);
			if (event.type === 'transcript.text.done') done = event.text;
		}
		expect(deltas).toHaveLength(5);
		expect(deltas.join('')).toBe(done);
	});

	it('fails a recording that kills the engine twice, and no other', async () => {
		const model = 'crash_on_e';
		const recordings = ['tones-abc', 'tones-abcde', 'tones-deadbead', 'tones-abc', 'tones-a'];
		const responses = await Promise.all(recordings.map((recording) => post(recording, { model })));
		expect(responses.map(({ status }) => status)).toEqual([200, 500, 500, 200, 200]);
		expect(await codeOf(responses[1]!)).toEqual([500, 'engine_failed']);
		expect(await textOf(responses[3]!)).toBe('a b c');
	});

	it('fails a recording on which the engine reports an error, and goes on', async () => {
		const model = 'fail_on_e';
		expect((await post('tones-e', { model })).status).toBe(500);
		expect((await post('tones-abc', { model })).status).toBe(200);
	});

	it('loses no request when a runner is killed under load', async () => {
		const model = 'slow';
		const running = Array.from({ length: 4 }, () => post('tones-abc', { model }));
		const host = await started(model);
		process.kill(host, 'SIGKILL');
		const texts = await Promise.all(running.map(async (response) => textOf(await response)));
		expect(texts).toEqual(['a b c', 'a b c', 'a b c', 'a b c']);
	});

	it('frees the slot of a client that goes away', async () => {
		const gone = new AbortController();
		const lost = post('tones-minute', { model: 'slow' }, gone.signal);
		await started('slow');
		gone.abort();
		await expect(lost).rejects.toThrow();
		expect(await textOf(await post('tones-a', { model: 'slow' }))).toBe('a');
	});

	it('says why a model cannot be loaded', async () => {
		for (const [model, says] of [
			['no_metadata', 'subsampling_factor'],
			['truncated', 'truncated'],
			['no_file', 'no_file'],
		] as const) {
			const response = await post('tones-abc', { model });
			const { error } = (await response.json()) as { error: { code: string; message: string } };
			expect([model, response.status, error.code]).toEqual([model, 500, 'model_load_failed']);
			expect(error.message).toContain(says);
		}
	});

	it('refuses what is no audio, and names the field', async () => {
		const form = new FormData();
		form.append('file', new Blob(['this is no audio at all']), 'a.wav');
		const response = await fetch(`${served.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
		expect(response.status).toBe(400);
		expect(await response.json()).toMatchObject({ error: { code: 'audio_unsupported', param: 'file' } });
	});

	it('refuses words of a model file that has no times for them', async () => {
		const response = await post('tones-abc', {
			model: 'paraformer_plain',
			response_format: 'verbose_json',
			'timestamp_granularities[]': 'word',
		});
		expect(await codeOf(response)).toEqual([400, 'unsupported_value']);
	});
});

/** The process of a model's host once it has one. */
async function started(model: string): Promise<number> {
	const lease = await served.pool.lease(model, new AbortController().signal);
	lease.release();
	return served.pool.models.find(({ id }) => id === model)?.pid ?? 0;
}
