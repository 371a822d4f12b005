import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ClipEvent } from '../../../src/core/speech/events.js';
import type { Transcript, TranscriptEvent } from '../../../src/core/speech/transcript.js';
import type { ModelEntry } from '../../../src/models/registry/entry.js';
import { Runner, type RunnerOptions } from '../../../src/runner/runner.js';
import { FakeClock } from '../../helpers/fakes.js';
import { plainTranscription } from '../../helpers/options.js';
import { isAlive, patient, untilEnded, untilHung } from '../../helpers/processes.js';
import { testSettings } from '../../helpers/settings.js';

const script = fileURLToPath(new URL('../../helpers/fake-runner.mjs', import.meta.url));

const runners: Runner[] = [];
const folders: string[] = [];

afterEach(async () => {
	await Promise.all(runners.splice(0).map((runner) => runner.close()));
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function arrange(entryOptions: ModelEntry['options'] = {}, given: Partial<RunnerOptions> = {}) {
	const log: string[] = [];
	const clock = new FakeClock();
	const restarts: string[] = [];
	const runner = new Runner({
		entry: {
			id: 'fake',
			type: 'whisper_cpp',
			aliases: [],
			files: {},
			options: entryOptions,
			languages: null,
			ownedBy: 'test',
			demo: false,
		},
		settings: testSettings({ maxAudioSeconds: 1, modelDir: '' }),
		script,
		env: {},
		onLog: (line) => log.push(line),
		clock,
		maxRssBytes: 0,
		hangTimeoutMs: 0,
		onRestart: (reason) => restarts.push(reason),
		onDeath: ({ how, inFlight }) => log.push(`crashed (${how}) with ${inFlight} recordings in flight`),
		...given,
	});
	runners.push(runner);
	const run = (what: string, signal = new AbortController().signal) =>
		transcriptOf(runner.transcribe({ path: what }, plainTranscription, signal));
	return { runner, log, run, clock, restarts };
}

async function transcriptOf(events: AsyncIterable<TranscriptEvent>): Promise<Transcript> {
	for await (const event of events) if (event.type === 'done') return event.transcript;
	throw new Error('no transcript');
}

function folder(): string {
	const made = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	folders.push(made);
	return made;
}

describe('a runner', () => {
	it('goes on behind the clips that an earlier call has finished, with the same text', async () => {
		const earlier = arrange();
		const clips: ClipEvent[] = [];
		const kept = { done: [], onClip: (clip: ClipEvent) => clips.push(JSON.parse(JSON.stringify(clip))) };
		const signal = new AbortController().signal;
		await transcriptOf(earlier.runner.transcribe({ path: '/ok/3' }, plainTranscription, signal, kept));
		expect(clips.map(({ clip }) => clip)).toEqual([0, 1, 2]);

		const { runner } = arrange();
		const further: number[] = [];
		const transcript = await transcriptOf(
			runner.transcribe({ path: '/ok/4' }, plainTranscription, signal, {
				done: clips,
				onClip: ({ clip }) => further.push(clip),
			}),
		);
		expect(further).toEqual([3]);
		expect(transcript.segments.map(({ id, text }) => [id, text.trim()])).toEqual([
			...[0, 1, 2].map((id) => [id, String(earlier.runner.pid)]),
			[3, String(runner.pid)],
		]);
	});

	it('starts its process with the first recording and keeps it', async () => {
		const { runner, run } = arrange();
		expect(runner.state).toBe('unloaded');
		const first = await run('/ok/2');
		const second = await run('/ok/1');
		expect(first.segments).toHaveLength(2);
		expect(second.text).toBe(String(runner.pid));
	});

	it('numbers the segments of a recording over all its clips', async () => {
		const { run } = arrange();
		expect((await run('/ok/3')).segments.map(({ id, start }) => [id, start])).toEqual([
			[0, 0],
			[1, 1],
			[2, 2],
		]);
	});

	it('loads once for concurrent callers', async () => {
		const { run } = arrange();
		const pids = await Promise.all(['/ok/1', '/ok/1', '/ok/1'].map(async (what) => (await run(what)).text));
		expect(new Set(pids).size).toBe(1);
	});

	it('tries the clip in flight once more when the process dies', async () => {
		const { run, log } = arrange();
		const marker = path.join(folder(), 'died');
		const transcript = await run(`/once${marker}`);
		expect(transcript.segments).toHaveLength(1);
		expect(log.join('\n')).toContain('crashed (signal SIGKILL) with 1 recordings in flight');
	});

	it('passes on what the engine warns of, without taking it for the cause of a crash', async () => {
		const levels: (string | undefined)[] = [];
		const { run } = arrange(
			{ warns: 'weights are not shared' },
			{ onLog: (line, level) => levels.push(`${level}: ${line}`) },
		);
		await expect(run('/crash/1')).rejects.toMatchObject({
			message: expect.not.stringContaining('not shared'),
		});
		expect(levels).toContain('warn: the runner of fake: weights are not shared');
	});

	it('gives a clip up when the process dies on it twice, and says what the engine last said', async () => {
		const { run } = arrange();
		await expect(run('/crash/1')).rejects.toMatchObject({
			code: 'engine_failed',
			message: expect.stringContaining('assertion failed: it hurts'),
		});
	});

	it('goes on where a recording stopped: finished clips are neither repeated nor lost', async () => {
		const { runner } = arrange();
		const seen: TranscriptEvent[] = [];
		const failed = (async () => {
			for await (const event of runner.transcribe(
				{ path: '/crash/3' },
				plainTranscription,
				new AbortController().signal,
			))
				seen.push(event);
		})();
		await expect(failed).rejects.toMatchObject({ code: 'engine_failed' });
		expect(seen.map(({ type }) => type)).toEqual(['started', 'segments', 'segments']);
	});

	it('gives a recording up when the process dies twice on decoding it, far behind its start', async () => {
		const { runner } = arrange();
		const seen: TranscriptEvent[] = [];
		const failed = (async () => {
			for await (const event of runner.transcribe(
				{ path: '/rotten/2' },
				plainTranscription,
				new AbortController().signal,
			))
				seen.push(event);
		})();
		await expect(failed).rejects.toMatchObject({ code: 'engine_failed' });
		expect(seen.map(({ type }) => type)).toEqual(['started', 'segments', 'segments']);
	});

	it('leaves every other recording untouched by one that kills the process', async () => {
		const { run } = arrange();
		const results = await Promise.allSettled([
			run('/ok/2'),
			run('/crash/2'),
			run('/ok/3'),
			run('/crash/1'),
			run('/rotten/1'),
			run('/ok/1'),
		]);
		expect(results.map(({ status }) => status)).toEqual([
			'fulfilled',
			'rejected',
			'fulfilled',
			'rejected',
			'rejected',
			'fulfilled',
		]);
	});

	it('starts a new process for the next recording after its process was killed while idle', async () => {
		const { runner, run } = arrange();
		const before = (await run('/ok/1')).text;
		process.kill(Number(before), 'SIGKILL');
		const after = (await run('/ok/1')).text;
		expect(after).not.toBe(before);
		expect(after).toBe(String(runner.pid));
	});

	it('ends what was cancelled at once', async () => {
		const { run } = arrange();
		const gone = new AbortController();
		const result = run('/hold', gone.signal);
		gone.abort();
		await expect(result).rejects.toMatchObject({ code: 'cancelled' });
		await expect(run('/ok/1')).resolves.toBeDefined();
	});

	it('passes on why a model could not be loaded', async () => {
		const { run } = arrange({ fail: true });
		await expect(run('/ok/1')).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringContaining('no such model'),
		});
	});

	it('reports a process that dies while loading, with its last output', async () => {
		const { run } = arrange({ die: true });
		await expect(run('/ok/1')).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringContaining('the model is rotten'),
		});
	});

	it('kills a process that does not end after a close, after a grace period', async () => {
		const { runner, clock } = arrange({ deaf: true });
		await runner.start();
		const { pid } = runner;
		const closed = runner.close();
		clock.advance(4_999);
		expect(isAlive(pid)).toBe(true);
		clock.advance(1);
		await closed;
		expect(isAlive(pid)).toBe(false);
	});

	it('reports why a model cannot be loaded even if the process does not end then', async () => {
		const { run, clock } = arrange({ fail: true, deaf: true });
		const result = expect(run('/ok/1')).rejects.toThrow('no such model');
		await vi.waitUntil(() => clock.waiting === 2, patient);
		clock.advance(5_000);
		await result;
	});

	it('gives up on a load that does not come to an end, and does not try it again', async () => {
		const { run, clock, log } = arrange({ mute: true });
		const result = expect(run('/ok/1')).rejects.toMatchObject({
			code: 'model_load_failed',
			message: 'The model `fake` could not be loaded: loading took longer than 10 minutes',
		});
		await vi.waitUntil(() => clock.waiting === 1, patient);
		clock.advance(600_000);
		await result;
		expect(log).toEqual([]);
	});

	it('refuses work after it was closed, and ends its process', async () => {
		const { runner, run } = arrange();
		const pid = Number((await run('/ok/1')).text);
		await runner.close();
		await expect(run('/ok/1')).rejects.toMatchObject({ code: 'closed' });
		expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
	});
});

