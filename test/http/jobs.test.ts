import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { EarshotError } from '../../src/core/errors.js';
import type { ClipEvent } from '../../src/core/speech/events.js';
import type { TranscriptEvent } from '../../src/core/speech/transcript.js';
import { aborted, eventsOf, FakeTranscriber, gate, plain, type TranscribeCall } from '../helpers/fakes.js';
import { type Arranged, arrange, form, send, transcribe, wav } from '../helpers/net/server.js';
import { beach, segment, transcript } from '../helpers/transcripts.js';

const jobsPath = '/v1/transcription_jobs';

function folder(): string {
	const made = mkdtempSync(join(tmpdir(), 'earshot-jobs-'));
	onTestFinished(() => rmSync(made, { recursive: true, force: true }));
	return join(made, 'jobs');
}

const submit = (
	server: Arranged,
	fields: Record<string, string> = {},
	headers: Record<string, string> = {},
) => send(`${server.url}${jobsPath}`, { method: 'POST', body: form(fields), headers });

const get = (server: Arranged, path: string, headers: Record<string, string> = {}) =>
	send(`${server.url}${jobsPath}${path}`, { headers });

/** Long polls until it is finished. */
const finished = (server: Arranged, id: string) => get(server, `/${id}?wait=60`);

async function completed(server: Arranged, fields: Record<string, string> = {}): Promise<string> {
	const { json } = await submit(server, fields);
	expect((await finished(server, json.id)).json).toMatchObject({ status: 'completed' });
	return json.id;
}

const keyed = (key: string) => ({ authorization: `Bearer ${key}` });

interface Frame {
	readonly type?: string;
	readonly delta?: string;
	readonly text?: string;
}

