import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Pull } from '../../../src/models/pull/tracker.js';
import { findEntry } from '../../../src/models/registry/registry.js';
import { RegistryWatcher } from '../../../src/models/registry/watch.js';
import { FakeLog } from '../../helpers/fakes.js';
import { root } from '../../helpers/fixtures.js';
import { arrangeMachine } from '../../helpers/temp-install.js';

const never = new AbortController().signal;
const entry = (id: string) => `  ${id}: {type: whisper_cpp, files: {model: ${id}.bin}}\n`;

async function arrange(fetch?: (id: string) => void) {
	const machine = await arrangeMachine({ yaml: () => `models:\n${entry('one')}` });
	const log = new FakeLog();
	const registry = new RegistryWatcher({
		flags: machine.flags,
		packageRoot: root,
		log,
		...(fetch ? { fetch: async ({ id }) => fetch(id) } : {}),
	});
	onTestFinished(() => registry.close());
	const changed = vi.fn<() => void>();
	registry.onChange(changed);
	const ids = () => registry.entries.map(({ id }) => id);
	return { machine, registry, log, changed, ids };
}

describe('models.yaml of a running server', () => {
	it('is reloaded when it has changed', async () => {
		const { machine, registry, changed, ids } = await arrange();
		registry.watch();
		writeFileSync(machine.config, `models:\n${entry('one')}${entry('two')}`);
		await vi.waitUntil(() => changed.mock.calls.length > 0, { timeout: 10_000 });
		expect(ids()).toEqual(['one', 'two', 'demo-digits']);
	});

	it('is reloaded when an editor has replaced the file', async () => {
		const { machine, registry, changed, ids } = await arrange();
		registry.watch();
		writeFileSync(`${machine.config}~`, `models:\n${entry('other')}`);
		renameSync(`${machine.config}~`, machine.config);
		await vi.waitUntil(() => changed.mock.calls.length > 0, { timeout: 10_000 });
		expect(ids()).toEqual(['other', 'demo-digits']);
	});

	it('is served as before when it has a mistake, which is reported with line and field', async () => {
		const { machine, registry, log, changed, ids } = await arrange();
		registry.watch();
		writeFileSync(machine.config, `models:\n${entry('one')}${entry('two')}num_threads: many\n`);
		const { level, message } = await log.next();
		expect(level).toBe('error');
		expect(message).toMatch(/`num_threads in .*`.*the previous models.yaml stays in use/);
		expect(ids()).toEqual(['one', 'demo-digits']);
		expect(changed).not.toHaveBeenCalled();
		writeFileSync(machine.config, `models:\n${entry('two')}`);
		await vi.waitUntil(() => changed.mock.calls.length > 0, { timeout: 10_000 });
		expect(ids()).toEqual(['two', 'demo-digits']);
	});

	it('is served without an entry that has a mistake, which is reported with line and field', async () => {
		const { machine, registry, log, ids } = await arrange();
		writeFileSync(machine.config, `models:\n${entry('one')}  two: {type: wisper}\n${entry('three')}`);
		registry.reload();
		expect(await log.next()).toEqual({
			level: 'error',
			fields: { model: 'two', code: 'config_invalid' },
			message: expect.stringMatching(/models\.yaml:3: Expected `models\.two\.type` to be .*got `wisper`$/),
		});
		expect(ids()).toEqual(['one', 'three', 'demo-digits']);
		expect(() => registry.find('two')).toThrow(
			/^The model `two` cannot be served: line 3 of models\.yaml: Expected `models\.two\.type`/,
		);
		expect(() => registry.find('two')).not.toThrow(machine.folder);
	});

	it('serves an entry that gets a mistake as it was before', async () => {
		const { machine, registry, log, ids } = await arrange();
		writeFileSync(machine.config, 'models:\n  one: {type: wisper}\naliases: {uno: one}\n');
		registry.reload();
		expect((await log.next()).message).toMatch(/got `wisper`; it is served as it was before$/);
		expect(ids()).toEqual(['one', 'demo-digits']);
		expect(registry.find('uno')).toMatchObject({ id: 'one', type: 'whisper_cpp' });
		writeFileSync(machine.config, 'models: {}\n');
		registry.reload();
		expect(ids()).toEqual(['demo-digits']);
	});

	it('does not end the serving when it is deleted', async () => {
		const { machine, registry, log, ids } = await arrange();
		rmSync(machine.config);
		registry.reload();
		expect((await log.next()).level).toBe('error');
		expect(ids()).toEqual(['one', 'demo-digits']);
	});

	it('keeps the settings of the start', async () => {
		const { machine, registry } = await arrange();
		const before = registry.now.config.numThreads;
		writeFileSync(machine.config, `num_threads: ${before + 1}\nmodels:\n${entry('one')}`);
		registry.reload();
		expect(registry.now.config.numThreads).toBe(before);
	});
});

