import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import { eventsOf, FakeTranscriber, gate } from '../helpers/fakes.js';
import {
	type Arranged,
	arrange,
	filePart,
	multipart,
	type Part,
	sendRaw,
	wav,
} from '../helpers/net/server.js';
import { beach } from '../helpers/transcripts.js';

const refused = (param: string | null, message: RegExp) => ({
	status: 400,
	json: { error: { param, code: 'invalid_request', message: expect.stringMatching(message) } },
});

describe('a recording', () => {
	test.each([0, 1, 100, 65_536, 1_000_000])(
		'arrives whole beside %i bytes of memory',
		async (memoryUploadBytes) => {
			// Full of what looks like the beginning of a boundary, in pieces that fall anywhere.
			const noise = Array.from({ length: 2000 }, () => [
				randomBytes(97),
				Buffer.from('\r\n--y'),
				Buffer.from('\r\n--'),
			]);
			const body = Buffer.concat(noise.flat());
			const server = await arrange({ memoryUploadBytes });
			const answer = await sendRaw(server, { body: multipart([{ ...filePart, body }]), chunked: true });
			expect(answer.status).toBe(200);
			expect(server.model.calls[0]?.bytes.equals(body)).toBe(true);
			expect('path' in server.model.calls[0]!.recording).toBe(body.length > memoryUploadBytes);
			expect(server.leftovers()).toEqual([]);
		},
	);

	test('that is small never touches the disk', async () => {
		const leftovers: string[][] = [];
		const model = new FakeTranscriber();
		const server = await arrange({ model });
		model.script = () => {
			leftovers.push(server.leftovers());
			return eventsOf(beach);
		};
		await sendRaw(server, { body: multipart([filePart]) });
		expect(leftovers).toEqual([[]]);
	});

	test('that is large is stored where only this user can read it, under a generated name', async () => {
		const seen: { file: number; directory: number; path: string }[] = [];
		const model = new FakeTranscriber({
			script: ({ recording }) => {
				const path = 'path' in recording ? recording.path : '';
				seen.push({
					file: statSync(path).mode & 0o777,
					directory: statSync(dirname(path)).mode & 0o777,
					path,
				});
				return eventsOf(beach);
			},
		});
		const server = await arrange({ model, memoryUploadBytes: 4 });
		const filename = '../../../../etc/cron.d/evil.wav';
		expect((await sendRaw(server, { body: multipart([{ ...filePart, filename }]) })).status).toBe(200);
		expect(seen).toMatchObject([{ file: 0o600, directory: 0o700 }]);
		expect(seen[0]?.path).not.toContain('evil');
	});

	test('is removed from the disk after a failure as well', async () => {
		const model = new FakeTranscriber({
			script: () => {
				throw new EarshotError('audio_unsupported', 'this is no recording');
			},
		});
		const server = await arrange({ model, memoryUploadBytes: 4 });
		expect((await sendRaw(server, { body: multipart([filePart]) })).status).toBe(400);
		expect(server.leftovers()).toEqual([]);
	});

	test('is written even where a cleaner of temporary files was there before', async () => {
		const server = await arrange({ memoryUploadBytes: 4 });
		for (const directory of server.directories()) rmSync(directory, { recursive: true });
		expect((await sendRaw(server, { body: multipart([filePart]) })).status).toBe(200);
	});

	test('in base64 is decoded', async () => {
		const server = await arrange();
		const encoded: Part = {
			...filePart,
			headers: ['Content-Transfer-Encoding: base64'],
			body: wav.toString('base64'),
		};
		expect((await sendRaw(server, { body: multipart([encoded]) })).status).toBe(200);
		expect(server.model.calls[0]?.bytes).toEqual(wav);
	});

	test('may have a name in an encoding of its own', async () => {
		const server = await arrange();
		const body = multipart([{ name: 'file', body: wav }]).toString('latin1');
		const named = body.replace('name="file"', 'name="file"; filename*=utf-8\'\'gespr%C3%A4ch.wav');
		expect((await sendRaw(server, { body: Buffer.from(named, 'latin1') })).status).toBe(200);
		expect(server.model.calls[0]?.bytes).toEqual(wav);
	});

	test('may have a boundary with the name of another format in it', async () => {
		const server = await arrange();
		const boundary = 'x-json-octet-stream-urlencoded';
		const body = Buffer.from(
			multipart([filePart]).toString('latin1').replaceAll('--yy', `--${boundary}`),
			'latin1',
		);
		const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
		expect((await sendRaw(server, { body, headers })).status).toBe(200);
		expect(server.model.calls[0]?.bytes).toEqual(wav);
	});
});