describe('a process that hangs', () => {
	const hangTimeoutMs = 30_000;
	/** Until it is noticed. */
	const noticed = (clock: FakeClock) => clock.advance(hangTimeoutMs + 5_000);

	it('is replaced, and its recording continues in the next one', async () => {
		const { runner, run, clock, log, restarts } = arrange({}, { hangTimeoutMs });
		const times = path.join(folder(), 'times');
		const result = run(`/spin/1${times}`);
		await untilHung(times, 1);
		const { pid } = runner;
		noticed(clock);
		expect((await result).segments).toHaveLength(1);
		expect(isAlive(pid)).toBe(false);
		expect(log.join('\n')).toContain('crashed (no response for 30 s) with 1 recordings in flight');
		expect(restarts).toEqual(['hung']);
	});

	it('fails the recording that makes it hang twice, and says how', async () => {
		const { run, clock } = arrange({}, { hangTimeoutMs });
		const times = path.join(folder(), 'times');
		const result = expect(run(`/spin/2${times}`)).rejects.toMatchObject({
			code: 'engine_failed',
			message: 'the engine crashed twice on this recording (no response for 30 s)',
		});
		for (const time of [1, 2]) {
			await untilHung(times, time);
			noticed(clock);
		}
		await result;
		expect((await run('/ok/1')).segments).toHaveLength(1);
	});

	it('is noticed when it was stopped from outside', async () => {
		const { runner, run, clock } = arrange({}, { hangTimeoutMs });
		const gone = new AbortController();
		const lost = expect(run('/hold', gone.signal)).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => runner.state === 'loaded', patient);
		const { pid } = runner;
		process.kill(pid ?? 0, 'SIGSTOP');
		clock.advance(10_000);
		expect(runner.isAnswering).toBe(false);
		// The client goes away: the process must be noticed all the same.
		gone.abort();
		await lost;
		noticed(clock);
		await untilEnded(pid);
		expect((await run('/ok/1')).segments).toHaveLength(1);
		expect(runner.isAnswering).toBe(true);
	});

	it('is another than one whose clip takes long', async () => {
		const { runner, run, clock } = arrange({}, { hangTimeoutMs });
		const gone = new AbortController();
		const held = expect(run('/hold', gone.signal)).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => runner.state === 'loaded', patient);
		const { pid } = runner;
		for (let round = 0; round < 20; round++) {
			clock.advance(10_000);
			await vi.waitUntil(() => runner.isAnswering, patient);
		}
		expect(runner.pid).toBe(pid);
		gone.abort();
		await held;
	});
});