describe('a configured model whose files are missing', () => {
	it('is refused with the command that fetches it', async () => {
		const machine = await arrangeMachine({
			yaml: () =>
				'models:\n  small: {type: sense_voice, dir: small, files: {model: model.onnx, tokens: tokens.txt}}\n',
		});
		const registry = new RegistryWatcher({ flags: machine.flags, packageRoot: root, log: new FakeLog() });
		await expect(registry.ready(registry.find('small'), never)).rejects.toMatchObject({
			code: 'model_not_found',
			message: expect.stringContaining('earshot pull small'),
		});
		expect(machine.mirror.asked).toEqual([]);
	});

	it('is fetched where that is wanted', async () => {
		const machine = await arrangeMachine({
			yaml: () =>
				'models:\n  small: {type: sense_voice, dir: small, files: {model: model.onnx, tokens: tokens.txt}}\n',
		});
		const registry = new RegistryWatcher({
			flags: machine.flags,
			packageRoot: root,
			log: new FakeLog(),
			fetch: (wanted, signal) => machine.installer.fetch(wanted, signal),
		});
		await Promise.all([1, 2].map(() => registry.ready(registry.find('small'), never)));
		expect(machine.mirror.starts('/small/model.onnx').length).toBe(1);
	});

	it('is left to the engine to report if it cannot be fetched', async () => {
		const { registry } = await arrange();
		expect(await registry.ready(registry.find('one'), never)).toBeUndefined();
	});
});

describe('aliases', () => {
	const withAliases = (lines: string) =>
		arrangeMachine({ yaml: () => `models:\n${entry('one')}${entry('two')}aliases:\n${lines}` });

	it('of the user mean what they say, also the names of OpenAI’s models', async () => {
		const machine = await withAliases('  whisper-1: two\n  digits: demo-digits\n');
		const { entries } = machine.registry();
		expect(entries.find(({ id }) => id === 'two')?.aliases).toEqual(['whisper-1']);
		expect(entries.find(({ id }) => id === 'demo-digits')?.aliases).toContain('digits');
	});

	it('that are not mapped mean a model that is installed', async () => {
		const machine = await withAliases('  mine: one\n');
		expect(machine.registry()).toMatchObject({ defaultModel: 'demo-digits' });
		expect(machine.registry().entries.at(-1)?.aliases).toContain('gpt-4o-transcribe');
	});

	it.each([
		[
			'a model that is none',
			'  a: three\n',
			'a',
			'line 5 of models.yaml: Expected `aliases.a` to be one of one, two',
		],
		[
			'the name of a model',
			'  one: two\n',
			'one',
			'line 5 of models.yaml: Expected `aliases.one` to be absent',
		],
		['a model with a mistake', '  a: bad\n', 'a', 'line 5 of models.yaml: Expected `models.bad`'],
	])('are reported for %s, with line and field', async (_, lines, name, sentence) => {
		const bad = lines.includes('bad')
			? 'models:\n  bad: 1\n  one: {type: whisper_cpp, files: {model: x}}\naliases:\n'
			: '';
		const machine = bad === '' ? await withAliases(lines) : await arrangeMachine({ yaml: () => bad + lines });
		const { problems, entries } = machine.registry();
		expect(problems.find(({ id }) => id === name)?.sentence).toContain(
			bad === '' ? sentence : sentence.replace('5', '2'),
		);
		expect(entries.map(({ id }) => id)).toContain('one');
	});
});

describe('an entry with a mistake', () => {
	const arrangeBad = () =>
		arrangeMachine({
			yaml: () =>
				'default_model: small\nmodels:\n  small: {type: wisper}\n  one: {type: whisper_cpp, files: {model: x}}\n',
		});

	it('may be the default model, and each request for it gets an error that says what is wrong', async () => {
		const registry = (await arrangeBad()).registry();
		expect(registry.defaultModel).toBe('small');
		for (const name of ['small', 'SMALL', 'whisper-1', 'gpt-4o-transcribe'])
			expect(() => findEntry(registry, name)).toThrow('line 3 of models.yaml: Expected `models.small.type`');
		expect(findEntry(registry, 'one').id).toBe('one');
	});

	it('is neither pulled over nor in the way of other pulls, and can be removed', async () => {
		const machine = await arrangeBad();
		expect(() => machine.installer.pull('small')).toThrow('line 3 of models.yaml');
		expect((await machine.installer.pull('unpinned').finished).state).toBe('done');
		expect(readFileSync(machine.config, 'utf8')).toContain('small: {type: wisper}');
		await expect(machine.installer.add(machine.config, { id: 'small' }, never)).rejects.toThrow();
		expect(await machine.installer.remove('small', never)).toMatchObject({ id: 'small', entry: true });
		expect(readFileSync(machine.config, 'utf8')).not.toContain('wisper');
	});
});

describe('a job', () => {
	it('that ends without a word was cancelled', async () => {
		const job = new Pull('x', async function* () {});
		expect((await job.finished).state).toBe('cancelled');
	});

	it('reports its outcome to late listeners', async () => {
		const job = new Pull('x', async function* () {
			yield { state: 'done', file: '', received: 1, total: 1 };
		});
		await job.finished;
		const seen: string[] = [];
		for await (const { state } of job.statuses(never)) seen.push(state);
		expect(seen).toEqual(['done']);
	});
});