describe('the size limit', () => {
	const maxUploadBytes = 100_000;

	test('lets the largest recording in', async () => {
		const server = await arrange({ maxUploadBytes });
		const body = multipart([{ ...filePart, body: Buffer.alloc(maxUploadBytes, 1) }]);
		expect((await sendRaw(server, { body })).status).toBe(200);
	});

	test.each([true, false])('refuses one byte more, in OpenAI’s words (chunked: %s)', async (chunked) => {
		const server = await arrange({ maxUploadBytes, memoryUploadBytes: 10 });
		const body = multipart([{ ...filePart, body: Buffer.alloc(maxUploadBytes + 1, 1) }]);
		const answer = await sendRaw(server, { body, chunked });
		expect(answer.status).toBe(413);
		expect(answer.json.error).toEqual({
			message: expect.stringMatching(/^Maximum content size limit \(100000\) exceeded \(\d+ bytes read\)$/),
			type: 'server_error',
			param: 'file',
			code: 'upload_too_large',
		});
		expect(server.leftovers()).toEqual([]);
		expect(server.model.calls).toEqual([]);
	});

	test('refuses a declared length without reading the body', async () => {
		const server = await arrange({ maxUploadBytes });
		const outgoing = request({
			port: server.port,
			host: '127.0.0.1',
			path: '/v1/audio/transcriptions',
			method: 'POST',
			headers: { 'content-type': 'multipart/form-data; boundary=yy', 'content-length': '5000000000' },
		});
		outgoing.flushHeaders();
		const [response] = await once(outgoing, 'response');
		expect(response.statusCode).toBe(413);
		outgoing.destroy();
	});

	test('reaches a client that sends everything before it reads', async () => {
		const server = await arrange({ maxUploadBytes: 1000 });
		const body = multipart([{ ...filePart, body: Buffer.alloc(20 << 20, 1) }]);
		const head = [
			'POST /v1/audio/transcriptions HTTP/1.1',
			'Host: localhost',
			'Content-Type: multipart/form-data; boundary=yy',
			'Transfer-Encoding: chunked',
			'',
			`${body.length.toString(16)}`,
			'',
		];
		const socket = connect(server.port, '127.0.0.1');
		await new Promise<void>((resolve, reject) => {
			socket.on('error', reject);
			socket.write(head.join('\r\n'));
			socket.write(body);
			socket.write('\r\n0\r\n\r\n', () => resolve());
		});
		const [answer] = await once(socket, 'data');
		expect(answer.toString()).toMatch(/^HTTP\/1.1 413 /);
		socket.destroy();
	});

	test('counts unexpected files', async () => {
		const server = await arrange({ maxUploadBytes });
		const extra: Part = { name: 'other', filename: 'b', body: Buffer.alloc(maxUploadBytes) };
		expect((await sendRaw(server, { body: multipart([filePart, extra]) })).status).toBe(413);
	});

	test('is lower for text, and nothing is written after it was passed', async () => {
		const server = await arrange({ memoryUploadBytes: 4 });
		const prompt: Part = { name: 'prompt', body: 'a'.repeat((1 << 20) + 1) };
		const parts = [prompt, ...Array.from({ length: 20 }, () => filePart)];
		const answer = await sendRaw(server, { body: multipart(parts) });
		// Time enough for files to appear that should not.
		await sendRaw(server, { body: multipart([filePart]) });
		expect(server.leftovers()).toEqual([]);
		expect(answer).toMatchObject({
			status: 413,
			json: { error: { message: 'Maximum size of the text fields (1048576) exceeded' } },
		});
	});
});

