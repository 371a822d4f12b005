import OpenAI, { toFile } from 'openai';
import { describe, expect, test } from 'vitest';
import type { Timing } from '../../src/core/speech/timing.js';
import { aborted, FakeTranscriber, gate } from '../helpers/fakes.js';
import {
	type Arranged,
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
import { beach } from '../helpers/transcripts.js';

/** A model whose recordings are said to be `duration` seconds long and wait for `rest`. */
function slowModel(duration: number, timing?: Timing) {
	const started = gate();
	const rest = gate();
	const model = new FakeTranscriber({
		script: async function* (_call, signal) {
			yield { type: 'started', duration } as const;
			started.open();
			await Promise.race([rest.promise, aborted(signal)]);
			yield { type: 'segments', segments: beach.segments, language: 'en', processed: duration } as const;
			yield { type: 'done', transcript: beach, ...(timing && { timing }) } as const;
		},
	});
	return { model, started, rest };
}

const metricsOf = async (server: Arranged): Promise<string> => (await send(`${server.url}/metrics`)).text;

describe('a model whose queue is full', () => {
	test('turns a recording away with when to come back, until there is room', async () => {
		const { model, started, rest } = slowModel(500);
		const server = await arrange({ model, maxQueueSeconds: 20 });
		const first = transcribe(server);
		await started.promise;
		const refused = await transcribe(server);
		expect(refused).toMatchObject({
			status: 429,
			json: { error: { code: 'overloaded', type: 'rate_limit_error' } },
		});
		// 30 s of the first are ahead of it, and 20 are allowed; no throughput is known yet.
		expect(refused.headers.get('retry-after')).toBe('10');
		expect(refused.headers.get('x-should-retry')).toBe('true');
		expect(await metricsOf(server)).toContain('earshot_refusals_total{model="tiny",reason="queue"} 1');
		rest.open();
		expect((await first).status).toBe(200);
		expect((await transcribe(server)).status).toBe(200);
		expect(await metricsOf(server)).toContain('earshot_queue_seconds{model="tiny",class="request"} 0');
	});

	test('accepts a recording that is alone, however long', async () => {
		const { model, rest } = slowModel(14_400);
		rest.open();
		const server = await arrange({ model, maxQueueSeconds: 1 });
		expect((await transcribe(server)).status).toBe(200);
	});

	test('forgets a recording whose client has disconnected', async () => {
		const { model, started, rest } = slowModel(500);
		const server = await arrange({ model, maxQueueSeconds: 20 });
		const client = new AbortController();
		const first = fetch(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: form(),
			signal: client.signal,
		});
		await started.promise;
		client.abort();
		await expect(first).rejects.toThrow('aborted');
		await server.log.next();
		rest.open();
		expect((await transcribe(server)).status).toBe(200);
	});
});

describe('uploads that are too much together', () => {
	test.each([true, false])('are turned away (chunked: %s), and leave nothing behind', async (chunked) => {
		const { model, started, rest } = slowModel(5);
		const body = multipart([{ ...filePart, body: Buffer.alloc(1000) }]);
		const server = await arrange({ model, maxUploadsBytes: 1500, memoryUploadBytes: 100 });
		const first = sendRaw(server, { body, chunked });
		await started.promise;
		const refused = await sendRaw(server, { body, chunked });
		expect(refused).toMatchObject({ status: 429, json: { error: { code: 'overloaded' } } });
		expect(refused.headers['retry-after']).toBe('1');
		expect(server.leftovers()).toHaveLength(1);
		expect(await metricsOf(server)).toContain('earshot_refusals_total{model="",reason="uploads"} 1');
		rest.open();
		expect((await first).status).toBe(200);
		expect((await sendRaw(server, { body, chunked })).status).toBe(200);
		expect(await metricsOf(server)).toContain('earshot_uploads_bytes 0');
	});

	test('never means one that is alone', async () => {
		const server = await arrange({ maxUploadsBytes: 10 });
		expect((await transcribe(server)).status).toBe(200);
	});
});