/** The events but for `[DONE]`. */
const frames = ({ text }: { readonly text: string }): Frame[] =>
	[...text.matchAll(/^data: (\{.*)$/gm)].map(([, json = '']) => JSON.parse(json) as Frame);

/** A model that waits behind its first clip, and keeps its checkpoints. */
function slow() {
	const { promise: opened, open: pass } = gate();
	const open = (): void => pass(undefined);
	const clips: ClipEvent[] = [0, 1].map((clip) => ({
		...{ type: 'clip', clip, start: clip, language: 'en', processed: clip + 1 },
		segments: [{ ...segment({ start: clip, end: clip + 1, text: ` word ${clip}` }) }],
	}));
	async function* script(
		{ checkpoints }: TranscribeCall,
		signal: AbortSignal,
	): AsyncGenerator<TranscriptEvent> {
		yield { type: 'started', duration: 2 };
		const done = checkpoints?.done.length ?? 0;
		for (const clip of clips.slice(done)) {
			if (clip.clip === 1) await Promise.race([opened, aborted(signal)]);
			checkpoints?.onClip(clip);
			yield { type: 'segments', segments: [], language: 'en', processed: clip.processed };
		}
		yield { type: 'done', transcript: transcript([segment({ start: 0, end: 2, text: ' word 0 word 1' })]) };
	}
	return { model: new FakeTranscriber({ script }), open };
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
	for (;;) {
		const seen = await look();
		if (seen !== undefined) return seen;
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

const inWork = (server: Arranged, id: string) =>
	until(async () => {
		const { json } = await get(server, `/${id}`);
		return json.processed_seconds === 1 ? json : undefined;
	});

describe('a job', () => {
	test('is answered at once, and its result is what the synchronous route answers', async () => {
		const server = await arrange();
		const made = await submit(server, {
			model: 'tiny',
			response_format: 'verbose_json',
			'metadata[who]': 'me',
		});
		expect(made.status).toBe(202);
		expect(made.json).toMatchObject({
			object: 'transcription.job',
			model: 'tiny',
			metadata: { who: 'me' },
			error: null,
		});
		expect(made.json.id).toMatch(/^trj_[0-9a-f]{32}$/);
		expect(made.headers.get('location')).toBe(`${jobsPath}/${made.json.id}`);
		const job = (await finished(server, made.json.id)).json;
		expect(job).toMatchObject({
			status: 'completed',
			progress: 100,
			duration_seconds: 8.47,
			processed_seconds: 8.47,
			attempts: 1,
			queue: null,
			usage: { type: 'duration', seconds: 9 },
		});
		expect(server.model.calls[0]?.bytes).toEqual(wav);
		for (const response_format of ['verbose_json', 'text', 'srt', 'json']) {
			const sync = await transcribe(server, { response_format });
			const late = await get(server, `/${job.id}/result?response_format=${response_format}`);
			expect([late.status, late.text]).toEqual([200, sync.text]);
			expect(late.headers.get('content-type')).toBe(sync.headers.get('content-type'));
		}
		expect((await get(server, `/${job.id}/result`)).text).toBe(
			(await transcribe(server, { response_format: 'verbose_json' })).text,
		);
	});

	test.each([
		['background', { background: 'true' }, {}, '/v1/audio/transcriptions'],
		['the header Prefer', {}, { prefer: 'respond-async' }, '/audio/translations'],
	])('is made by %s on the usual routes', async (_, fields, headers, path) => {
		const server = await arrange();
		const made = await send(server.url + path, {
			method: 'POST',
			body: form(fields),
			headers: headers as Record<string, string>,
		});
		expect(made.status).toBe(202);
		await finished(server, made.json.id);
		expect(server.model.calls[0]?.options.task).toBe(
			path.endsWith('translations') ? 'translate' : 'transcribe',
		);
	});

	test('makes its folder when the first one comes, and not before', async () => {
		const jobsFolder = folder();
		const server = await arrange({ jobsFolder });
		await transcribe(server);
		expect((await get(server, '')).json.data).toEqual([]);
		expect((await get(server, `/trj_${'0'.repeat(32)}`)).status).toBe(404);
		expect(existsSync(jobsFolder)).toBe(false);
		await completed(server);
		expect(existsSync(jobsFolder)).toBe(true);
	});

	test('that a server leaves unfinished goes on in the next one, behind its finished clips', async () => {
		const jobsFolder = folder();
		const first = slow();
		const server = await arrange({ jobsFolder, model: first.model });
		const { id } = (await submit(server)).json;
		await inWork(server, id);
		await server.close({ graceMs: 0 });

		const second = slow();
		second.open();
		const next = await arrange({ jobsFolder, model: second.model });
		expect((await finished(next, id)).json).toMatchObject({ status: 'completed', attempts: 2 });
		expect(second.model.calls[0]?.checkpoints?.done.map(({ clip }) => clip)).toEqual([0]);
	});

	test('returns its partial text while it runs', async () => {
		const { model, open } = slow();
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		expect(await inWork(server, id)).toMatchObject({
			status: 'in_progress',
			progress: 50,
			duration_seconds: 2,
		});
		const early = await get(server, `/${id}/result`);
		expect([early.status, early.json.error.code]).toEqual([409, 'job_not_finished']);
		const part = await get(server, `/${id}/result?partial=true&response_format=text`);
		expect(part.text).toBe('word 0\n');
		expect(part.headers.get('x-earshot-partial')).toBe('true');
		open();
		await finished(server, id);
		expect((await get(server, `/${id}/result?partial=true&response_format=text`)).text).toBe(
			'word 0 word 1\n',
		);
	});

	test('streams its events, and resumes after the last one that a client received', async () => {
		const { model, open } = slow();
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		await inWork(server, id);
		const whole = get(server, `/${id}/events`);
		const rest = get(server, `/${id}/events`, { 'last-event-id': '1' });
		open();
		const all = frames(await whole);
		const deltas = (frames: readonly Frame[]) => frames.flatMap(({ delta }) => delta ?? []);
		expect(deltas(all)).toEqual(['word 0', ' word 1']);
		expect(deltas(frames(await rest))).toEqual([' word 1']);
		expect((await rest).text).toContain('id: 2\n');
		expect(all.some(({ type }) => type === 'job.progress')).toBe(true);
		expect(all.at(-1)).toMatchObject({ type: 'transcript.text.done', text: 'word 0 word 1' });
		const later = frames(await get(server, `/${id}/events`));
		expect(deltas(later)).toEqual(['word 0', ' word 1']);
	});

	test('that is cancelled stops the model and is shown as cancelled', async () => {
		const { model } = slow();
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		await inWork(server, id);
		const ended = await send(`${server.url}${jobsPath}/${id}`, { method: 'DELETE' });
		expect(ended.json).toMatchObject({ id, status: 'cancelled' });
		await until(async () => (server.pool.leased === 0 ? true : undefined));
		expect((await get(server, `/${id}`)).json).toMatchObject({ status: 'cancelled' });
		expect((await get(server, `/${id}/result`)).status).toBe(404);
	});

	test('that is finished is deleted with all that was stored', async () => {
		const jobsFolder = folder();
		const server = await arrange({ jobsFolder });
		const id = await completed(server);
		const gone = await send(`${server.url}${jobsPath}/${id}`, { method: 'DELETE' });
		expect(gone.json).toEqual({ id, object: 'transcription.job.deleted', deleted: true });
		expect((await get(server, `/${id}`)).status).toBe(404);
		expect(existsSync(join(jobsFolder, id))).toBe(false);
	});

	test('that has failed says why, and can be tried again', async () => {
		let isBroken = true;
		const model = new FakeTranscriber({
			script: () => {
				if (isBroken) throw new EarshotError('audio_unsupported', 'no sound in it', { param: 'file' });
				return eventsOf(beach);
			},
		});
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		expect((await finished(server, id)).json).toMatchObject({
			status: 'failed',
			error: { code: 'audio_unsupported', message: 'no sound in it', param: 'file' },
		});
		isBroken = false;
		const again = await send(`${server.url}${jobsPath}/${id}/retry`, { method: 'POST' });
		expect(again.status).toBe(202);
		expect((await finished(server, id)).json).toMatchObject({
			status: 'completed',
			error: null,
			attempts: 2,
		});
		const refused = await send(`${server.url}${jobsPath}/${id}/retry`, { method: 'POST' });
		expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict']);
	});

	test('of another key is not there', async () => {
		const server = await arrange({ apiKeys: ['one', 'two'] });
		const made = await submit(server, {}, keyed('one'));
		await get(server, `/${made.json.id}?wait=60`, keyed('one'));
		for (const path of [`/${made.json.id}`, `/${made.json.id}/result`, `/${made.json.id}/events`])
			expect((await get(server, path, keyed('two'))).status).toBe(404);
		expect((await get(server, '', keyed('two'))).json.data).toEqual([]);
		const denied = await send(`${server.url}${jobsPath}/${made.json.id}`, {
			method: 'DELETE',
			headers: keyed('two'),
		});
		expect(denied.status).toBe(404);
		expect((await get(server, `/${made.json.id}`, keyed('one'))).status).toBe(200);
	});

	test('keeps metadata under any keys', async () => {
		const server = await arrange();
		const metadata = { 'order-id': '7', 'a.b c': 'ä', __proto__x: '1', ключ: '' };
		const fields = Object.fromEntries(
			Object.entries(metadata).map(([key, value]) => [`metadata[${key}]`, value]),
		);
		const { id } = (await submit(server, fields)).json;
		expect((await finished(server, id)).json.metadata).toEqual(metadata);
		const wanted = new URLSearchParams({ 'metadata[order-id]': '7' });
		expect((await get(server, `?${wanted}`)).json.data).toMatchObject([{ id }]);
	});

	test('has speakers on request', async () => {
		const server = await arrange();
		const refused = await submit(server, { diarize: 'true' });
		expect([refused.status, refused.json.error.param]).toEqual([400, 'diarize']);
	});
});

describe('refused at once', () => {
	test.each([
		['stream', { stream: 'true' }, 'stream'],
		['priority', { priority: 'high' }, 'priority'],
		['metadata', { metadata: '{"a":1}' }, 'metadata'],
		['webhook_secret', { webhook_secret: 'whsec_x' }, 'webhook_secret'],
		['webhook_url', { webhook_url: 'https://10.0.0.1/' }, 'webhook_url'],
		['a field of the usual route', { temperature: '7' }, 'temperature'],
		['a model', { model: 'none' }, 'model'],
		['task', { task: 'sing' }, 'task'],
	])('%s', async (_, fields, param) => {
		const answer = await submit(await arrange(), fields);
		expect(answer.json.error.param).toBe(param);
		expect(answer.status).toBe(param === 'model' ? 404 : 400);
	});

	test('what the model cannot do, where that is known', async () => {
		const server = await arrange();
		const tiny = server.pool.models[0];
		if (tiny) server.pool.models[0] = { ...tiny, capabilities: plain };
		const ignored = await submit(server, { prompt: 'a' });
		expect([ignored.status, ignored.headers.get('x-earshot-ignored')]).toEqual([202, 'prompt']);
		const answer = await submit(server, { 'keywords[]': 'a' });
		expect([answer.status, answer.json.error.param]).toEqual([400, 'keywords']);
	});

	test.each([
		['keys of one letter twice', ['metadata[a]', 'metadata[a]']],
		['pairs and JSON at once', ['metadata', 'metadata[a]']],
		['a list', ['metadata'], '["a"]'],
		['a nested pair', ['metadata[a][b]']],
		['an empty key', ['metadata[]']],
	])('metadata of %s', async (_, names, value = '{"b":"1"}') => {
		const server = await arrange();
		const body = form();
		for (const [index, name] of names.entries()) body.append(name, index === 0 ? value : 'other');
		const answer = await send(`${server.url}${jobsPath}`, { method: 'POST', body });
		expect([answer.status, answer.json.error.param]).toEqual([400, 'metadata']);
	});

	test.each([
		['?limit=0', 'limit'],
		['?order=up', 'order'],
		['?status=done', 'status'],
		['?metadata=x', 'metadata'],
		['?metadata[]=x', 'metadata'],
		[`?after=trj_${'0'.repeat(32)}`, 'after'],
		['?after=..%2F%00', 'after'],
	])('a list with %s', async (query, param) => {
		const answer = await get(await arrange(), query);
		expect([answer.status, answer.json.error.param]).toEqual([400, param]);
	});

	test('a wait of more than a minute, and formats that a job was not made for', async () => {
		const server = await arrange();
		const id = await completed(server);
		expect((await get(server, `/${id}?wait=61`)).json.error.param).toBe('wait');
		expect((await get(server, `/${id}/result?response_format=diarized_json`)).json.error.param).toBe(
			'response_format',
		);
		expect((await get(server, `/${id}/result?partial=maybe`)).json.error.param).toBe('partial');
		expect((await get(server, `/${id}/events`, { 'last-event-id': 'x' })).json.error.param).toBe(
			'Last-Event-ID',
		);
	});
});

describe('repeated requests', () => {
	test('with the same Idempotency-Key are one job, however many come at a time', async () => {
		const server = await arrange();
		const headers = { 'idempotency-key': 'k1' };
		const answers = await Promise.all(Array.from({ length: 20 }, () => submit(server, {}, headers)));
		const ids = new Set(answers.flatMap(({ status, json }) => (status === 409 ? [] : [json.id])));
		expect(ids.size).toBe(1);
		expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
		const again = await submit(server, {}, headers);
		expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
		const other = await submit(server, { language: 'de' }, headers);
		expect([other.status, other.json.error.code]).toEqual([422, 'idempotency_key_reused']);
		expect((await get(server, '')).json.data).toHaveLength(1);
	});

	test('that wait for their answer may have the same key', async () => {
		const server = await arrange();
		const init = () => ({ method: 'POST', body: form(), headers: { 'idempotency-key': 'k' } });
		const url = `${server.url}/v1/audio/transcriptions`;
		const answers = await Promise.all(Array.from({ length: 5 }, () => send(url, init())));
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
	});

	test('without a key are one job for ten minutes, and never where that is switched off', async () => {
		let now = 1_000_000;
		const server = await arrange({ wallClock: () => now });
		const { id } = (await submit(server)).json;
		now += 599;
		expect((await submit(server)).json.id).toBe(id);
		expect((await submit(server, { language: 'de' })).json.id).not.toBe(id);
		now += 2;
		expect((await submit(server)).json.id).not.toBe(id);
		const eager = await arrange({ jobRetention: { dedupe: 0 } });
		expect((await submit(eager)).json.id).not.toBe((await submit(eager)).json.id);
	});
});

describe('limits', () => {
	test('of unfinished jobs of a key', async () => {
		const { model } = slow();
		const server = await arrange({ model, jobLimits: { maxJobsPerKey: 1 } });
		await submit(server);
		const refused = await submit(server, { language: 'de' });
		expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60']);
	});

	test('of all jobs', async () => {
		const server = await arrange({ jobLimits: { maxJobs: 1 } });
		await completed(server);
		expect((await submit(server, { language: 'de' })).status).toBe(429);
	});

	test('of bytes', async () => {
		const server = await arrange({ jobLimits: { maxBytes: wav.length - 1 } });
		const refused = await submit(server);
		expect([refused.status, refused.json.error.code]).toEqual([507, 'disk_full']);
	});
});

describe('the list', () => {
	test('has pages, and filters', async () => {
		let now = 1_000_000;
		const server = await arrange({ wallClock: () => now });
		const ids: string[] = [];
		for (const language of ['en', 'de', 'fr']) {
			now++;
			const id = await completed(server, { language, 'metadata[language]': language });
			ids.unshift(id);
		}
		const gone = await completed(server, { language: 'es' });
		await send(`${server.url}${jobsPath}/${gone}`, { method: 'DELETE' });
		expect((await get(server, `?after=${gone}`)).status).toBe(400);
		const first = (await get(server, '?limit=2')).json;
		expect(first).toMatchObject({ object: 'list', has_more: true, first_id: ids[0], last_id: ids[1] });
		const second = (await get(server, `?limit=2&after=${first.last_id}`)).json;
		expect(second.data.map(({ id }: { id: string }) => id)).toEqual([ids[2]]);
		expect(second.has_more).toBe(false);
		expect((await get(server, '?metadata[language]=de')).json.data).toMatchObject([{ id: ids[1] }]);
		expect((await get(server, '?status=failed')).json.data).toEqual([]);
		expect((await get(server, '?order=asc&limit=1')).json.last_id).toBe(ids[2]);
	});
});

describe('an ETag', () => {
	test('spares the answer that is known, and waits for another', async () => {
		const { model, open } = slow();
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		await inWork(server, id);
		const etag = (await get(server, `/${id}`)).headers.get('etag') ?? '';
		expect((await get(server, `/${id}`, { 'if-none-match': etag })).status).toBe(304);
		for (const known of [`W/${etag}`, `"x", ${etag}`, '*'])
			expect((await get(server, `/${id}`, { 'if-none-match': known })).status).toBe(304);
		expect((await get(server, `/${id}`, { 'if-none-match': 'W/"x"' })).status).toBe(200);
		const waiting = get(server, `/${id}?wait=60`, { 'if-none-match': `W/${etag}` });
		open();
		expect((await waiting).status).toBe(200);
	});

	test('waits no longer than requested', async () => {
		const { model } = slow();
		const server = await arrange({ model });
		const { id } = (await submit(server)).json;
		await inWork(server, id);
		const waiting = get(server, `/${id}?wait=30`);
		let isOver = false;
		void waiting.then(() => {
			isOver = true;
		});
		await until(async () => {
			server.clock.advance(30_000);
			return isOver ? true : undefined;
		});
		expect((await waiting).json.status).toBe('in_progress');
	});
});

describe('retention', () => {
	test('of a result ends an hour after it was read, or after a day; the job is shown as expired, then deleted', async () => {
		let now = 1_000_000;
		const jobsFolder = folder();
		const server = await arrange({ jobsFolder, wallClock: () => now });
		const id = await completed(server);
		expect(existsSync(join(jobsFolder, id, 'audio'))).toBe(false);
		expect((await get(server, `/${id}`)).json.expires_at).toBe(now + 86_400);
		await get(server, `/${id}/result`);
		expect((await get(server, `/${id}`)).json.expires_at).toBe(now + 3600);
		const swept = (is: (status: number, job: { status?: string }) => boolean) =>
			until(async () => {
				server.clock.advance(60_000);
				const { status, json } = await get(server, `/${id}`);
				return is(status, json) ? true : undefined;
			});
		now += 3601;
		await swept((_, { status }) => status === 'expired');
		expect((await get(server, `/${id}/result`)).json.error.message).toContain('has been deleted');
		await until(async () => (existsSync(join(jobsFolder, id, 'result.json')) ? undefined : true));
		now += 86_401;
		await swept((status) => status === 404);
		await until(async () => (existsSync(join(jobsFolder, id)) ? undefined : true));
	});
});

test('a second server is kept out of the folder, and its other routes work', async () => {
	const jobsFolder = folder();
	await completed(await arrange({ jobsFolder }));
	const other = await arrange({ jobsFolder });
	const refused = await submit(other);
	expect([refused.status, refused.json.error.code]).toEqual([409, 'conflict']);
	expect(refused.json.error.message).toContain('--jobs-dir');
	expect((await transcribe(other)).status).toBe(200);
});

test('a server whose folder another one has taken over leaves it alone, and says so', async () => {
	const jobsFolder = folder();
	const { model } = slow();
	const server = await arrange({ jobsFolder, model });
	const { id } = (await submit(server)).json;
	await inWork(server, id);
	const journal = join(jobsFolder, id, 'part-0.jsonl');
	const before = readFileSync(journal, 'utf8');
	const state = readFileSync(join(jobsFolder, id, 'job.json'), 'utf8');
	// As another process does that finds the lock stale.
	rmSync(join(jobsFolder, 'folder.lock'), { recursive: true });
	await vi.waitUntil(
		() => server.log.lines.some(({ message }) => message.includes('jobs are no longer processed here')),
		{
			timeout: 15_000,
		},
	);
	await until(async () => (server.pool.leased === 0 ? true : undefined));
	expect(readFileSync(journal, 'utf8')).toBe(before);
	expect(readFileSync(join(jobsFolder, id, 'job.json'), 'utf8')).toBe(state);
});

test('the metrics count jobs, and the audio that waits', async () => {
	const server = await arrange();
	await completed(server);
	const { text } = await send(`${server.url}/metrics`);
	expect(text).toContain('earshot_jobs{status="completed"} 1');
	expect(text).toContain('earshot_queue_oldest_seconds 0');
	expect(text).toMatch(/earshot_queue_seconds\{model="tiny",class="normal"\} 0/);
});

test('on a full disk a new job is refused, and nothing of it stays', async () => {
	const jobsFolder = folder();
	const server = await arrange({ jobsFolder });
	const id = await completed(server);
	const handle = await open(join(jobsFolder, 'any'), 'w');
	const prototype = Object.getPrototypeOf(handle) as typeof handle;
	await handle.close();
	const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
	const spy = vi.spyOn(prototype, 'appendFile').mockRejectedValue(full);
	onTestFinished(() => spy.mockRestore());
	const refused = await submit(server, { language: 'de' });
	expect([refused.status, refused.json.error.code]).toEqual([507, 'disk_full']);
	spy.mockRestore();
	expect((await get(server, '')).json.data).toMatchObject([{ id }]);
	expect(
		readdirSync(jobsFolder).flatMap((name) =>
			name.startsWith('trj_') && name !== id ? readdirSync(join(jobsFolder, name)) : [],
		),
	).toEqual([]);
	await completed(server, { language: 'de' });
});