describe('refused with a sentence:', () => {
	test.each<[string, Buffer, string | null, RegExp]>([
		['no file', multipart([{ name: 'model', body: 'tiny' }]), 'file', /to be an uploaded file, got nothing/],
		['an empty form', Buffer.from('--yy--\r\n'), 'file', /to be an uploaded file/],
		['an empty body', Buffer.alloc(0), 'file', /to be an uploaded file/],
		['an empty file', multipart([{ ...filePart, body: '' }]), 'file', /an empty file/],
		['two files', multipart([filePart, filePart]), 'file', /to be one file, got `2 files`/],
		['a file sent as text', multipart([{ name: 'file', body: wav }]), 'file', /a text field/],
		['a body that ends early', multipart([filePart], ''), null, /malformed/],
		['a body that is no form', Buffer.from('garbage'), null, /malformed/],
		[
			'an unknown transfer encoding',
			multipart([{ ...filePart, headers: ['Content-Transfer-Encoding: rot13'] }]),
			null,
			/malformed/,
		],
		[
			'a thousand parts too many',
			multipart([...Array.from({ length: 1001 }, () => ({ name: 'keywords[]', body: 'a' })), filePart]),
			null,
			/at most 1000 parts/,
		],
		[
			'a thousand files too many',
			multipart([...Array.from({ length: 1001 }, () => ({ ...filePart, name: 'other' })), filePart]),
			null,
			/at most 1000 parts/,
		],
	])('%s', async (_what, body, param, message) => {
		const server = await arrange({ memoryUploadBytes: 4 });
		expect(await sendRaw(server, { body })).toMatchObject(refused(param, message));
		expect(server.leftovers()).toEqual([]);
		expect(server.model.calls).toEqual([]);
	});

	test.each([
		['application/json', '{"file":"a.wav"}'],
		['application/x-www-form-urlencoded', 'file=a'],
		['audio', 'RIFF'],
		['multipart/form-data', '--yy'],
		['multipart/mixed; boundary=yy', '--yy--'],
		['', 'RIFF'],
	])('a body of type %j', async (type, body) => {
		const server = await arrange();
		const answer = await sendRaw(server, { body: Buffer.from(body), headers: { 'content-type': type } });
		expect(answer).toMatchObject(refused(null, /multipart\/form-data/));
	});

	test('a form without a boundary', async () => {
		const headers = { 'content-type': 'multipart/form-data; charset=utf-8' };
		const answer = await sendRaw(await arrange(), { body: multipart([filePart]), headers });
		expect(answer).toMatchObject(refused(null, /malformed/));
	});
});

describe('a body that is the recording itself', () => {
	const raw = (server: Arranged, query = '', given: Parameters<typeof sendRaw>[1] = {}) =>
		sendRaw(server, {
			path: `/v1/audio/transcriptions${query}`,
			body: wav,
			...given,
			headers: { 'content-type': 'audio/wav', ...given.headers },
		});

	test.each([
		'audio/wav',
		'audio/webm;codecs=opus',
		'video/mp4',
		'application/octet-stream',
		'Application/OGG',
	])('as %s is transcribed, with the fields of the query', async (type) => {
		const server = await arrange();
		const query =
			'?model=tiny&prompt=Gr%C3%BC%C3%9Fe&response_format=verbose_json&timestamp_granularities[]=word&timestamp_granularities[]=segment';
		const answer = await raw(server, query, { headers: { 'content-type': type } });
		expect(answer).toMatchObject({ status: 200, json: { words: expect.any(Array) } });
		expect(server.model.calls[0]).toMatchObject({ bytes: wav, options: { prompt: 'Grüße', words: true } });
	});

	test.each([true, false])(
		'goes to the disk where it is large, and leaves nothing (chunked: %s)',
		async (chunked) => {
			const server = await arrange({ memoryUploadBytes: 1000 });
			const body = randomBytes(300_000);
			expect((await raw(server, '', { body, chunked })).status).toBe(200);
			expect(server.model.calls[0]?.bytes.equals(body)).toBe(true);
			expect('path' in server.model.calls[0]!.recording).toBe(true);
			expect(server.leftovers()).toEqual([]);
		},
	);

	test.each([true, false])('is bounded like any other (chunked: %s)', async (chunked) => {
		const server = await arrange({ maxUploadBytes: 100_000, memoryUploadBytes: 10 });
		const answer = await raw(server, '', { body: Buffer.alloc(2_000_000), chunked });
		expect(answer).toMatchObject({ status: 413, json: { error: { code: 'upload_too_large' } } });
		expect(server.leftovers()).toEqual([]);
		expect((await raw(server)).status).toBe(200);
	});

	test.each([
		['that is empty', '', { body: Buffer.alloc(0) }, 'file'],
		['with a field that is wrong', '?temperature=7', {}, 'temperature'],
	] as const)('%s is refused, naming the field', async (_, query, given, param) => {
		const server = await arrange({ memoryUploadBytes: 4 });
		expect(await raw(server, query, given)).toMatchObject({ status: 400, json: { error: { param } } });
		expect(server.leftovers()).toEqual([]);
	});

	test('that breaks off leaves no file', async () => {
		const server = await arrange({ memoryUploadBytes: 4 });
		const outgoing = request({
			port: server.port,
			host: '127.0.0.1',
			path: '/v1/audio/transcriptions',
			method: 'POST',
			headers: { 'content-type': 'audio/wav', 'content-length': '1000000' },
		});
		outgoing.on('error', () => {
			// It is this test that breaks the connection.
		});
		outgoing.write(Buffer.alloc(100_000, 1));
		await vi.waitUntil(() => server.leftovers().length === 1);
		outgoing.destroy();
		expect(await server.log.next()).toMatchObject({ fields: { code: 'cancelled', status: 499 } });
		await vi.waitUntil(() => server.leftovers().length === 0);
	});
});

