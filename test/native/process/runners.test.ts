/** Runners that are killed, unloaded and replaced under clients, with real engines over real HTTP. */

import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { audioPath, loudnessDetector, modelFixture } from '../../helpers/fixtures.js';
import { ownHeaders, Scratch, type Served, serveFixtures } from '../../helpers/net/real-server.js';
import { isAlive, patient, untilEnded } from '../../helpers/processes.js';
import { testSettings } from '../../helpers/settings.js';

let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(() => served.close());

function post(
	recording: string,
	fields: Record<string, string>,
	{ url }: Served = served,
): Promise<Response> {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(audioPath(recording))]), `${recording}.wav`);
	for (const [name, value] of Object.entries(fields)) form.append(name, value);
	return fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form });
}

interface StreamEvent {
	readonly type: string;
	readonly delta?: string;
	readonly text?: string;
}

/** The deltas of a streamed answer and its final text; `onDelta` is called as each comes. */
async function streamed(
	recording: string,
	model: string,
	onDelta: () => void,
): Promise<{ deltas: string[]; text: string }> {
	const response = await post(recording, { model, stream: 'true' });
	const deltas: string[] = [];
	let [text, rest] = ['', ''];
	for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
		const frames = (rest + piece).split('\n\n');
		rest = frames.pop() ?? '';
		for (const frame of frames.filter((each) => each.startsWith('data: {'))) {
			const event = JSON.parse(frame.slice('data: '.length)) as StreamEvent;
			if (event.type === 'transcript.text.delta') {
				deltas.push(event.delta ?? '');
				onDelta();
			}
			if (event.type === 'transcript.text.done') text = event.text ?? '';
		}
	}
	return { deltas, text };
}

const pidOf = (model: string) => served.pool.models.find(({ id }) => id === model)?.pid ?? null;

describe('a runner that is killed under eight clients', () => {
	it('costs no request, nor a word of a stream that had begun', async () => {
		// Slow enough for the signal to find clips at work, whatever else the machine does.
		const model = 'slow';
		let killed: number | null = null;
		const kill = () => {
			if (killed !== null) return;
			killed = pidOf(model);
			process.kill(killed ?? 0, 'SIGKILL');
		};
		const client = async (): Promise<string> => {
			const { text } = (await (await post('tones-a', { model })).json()) as { text: string };
			kill();
			return text;
		};
		const [stream, ...texts] = await Promise.all([
			streamed('tones-long-pauses', model, kill),
			...Array.from({ length: 7 }, client),
		]);
		expect(killed).not.toBeNull();
		expect(isAlive(killed)).toBe(false);
		expect(texts).toEqual(['a', 'a', 'a', 'a', 'a', 'a', 'a']);
		expect(stream.text).toBe('a b c d e');
		expect(stream.deltas).toHaveLength(5);
		expect(stream.deltas.join('')).toBe(stream.text);
	}, 60_000);
});

describe('a runner that hangs', () => {
	let quick: Served;
	beforeAll(async () => {
		quick = await serveFixtures('zipformer_ctc', { hangTimeoutMs: 1200 });
	});
	afterAll(() => quick.close());

	const get = async (path: string): Promise<unknown> => (await fetch(`${quick.url}${path}`)).json();
	const model = 'zipformer_ctc';
	const listed = () => quick.pool.models.find(({ id }) => id === model);
	const textOf = async (answer: Promise<Response>) =>
		((await (await answer).json()) as { text: string }).text;

	/** Stops its process, idle, as a debugger or an endless loop would. */
	async function stopped(): Promise<number> {
		await post('tones-a', { model }, quick);
		const pid = listed()?.pid ?? 0;
		process.kill(pid, 'SIGSTOP');
		return pid;
	}

	it('is detected, logged and replaced, and the request is answered', async () => {
		const pid = await stopped();
		const answer = textOf(post('tones-abc', { model }, quick));
		await vi.waitUntil(() => listed()?.state === 'unresponsive', patient);
		expect(await get('/v1/ps')).toMatchObject({ data: [{ id: model, state: 'unresponsive', pid }] });
		expect(await get('/health')).toMatchObject({
			status: 'degraded',
			reason: expect.stringContaining('does not respond'),
		});
		expect(await answer).toBe('a b c');
		expect(isAlive(pid)).toBe(false);
		expect(listed()?.state).toBe('loaded');
		expect(await get('/health')).toMatchObject({ status: 'ok' });
	}, 60_000);

	it('is unloaded when its request has been answered by the next one', async () => {
		const pid = await stopped();
		const answer = textOf(post('tones-abc', { model }, quick));
		await vi.waitUntil(() => listed()?.requests === 1, patient);
		const unloaded = await fetch(`${quick.url}/v1/models/${model}/unload`, {
			method: 'POST',
			headers: ownHeaders,
		});
		expect(await unloaded.json()).toMatchObject({ id: model, state: 'unloaded' });
		expect(await answer).toBe('a b c');
		expect([isAlive(pid), listed()?.pid]).toEqual([false, null]);
	}, 60_000);

	it('is unloaded without work, too', async () => {
		const pid = await stopped();
		const unloaded = await fetch(`${quick.url}/v1/models/${model}/unload`, {
			method: 'POST',
			headers: ownHeaders,
		});
		expect(await unloaded.json()).toMatchObject({ id: model, state: 'unloaded' });
		expect(isAlive(pid)).toBe(false);
	}, 60_000);
});