describe('a clip that never ends in a process that answers', () => {
	const hangTimeoutMs = 30_000;

	/** Lets it answer a question every five seconds for the ten minutes that a clip may take at least. */
	async function outlast({ runner, clock, log }: ReturnType<typeof arrange>): Promise<void> {
		const { pid } = runner;
		for (let asked = 1; asked <= 120; asked++) {
			clock.advance(5_000);
			await vi.waitUntil(() => countOf(log, 'asked') === asked, { ...patient, interval: 1 });
		}
		expect(isAlive(pid)).toBe(true);
		// The first answer says only what is in work.
		clock.advance(5_000);
		await untilEnded(pid);
	}

	const countOf = (log: readonly string[], line: string) => log.filter((each) => each === line).length;

	it('fails its recording, without another try, and no other', async () => {
		const all = arrange({}, { hangTimeoutMs });
		const { runner, run, log, restarts } = all;
		const stuck = expect(run('/stuck')).rejects.toMatchObject({
			code: 'engine_failed',
			message: 'the engine hung on this recording (a clip did not end in 600 s)',
		});
		const gone = new AbortController();
		const other = expect(run('/hold', gone.signal)).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => log.includes('stuck'), patient);
		const { pid } = runner;
		await outlast(all);
		await stuck;
		expect(log.join('\n')).toContain('crashed (a clip did not end in 600 s) with 2 recordings in flight');
		await vi.waitUntil(() => restarts.length === 1, patient);
		expect(restarts).toEqual(['hung']);
		expect(runner.pid).not.toBe(pid);
		gone.abort();
		await other;
		expect((await run('/ok/1')).segments).toHaveLength(1);
	}, 60_000);

	it('is detected after its client has disconnected, as soon as others wait', async () => {
		const all = arrange({}, { hangTimeoutMs });
		const { runner, run, log } = all;
		const gone = new AbortController();
		const lost = expect(run('/stuck', gone.signal)).rejects.toMatchObject({ code: 'cancelled' });
		await vi.waitUntil(() => log.includes('stuck'), patient);
		gone.abort();
		await lost;
		const { pid } = runner;
		const leaves = new AbortController();
		const events = runner
			.transcribe({ path: '/hold' }, plainTranscription, leaves.signal)
			[Symbol.asyncIterator]();
		expect((await events.next()).value).toMatchObject({ type: 'started' });
		const waits = expect(events.next()).rejects.toMatchObject({ code: 'cancelled' });
		await outlast(all);
		await vi.waitUntil(() => runner.pid !== pid && runner.state === 'loaded', patient);
		leaves.abort();
		await waits;
	}, 60_000);
});

