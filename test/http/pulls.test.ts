import { describe, expect, test, vi } from 'vitest';
import { type Answer, type Arranged, arrange, owner, send as sendPlainly } from '../helpers/net/server.js';
import { arrangeMachine, type Machine } from '../helpers/temp-install.js';

async function both(
	options: Parameters<typeof arrange>[0] = {},
): Promise<{ server: Arranged; machine: Machine }> {
	const machine = await arrangeMachine();
	return { machine, server: await arrange({ installer: machine.installer, ...options }) };
}

/** As the server's own user, unless the headers say otherwise. */
const send = (url: string, init: RequestInit = {}): Promise<Answer> =>
	sendPlainly(url, { ...init, headers: { ...owner, ...init.headers } });

const post = (
	server: Arranged,
	path: string,
	headers: Record<string, string> = {},
	body?: object,
): Promise<Answer> =>
	send(server.url + path, {
		method: 'POST',
		headers,
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});

const json = { accept: 'application/json' };
const lines = (text: string) =>
	text
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));

describe('a pull over HTTP', () => {
	test('reports progress in lines of JSON, the last one `done` with every digest', async () => {
		const { server, machine } = await both();
		const answer = await post(server, '/v1/models/small/pull');
		expect(answer.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
		const statuses = lines(answer.text);
		expect(statuses.at(-1)).toMatchObject({
			object: 'model.pull',
			id: 'small',
			status: 'done',
			received_bytes: 120_008,
			total_bytes: 120_008,
			files: [
				{
					path: 'model.onnx',
					bytes: 120_000,
					sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
					pinned: false,
				},
				{ path: 'tokens.txt' },
			],
		});
		expect(machine.registry().entries[0]?.id).toBe('small');
	});

	test('reports it in events if requested', async () => {
		const { server } = await both();
		const answer = await post(server, '/models/small/pull', { accept: 'text/event-stream' });
		expect(answer.headers.get('content-type')).toContain('text/event-stream');
		const frames = answer.text.trim().split('\n\n');
		expect(frames.at(-1)).toBe('data: [DONE]');
		expect(JSON.parse(frames.at(-2)?.slice('data: '.length) ?? '')).toMatchObject({ status: 'done' });
	});

	test('takes the names that people type', async () => {
		const { server, machine } = await both();
		expect((await post(server, '/v1/models/SMALL/pull', json)).json).toMatchObject({ id: 'small' });
		await machine.installer.lastPull('Small')?.finished;
		expect((await send(`${server.url}/v1/models/Small/pull`)).json).toMatchObject({
			id: 'small',
			status: 'done',
		});
		const removed = await send(`${server.url}/v1/models/Small`, { method: 'DELETE' });
		expect(removed.json).toMatchObject({ id: 'small', deleted: true });
		expect(await post(server, '/v1/models/openai%2Fwhisper-1/pull')).toMatchObject({
			status: 404,
			json: { error: { message: expect.stringContaining('earshot pull whisper-large-v3-turbo-q5_0') } },
		});
	});

	test('answers at once if JSON is requested, with progress in the status', async () => {
		const { server, machine } = await both();
		const answer = await post(server, '/v1/models/small/pull', json);
		expect([answer.status, answer.json.object]).toEqual([202, 'model.pull']);
		await machine.installer.lastPull('small')?.finished;
		expect((await send(`${server.url}/v1/models/small/pull`)).json).toMatchObject({ status: 'done' });
	});

	test('is shared by concurrent requests, and continues when one of them is cancelled', async () => {
		const { server, machine } = await both();
		let letGo = (): void => {};
		machine.mirror.before = () => new Promise<void>((resolve) => (letGo = resolve));
		const leaver = new AbortController();
		const left = fetch(`${server.url}/v1/models/small/pull`, {
			method: 'POST',
			headers: owner,
			signal: leaver.signal,
		});
		await vi.waitUntil(() => machine.mirror.asked.length === 1);
		const stays = post(server, '/v1/models/small/pull');
		leaver.abort();
		await expect(left.then((answer) => answer.text())).rejects.toThrow();
		machine.mirror.before = () => {};
		letGo();
		expect(lines((await stays).text).at(-1)).toMatchObject({ status: 'done' });
		expect(machine.mirror.asked.length).toBe(2);
	});

	test('can be cancelled', async () => {
		const { server, machine } = await both();
		machine.mirror.spoilAll('/small/model.onnx', { stallAfter: 0 });
		const running = post(server, '/v1/models/small/pull');
		await vi.waitUntil(() => machine.mirror.asked.length === 1);
		const cancelled = await send(`${server.url}/v1/models/small/pull`, { method: 'DELETE' });
		expect(cancelled.json).toMatchObject({ id: 'small', status: 'cancelled' });
		expect(lines((await running).text).at(-1)).toMatchObject({ status: 'cancelled' });
	});

	test('that fails says why in the last line', async () => {
		const { server, machine } = await both();
		machine.mirror.spoilAll('/small/model.onnx', { status: 404 });
		const answer = await post(server, '/v1/models/small/pull');
		expect(lines(answer.text).at(-1)).toMatchObject({
			status: 'failed',
			error: { code: 'download_failed', message: expect.stringContaining('does not have this file') },
		});
	});

	test('of a licence of another kind needs it accepted in the body', async () => {
		const { server } = await both();
		const refused = await post(server, '/v1/models/odd/pull');
		expect([refused.status, refused.json.error.code]).toEqual([403, 'licence_unaccepted']);
		const accepted = await post(server, '/v1/models/odd/pull', {}, { accept_license: true });
		expect(lines(accepted.text).at(-1)).toMatchObject({ status: 'done' });
	});

	test.each([
		['an unknown model', '/v1/models/nobody/pull', undefined, 404, 'model_not_found'],
		['the demo model', '/v1/models/demo-digits/pull', undefined, 409, 'conflict'],
		['a body that is no object', '/v1/models/small/pull', [], 400, 'invalid_request'],
		['a wrong kind of value', '/v1/models/small/pull', { accept_license: 'yes' }, 400, 'invalid_request'],
	])('of %s is refused', async (_, path, body, status, code) => {
		const { server, machine } = await both();
		const answer = await post(server, path, {}, body);
		expect([answer.status, answer.json.error.code]).toEqual([status, code]);
		expect(machine.mirror.asked).toEqual([]);
	});

	test('of a model that was added from files of this machine is a conflict', async () => {
		const machine = await arrangeMachine({
			yaml: () => 'models:\n  mine: {type: sense_voice, files: {model: /a/m.onnx, tokens: /a/t.txt}}\n',
		});
		const server = await arrange({ installer: machine.installer });
		const answer = await post(server, '/v1/models/mine/pull');
		expect([answer.status, answer.json.error.code]).toEqual([409, 'conflict']);
	});

	test('that was not started has no status', async () => {
		const { server } = await both();
		for (const method of ['GET', 'DELETE'])
			expect((await send(`${server.url}/v1/models/small/pull`, { method })).status).toBe(404);
	});

	test('is not to be had of a server without a store', async () => {
		expect((await post(await arrange(), '/v1/models/small/pull')).status).toBe(404);
	});
});

describe('DELETE /v1/models/{id}', () => {
	test('removes a model and its entry', async () => {
		const { server, machine } = await both();
		await machine.installer.pull('small').finished;
		const answer = await send(`${server.url}/v1/models/small`, { method: 'DELETE' });
		expect(answer.json).toEqual({ id: 'small', object: 'model', deleted: true, files_deleted: true });
		expect(machine.registry().entries.map(({ id }) => id)).toEqual(['demo-digits']);
		expect((await send(`${server.url}/v1/models/small`, { method: 'DELETE' })).status).toBe(404);
	});

	test('does not end a pull that runs', async () => {
		const { server, machine } = await both();
		machine.mirror.spoilAll('/small/model.onnx', { stallAfter: 0 });
		const job = machine.installer.pull('small');
		expect((await send(`${server.url}/v1/models/small`, { method: 'DELETE' })).status).toBe(409);
		await job.cancel();
	});
});

describe('GET /v1/catalog', () => {
	test('lists what can be pulled, and what is installed', async () => {
		const { server, machine } = await both();
		await machine.installer.pull('small').finished;
		const answer = await sendPlainly(`${server.url}/v1/catalog?q=test`);
		expect(answer.json.object).toBe('list');
		const small = answer.json.data.find(({ id }: { id: string }) => id === 'small');
		expect(small).toEqual({
			id: 'small',
			object: 'catalog.model',
			title: 'small',
			family: 'Test',
			engine: 'sherpa-onnx',
			type: 'sense_voice',
			use: 'transcription',
			servable: true,
			languages: ['en'],
			features: [],
			license: { name: 'MIT', url: 'https://opensource.org/license/mit', osi: true },
			download_bytes: 120_008,
			memory_bytes: null,
			speed: 'fast',
			installed: true,
		});
		expect(answer.json.data.find(({ id }: { id: string }) => id === 'odd')).toMatchObject({
			installed: false,
			license: { osi: false },
		});
	});

	test('is searched as the command searches it', async () => {
		const { server } = await both();
		const idsFor = async (words: string) => {
			const { json: body } = await sendPlainly(`${server.url}/v1/catalog?q=${encodeURIComponent(words)}`);
			return body.data.map(({ id }: { id: string }) => id);
		};
		const found = await idsFor('whisper tiny german');
		expect(found).toContain('whisper-tiny');
		expect(found).not.toContain('whisper-tiny.en');
		expect(await idsFor('no such model anywhere')).toEqual([]);
	});

	test('is not to be had of a server without a store', async () => {
		expect((await sendPlainly(`${(await arrange()).url}/v1/catalog`)).status).toBe(404);
	});
});

describe('who may pull and remove models', () => {
	const tries = (server: Arranged, headers: Record<string, string>) =>
		Promise.all([
			sendPlainly(`${server.url}/v1/models/small/pull`, { method: 'POST', headers }),
			sendPlainly(`${server.url}/v1/models/small/pull`, { headers }),
			sendPlainly(`${server.url}/v1/models/small/pull`, { method: 'DELETE', headers }),
			sendPlainly(`${server.url}/v1/models/small`, { method: 'DELETE', headers }),
		]);

	test.each<[string, Record<string, string>]>([
		['this machine', {}],
		['this machine with another token', { authorization: 'Bearer something' }],
		['a proxy on this machine', { 'x-forwarded-for': '203.0.113.7' }],
		['a page of this machine', { origin: 'http://localhost:3000' }],
	])('not with %s alone', async (_, headers) => {
		const { server, machine } = await both();
		for (const { status, json: body } of await tries(server, headers))
			expect([status, body.error.code]).toEqual([403, 'key_needed']);
		expect(machine.mirror.asked).toEqual([]);
	});

	test.each(['authorization', 'api-key', 'x-api-key'])('with a key in %s', async (name) => {
		const { server } = await both({ apiKeys: ['secret'] });
		const key = name === 'authorization' ? 'Bearer secret' : 'secret';
		const answer = await sendPlainly(`${server.url}/v1/models/small/pull`, {
			method: 'POST',
			headers: { [name]: key, 'x-forwarded-for': '203.0.113.7' },
		});
		expect(lines(answer.text).at(-1)).toMatchObject({ status: 'done' });
	});

	test('the server’s own user, also where there are keys', async () => {
		const { server } = await both({ apiKeys: ['secret'] });
		expect((await tries(server, owner)).map(({ status }) => status)).not.toContain(401);
	});

	test('not without the key if there is one', async () => {
		const { server } = await both({ apiKeys: ['secret'] });
		for (const { status } of await tries(server, {})) expect(status).toBe(401);
	});

	test('never if the server has neither key nor token', async () => {
		const { server } = await both({ localToken: undefined });
		for (const { status } of await tries(server, { authorization: 'Bearer undefined' }))
			expect(status).toBe(403);
	});

	test('no page of another origin', async () => {
		const { server } = await both();
		expect((await post(server, '/v1/models/small/pull', { origin: 'https://evil.test' })).status).toBe(403);
	});
});

test('a body that is too large is refused in the envelope, not by closing the connection', async () => {
	const { server } = await both();
	const answer = await post(server, '/v1/models/small/pull', {}, { more: 'x'.repeat(1_000_000) });
	expect([answer.status, answer.json.error.code]).toEqual([413, 'upload_too_large']);
});