describe('a runner that has grown past its bound', () => {
	it.each([
		['beside the next one', 0],
		['before the next one', 2 ** 20 * 200],
	])(
		'goes %s, and every recording goes on where it was',
		async (_, budgetBytes) => {
			// Every process takes more than this; and of the budget, one takes more than half.
			const small = await serveFixtures('zipformer_ctc', { maxRunnerBytes: 1, budgetBytes });
			try {
				await small.pool.load('zipformer_ctc', new AbortController().signal);
				const before = small.pool.models.find(({ id }) => id === 'zipformer_ctc')?.pid;
				const recordings = ['tones-minute', 'tones-long-pauses', 'tones-abc'];
				const texts = await Promise.all(
					recordings.map(async (recording) => {
						const response = await post(recording, { model: 'zipformer_ctc' }, small);
						return ((await response.json()) as { text: string }).text;
					}),
				);
				const { expectedTexts } = modelFixture('zipformer_ctc');
				expect(texts).toEqual([expectedTexts['tones-minute'], 'a b c d e', 'a b c']);
				await untilEnded(before);
			} finally {
				await small.close();
			}
		},
		60_000,
	);
});

describe('an unloaded model', () => {
	it('is a process less, and the next request loads it again', async () => {
		const model = 'sense_voice';
		await post('tones-abc', { model });
		const pid = pidOf(model);
		expect(isAlive(pid)).toBe(true);
		const response = await fetch(`${served.url}/v1/models/${model}/unload`, {
			method: 'POST',
			headers: ownHeaders,
		});
		expect(await response.json()).toMatchObject({ id: model, state: 'unloaded' });
		expect(isAlive(pid)).toBe(false);
		const again = (await (await post('tones-abc', { model })).json()) as { text: string };
		expect(again.text).toBe(modelFixture(model).expectedTexts['tones-abc']);
	});

	it('finishes the recording that is in it first', async () => {
		const model = 'slow';
		const running = post('tones-abc', { model });
		await vi.waitUntil(() => served.pool.models.find(({ id }) => id === model)?.requests === 1, patient);
		const pid = pidOf(model);
		await fetch(`${served.url}/v1/models/${model}/unload`, {
			method: 'POST',
			headers: ownHeaders,
		});
		await untilEnded(pid);
		expect(((await (await running).json()) as { text: string }).text).toBe('a b c');
	});
});

describe('what an engine warns of', () => {
	it('is in the log of the server', async () => {
		using scratch = new Scratch();
		const warnings: string[] = [];
		const given = {
			settings: testSettings({ weightsDir: scratch.path, vadModel: loudnessDetector }),
			onLog: (line: string, level?: string) => {
				if (level === 'warn') warnings.push(line);
			},
		};
		const transcribed = async (): Promise<string> => {
			const own = await serveFixtures('tones', given);
			try {
				return ((await (await post('tones-abc', {}, own)).json()) as { text: string }).text;
			} finally {
				await own.close();
			}
		};
		const text = await transcribed();
		const [weights = ''] = readdirSync(scratch.path);
		rmSync(path.join(scratch.path, weights));
		mkdirSync(path.join(scratch.path, weights));
		expect(await transcribed()).toBe(text);
		expect(warnings).toEqual([
			expect.stringMatching(/^the runner of tones: weights are not shared with other processes: /),
		]);
	}, 60_000);
});