describe('a model whose process keeps dying', () => {
	it('is in backoff after five deaths and nothing done, and says for how long and why', async () => {
		const { runner, run } = arrange({ die: true });
		for (const _ of [1, 2]) await expect(run('/ok/1')).rejects.toMatchObject({ code: 'model_load_failed' });
		for (const _ of [1, 2])
			await expect(run('/ok/1')).rejects.toMatchObject({
				code: 'model_backoff',
				retryAfterSeconds: 10,
				message:
					'The process of the model `fake` keeps crashing (exit code 9; its last output: the model is rotten). The model can be used again in 10 s',
			});
		expect(runner.state).toBe('backoff');
	});

	it('is tried again after the hold, and waits longer after the next death', async () => {
		const { run, clock } = arrange({ die: true });
		for (const _ of [1, 2, 3]) await expect(run('/ok/1')).rejects.toThrow();
		clock.advance(10_000);
		await expect(run('/ok/1')).rejects.toMatchObject({ code: 'model_backoff', retryAfterSeconds: 20 });
	});

	it('is tried again at once after a reset', async () => {
		const { runner, run } = arrange({ die: true });
		for (const _ of [1, 2, 3]) await expect(run('/ok/1')).rejects.toThrow();
		runner.reset();
		await expect(run('/ok/1')).rejects.toMatchObject({ code: 'model_load_failed' });
	});

	it('is not in backoff while recordings get through', async () => {
		const { run } = arrange();
		for (const _ of [1, 2, 3, 4, 5, 6]) {
			await expect(run('/crash/1')).rejects.toMatchObject({ code: 'engine_failed' });
			await expect(run('/ok/1')).resolves.toBeDefined();
		}
	});

	it('gives waiting requests the time to retry', async () => {
		const dieIf = path.join(folder(), 'die');
		const { runner, run } = arrange({ dieIf });
		writeFileSync(dieIf, '');
		for (const _ of [1, 2]) await expect(run('/ok/1')).rejects.toMatchObject({ code: 'model_load_failed' });
		rmSync(dieIf);
		const results = Promise.allSettled([run('/hold'), run('/hold')]);
		await vi.waitUntil(() => runner.state === 'loaded', patient);
		process.kill(runner.pid ?? 0, 'SIGKILL');
		const onHold = { status: 'rejected', reason: { code: 'model_backoff', retryAfterSeconds: 10 } };
		expect(await results).toMatchObject([onHold, onHold]);
	});

	it('is loaded once more by itself where its process died while loading', async () => {
		const { run, log } = arrange({ dieOnce: path.join(folder(), 'died') });
		await expect(run('/ok/1')).resolves.toBeDefined();
		expect(log.join('\n')).toContain('crashed (exit code 9)');
	});
});

