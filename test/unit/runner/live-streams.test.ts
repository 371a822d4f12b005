import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LiveEvent } from '../../../src/core/live/live.js';
import type { ModelEntry } from '../../../src/models/registry/entry.js';
import { Runner } from '../../../src/runner/runner.js';
import { FakeClock } from '../../helpers/fakes.js';
import { patient } from '../../helpers/processes.js';
import { testSettings } from '../../helpers/settings.js';
import { byVoice, manual } from '../pipeline/live/parts.js';

const script = fileURLToPath(new URL('../../helpers/fake-runner.mjs', import.meta.url));

const runners: Runner[] = [];

afterEach(async () => {
	await Promise.all(runners.splice(0).map((runner) => runner.close()));
});

function arrange(options: ModelEntry['options'] = {}) {
	const clock = new FakeClock();
	const deaths: number[] = [];
	const runner = new Runner({
		entry: {
			id: 'fake',
			type: 'whisper_cpp',
			aliases: [],
			files: {},
			options,
			languages: null,
			ownedBy: 'test',
			demo: false,
		},
		settings: testSettings({ maxAudioSeconds: 1, modelDir: path.sep }),
		script,
		env: {},
		clock,
		maxRssBytes: 0,
		hangTimeoutMs: 0,
		onDeath: ({ inFlight }) => deaths.push(inFlight),
	});
	runners.push(runner);
	return { runner, clock, deaths };
}

function listen(runner: Runner, options = byVoice) {
	const events: LiveEvent[] = [];
	const stream = runner.listen(options, (event) => events.push(event));
	const until = <T extends LiveEvent['type']>(type: T): Promise<Extract<LiveEvent, { type: T }>> =>
		vi.waitFor(() => {
			const found = events.find((event): event is Extract<LiveEvent, { type: T }> => event.type === type);
			if (!found) throw new Error(`no event ${type} yet`);
			return found;
		}, patient);
	const say = (...bytes: number[]) => stream.send({ type: 'audio', bytes: Uint8Array.from(bytes) });
	return { events, stream, until, say };
}

describe('live streams of a runner', () => {
	it('start its process, and share it', async () => {
		const { runner } = arrange();
		const [first, second] = [listen(runner), listen(runner)];
		for (const { stream } of [first, second]) stream.send({ type: 'commit', commit: 1 });
		const texts = [(await first.until('completed')).text, (await second.until('completed')).text];
		expect(texts).toEqual([String(runner.pid), String(runner.pid)]);
	});

	it('are lost with their process, and the next one starts another', async () => {
		const { runner, deaths } = arrange();
		const first = listen(runner);
		const idle = listen(runner);
		await runner.start();
		const { pid } = runner;
		first.say(2);
		expect((await first.until('lost')).error.code).toBe('engine_failed');
		await idle.until('lost');
		expect(deaths).toEqual([1]);
		first.stream.send({ type: 'commit', commit: 1 });
		const again = listen(runner);
		again.stream.send({ type: 'commit', commit: 1 });
		expect((await again.until('completed')).text).not.toBe(String(pid));
		expect(first.events.at(-1)?.type).toBe('lost');
	});

	it('are lost where the model cannot be loaded', async () => {
		const { runner } = arrange({ fail: true });
		expect((await listen(runner).until('lost')).error.code).toBe('model_load_failed');
	});

	it('may end alone, with an error of their own', async () => {
		const { runner } = arrange();
		const [broken, whole] = [listen(runner), listen(runner)];
		broken.say(4);
		expect((await broken.until('lost')).error).toMatchObject({
			code: 'model_load_failed',
			message: 'no detector',
		});
		whole.stream.send({ type: 'commit', commit: 1 });
		await whole.until('completed');
	});

	it('move to another process when theirs has grown, as soon as they hold nothing', async () => {
		const { runner, clock } = arrange();
		const [idle, holding] = [listen(runner), listen(runner, manual)];
		holding.say(0);
		await holding.until('processed');
		clock.advance(24 * 3600_000);
		const { pid } = runner;
		idle.say(3);
		await idle.until('moved');
		expect(holding.events.map(({ type }) => type)).toEqual(['processed']);
		holding.stream.send({ type: 'commit', commit: 1 });
		expect((await holding.until('completed')).text).toBe(String(pid));
		await holding.until('moved');
		const next = listen(runner);
		next.stream.send({ type: 'commit', commit: 1 });
		expect((await next.until('completed')).text).not.toBe(String(pid));
	});

	it('send no events once they are closed', async () => {
		const { runner } = arrange();
		const { stream, events, say } = listen(runner);
		const other = listen(runner);
		stream.close();
		stream.close();
		say(0);
		other.stream.send({ type: 'commit', commit: 1 });
		await other.until('completed');
		expect(events).toEqual([]);
	});
});