describe('parts of a form', () => {
	test('with names that poison objects do nothing', async () => {
		const server = await arrange();
		const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__[model]'];
		const parts = names.flatMap((name) => [
			{ name, body: 'x' },
			{ name, body: 'y' },
			{ ...filePart, name },
		]);
		const answer = await sendRaw(server, { body: multipart([...parts, filePart]) });
		expect(answer.status).toBe(200);
		expect(({} as Record<string, unknown>).model).toBeUndefined();
	});

	test.each(['7bit', '8bit', 'binary', 'base64'])(
		'in the %s transfer encoding are read',
		async (encoding) => {
			const server = await arrange();
			const prompt = encoding === 'base64' ? Buffer.from('Grüße').toString('base64') : 'Grüße';
			const part: Part = {
				name: 'prompt',
				headers: [`Content-Transfer-Encoding: ${encoding}`],
				body: prompt,
			};
			expect((await sendRaw(server, { body: multipart([part, filePart]) })).status).toBe(200);
			expect(server.model.calls[0]?.options.prompt).toBe('Grüße');
		},
	);

	test('without a name, or with an unexpected file, are ignored', async () => {
		const server = await arrange({ memoryUploadBytes: 4 });
		const parts: Part[] = [
			{ body: 'x' },
			{ ...filePart, name: 'cover' },
			{ filename: 'a', body: 'x' },
			filePart,
		];
		expect((await sendRaw(server, { body: multipart(parts) })).status).toBe(200);
		expect(server.model.calls[0]?.bytes).toEqual(wav);
		expect(server.leftovers()).toEqual([]);
	});

	test.each(['model', 'language', 'keywords[]', 'known_speaker_references[]'])(
		'that come as a file are refused: %s',
		async (name) => {
			const server = await arrange();
			const part: Part = { name, filename: 'a.txt', body: 'tiny' };
			const answer = await sendRaw(server, { body: multipart([part, filePart]) });
			expect(answer).toMatchObject({ status: 400, json: { error: { param: name.replace('[]', '') } } });
			expect(server.model.calls).toEqual([]);
		},
	);

	test('of one list come once as well as twice', async () => {
		const server = await arrange();
		const keyword = (body: string): Part => ({ name: 'keywords[]', body });
		await sendRaw(server, { body: multipart([keyword('a'), filePart]) });
		await sendRaw(server, { body: multipart([keyword('a'), filePart, keyword('b')]) });
		expect(server.model.calls.map(({ options }) => options.keywords)).toEqual([['a'], ['a', 'b']]);
	});
});

test('an upload that breaks off leaves no file', async () => {
	const server = await arrange({ memoryUploadBytes: 4 });
	const outgoing = request({
		port: server.port,
		host: '127.0.0.1',
		path: '/v1/audio/transcriptions',
		method: 'POST',
		headers: { 'content-type': 'multipart/form-data; boundary=yy', 'content-length': '1000000' },
	});
	outgoing.on('error', () => {
		// It is this test that breaks the connection.
	});
	const sent = gate();
	outgoing.write(multipart([{ ...filePart, body: Buffer.alloc(100_000, 1) }], ''), () => sent.open());
	await sent.promise;
	outgoing.destroy();
	expect(await server.log.next()).toMatchObject({ fields: { code: 'cancelled', status: 499 } });
	expect(server.leftovers()).toEqual([]);
});

test('closing removes the private directory, even under a model that does not listen', async () => {
	const started = gate();
	const model = new FakeTranscriber({
		script: async function* () {
			yield { type: 'started', duration: 1 } as const;
			started.open();
			await new Promise(() => {});
		},
	});
	const server = await arrange({ model, memoryUploadBytes: 4 });
	const answer = sendRaw(server, { body: multipart([filePart]) }).catch((error: Error) => error);
	await started.promise;
	const [directory] = server.directories();
	expect(existsSync(directory!)).toBe(true);
	const closed = server.close({ graceMs: 1000 });
	server.clock.advance(1500);
	await closed;
	expect(existsSync(directory!)).toBe(false);
	expect(await answer).toBeInstanceOf(Error);
});