describe('a runner that has grown too big', () => {
	const textOf = async (transcript: Promise<Transcript>) => (await transcript).text.split(' ').map(Number);
	it('continues in a new process from the next clip, started before the old one ends', async () => {
		const { runner, run, restarts } = arrange();
		const go = path.join(folder(), 'go');
		await runner.start();
		const first = runner.pid;
		const pids = textOf(run(`/grow/3${go}`));
		await vi.waitUntil(() => runner.pid !== first, patient);
		expect(runner.state).toBe('loaded');
		writeFileSync(go, '');
		expect(await pids).toEqual([first, first, runner.pid]);
		expect(restarts).toEqual(['grew']);
		await untilEnded(first);
	});

	it('continues in a new process after the old one has ended if there is no memory for two', async () => {
		const { runner, run, restarts } = arrange({}, { hasRoomForTwo: () => false });
		const go = path.join(folder(), 'go');
		await runner.start();
		const first = runner.pid;
		const pids = textOf(run(`/grow/3${go}`));
		await vi.waitUntil(() => restarts.length === 1, patient);
		await untilEnded(first);
		writeFileSync(go, '');
		expect(await pids).toEqual([first, runner.pid, runner.pid]);
		expect(runner.pid).not.toBe(first);
	});

	it('is replaced once a minute, then less and less: a bound that is too small stops no work', async () => {
		const { runner, run, clock } = arrange({}, { hasRoomForTwo: () => false, maxRssBytes: 1 });
		await runner.start();
		const workers = [runner.pid];
		for (const ms of [0, 59_999, 1, 119_999, 1]) {
			clock.advance(ms);
			workers.push(...(await textOf(run('/ok/1'))));
		}
		const [a, b, , c, , d] = workers;
		expect(workers).toEqual([a, b, b, c, c, d]);
		expect(new Set([a, b, c, d]).size).toBe(4);
	});

	it('is kept where another process cannot be had', async () => {
		const dieIf = path.join(folder(), 'die');
		const go = path.join(folder(), 'go');
		const { runner, run, log } = arrange({ dieIf });
		await runner.start();
		const first = runner.pid;
		writeFileSync(dieIf, '');
		const pids = textOf(run(`/grow/2${go}`));
		await vi.waitUntil(() => log.some((line) => line.includes('crashed')), patient);
		writeFileSync(go, '');
		expect(await pids).toEqual([first, first]);
	});

	it('loses nothing when it dies before it has been replaced', async () => {
		const { runner, run } = arrange();
		const go = path.join(folder(), 'go');
		await runner.start();
		const first = runner.pid ?? 0;
		const pids = textOf(run(`/grow/3${go}`));
		await vi.waitUntil(() => runner.pid !== first, patient);
		process.kill(first, 'SIGKILL');
		writeFileSync(go, '');
		expect(await pids).toEqual([first, runner.pid, runner.pid]);
	});
});