describe('a deadline', () => {
	const within = (server: Arranged, ms: string, fields: Record<string, string> = {}) =>
		send(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: form(fields),
			headers: { 'x-earshot-timeout-ms': ms },
		});

	test('of the client ends the work with a 504', async () => {
		const { model, started } = slowModel(5);
		const server = await arrange({ model });
		const answer = within(server, '250');
		await started.promise;
		server.clock.advance(250);
		expect(await answer).toMatchObject({
			status: 504,
			json: {
				error: {
					code: 'deadline_exceeded',
					message: 'The request took longer than the 250 ms that `x-earshot-timeout-ms` allows',
				},
			},
		});
		expect((await answer).headers.get('x-should-retry')).toBe('false');
		expect(await metricsOf(server)).toContain('earshot_refusals_total{model="tiny",reason="deadline"} 1');
	});

	test('of the server holds where the client would wait longer', async () => {
		const { model, started } = slowModel(5);
		const server = await arrange({ model, maxRequestMs: 100 });
		const answer = within(server, '5000');
		await started.promise;
		server.clock.advance(100);
		expect((await answer).json.error.message).toBe(
			'The request took longer than the 100 ms that this server allows',
		);
	});

	test('ends a stream with an error event', async () => {
		const { model, started } = slowModel(5);
		const server = await arrange({ model });
		const answer = within(server, '250', { stream: 'true' });
		await started.promise;
		server.clock.advance(250);
		expect(framesOf((await answer).text)).toMatchObject([{ error: { code: 'deadline_exceeded' } }]);
	});

	test('ends an upload that does not come to its end', async () => {
		const server = await arrange({ maxRequestMs: 100 });
		const body = multipart([filePart]);
		const endless = new ReadableStream({
			start(controller) {
				controller.enqueue(body.subarray(0, 60));
				// The request is there once its head has been read.
				setImmediate(function look() {
					if (server.clock.waiting > 0) server.clock.advance(100);
					else setImmediate(look);
				});
			},
		});
		const answer = await send(`${server.url}/v1/audio/transcriptions`, {
			method: 'POST',
			body: endless,
			headers: { 'content-type': 'multipart/form-data; boundary=yy' },
			duplex: 'half',
		});
		expect(answer).toMatchObject({ status: 504, json: { error: { code: 'deadline_exceeded' } } });
	});

	test('that is kept leaves no timer behind', async () => {
		const server = await arrange({ maxRequestMs: 100 });
		expect((await within(server, '250')).status).toBe(200);
		expect(server.clock.waiting).toBe(0);
	});

	test.each(['0', '-5', '1.5', 'soon'])('of %s ms is refused', async (ms) => {
		expect(await within(await arrange(), ms)).toMatchObject({
			status: 400,
			json: { error: { code: 'invalid_request', param: 'x-earshot-timeout-ms' } },
		});
	});
});

describe('a stream that waits for others', () => {
	test('gets its position in comments, which OpenAI’s client skips', async () => {
		const { model, started, rest } = slowModel(20);
		const server = await arrange({ model });
		const first = transcribe(server);
		await started.promise;
		const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any' });
		const strict = (async () => {
			const file = await toFile(wav, 'a.wav');
			const stream = await openai.audio.transcriptions.create({ file, model: 'tiny', stream: true });
			const types: string[] = [];
			for await (const event of stream) types.push(event.type);
			return types;
		})();
		const second = transcribe(server, { stream: 'true' });
		while (server.model.calls.length < 3 || server.clock.waiting < 4) await new Promise(setImmediate);
		server.clock.advance(5000);
		rest.open();
		const comments = framesOf((await second).text).filter((frame) => String(frame).startsWith(':'));
		expect(comments).toHaveLength(2);
		for (const comment of comments) expect(comment).toMatch(/^: queued position=[12] seconds=[1-9]\d*$/);
		expect(await strict).toEqual(['transcript.text.delta', 'transcript.text.done']);
		expect((await first).status).toBe(200);
	});

	test('gets no such comments if it is alone', async () => {
		const { model, started, rest } = slowModel(20);
		const server = await arrange({ model });
		const answer = transcribe(server, { stream: 'true' });
		await started.promise;
		server.clock.advance(10_000);
		rest.open();
		expect((await answer).text).not.toContain('queued');
	});
});

describe('where the time went', () => {
	test('stands in the Server-Timing header and in the metrics', async () => {
		const { model, started, rest } = slowModel(9, { decode: 12.34, queue: 0, run: 150 });
		const server = await arrange({ model });
		const answer = transcribe(server);
		await started.promise;
		server.clock.advance(200);
		rest.open();
		expect((await answer).headers.get('server-timing')).toBe(
			'decode;dur=12.3, queue;dur=0.0, run;dur=150.0, total;dur=200.0',
		);
		const text = await metricsOf(server);
		expect(text).toContain('earshot_request_seconds_sum{model="tiny"} 0.2');
		expect(text).toContain('earshot_run_seconds_sum{model="tiny"} 0.15');
		expect(text).toMatch(/earshot_audio_seconds_total\{model="[^"]+"\} \d/);
	});
});
