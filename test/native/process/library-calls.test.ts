/** How calls of the library report progress, are ended and refused, and how a program ends that holds a model. */

import path from 'node:path';
import vm from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
	type CallOptions,
	createTranscriber,
	type EarshotTranscriber,
	type RequestOptions,
	type TranscriptionProgress,
} from '../../../src/index.js';
import { audioPath, root } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';
import { runNode } from '../addon.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

describe.each([
	['in this process', false],
	['in a runner', true],
])('a call of a model %s', (_, isolated) => {
	let earshot: EarshotTranscriber;
	let slow: EarshotTranscriber;
	beforeAll(async () => {
		earshot = await createTranscriber({ config, isolated });
		slow = await createTranscriber({ config, isolated, model: 'slow' });
	});
	afterAll(async () => {
		await earshot.close();
		await slow.close();
	});

	it('reports its progress', async () => {
		const reports: TranscriptionProgress[] = [];
		const call: CallOptions = { onProgress: (progress) => reports.push(progress) };
		const { duration, segments } = await earshot.transcribe(audioPath('tones-long-pauses'), {}, call);
		expect(reports[0]).toEqual({ processed: 0, duration });
		expect(reports.at(-1)).toEqual({ processed: duration, duration });
		expect(reports.length).toBe(segments.length + 2);
		const processed = reports.map((each) => each.processed);
		expect(processed).toEqual([...processed].sort((a, b) => a - b));
	});

	it('ends with what its progress callback throws', async () => {
		const call: CallOptions = {
			onProgress: () => {
				throw new Error('enough');
			},
		};
		await expect(earshot.transcribe(audioPath('tones-abc'), {}, call)).rejects.toThrow('enough');
		expect((await earshot.transcribe(audioPath('tones-a'))).text).toBe('a');
	});

	it('ends with the rejection of a progress callback that is asynchronous', async () => {
		const rejects: unknown = () => Promise.reject(new Error('enough'));
		const call: CallOptions = { onProgress: rejects as (progress: TranscriptionProgress) => void };
		await expect(earshot.transcribe(audioPath('tones-abc'), {}, call)).rejects.toThrow('enough');
	});

	it('has times in whole milliseconds', async () => {
		const { segments, duration } = await earshot.transcribe(audioPath('tones-long-pauses'), { words: true });
		const words = segments.flatMap((segment) => segment.words ?? []);
		const times = [...segments, ...words].flatMap(({ start, end }) => [start, end]);
		expect(times.length).toBeGreaterThan(19);
		for (const time of [...times, duration]) expect(time).toBe(Math.round(time * 1000) / 1000);
	});

	it.each<[string, () => CallOptions]>([
		['before it begins', () => ({ signal: AbortSignal.abort('enough') })],
		['while it runs', () => abortedWhenOpen('enough')],
	])('keeps the reason of a signal that ends it %s', async (_, call) => {
		const ended = slow.transcribe(audioPath('tones-long-pauses'), {}, call());
		await expect(ended).rejects.toMatchObject({ code: 'cancelled', cause: 'enough' });
	});

	it('distinguishes a time-out from an abort', async () => {
		const call = { signal: AbortSignal.timeout(1) };
		const ended = slow.transcribe(audioPath('tones-long-pauses'), {}, call);
		await expect(ended).rejects.toMatchObject({
			code: 'deadline_exceeded',
			cause: { name: 'TimeoutError' },
		});
		const plain = { signal: AbortSignal.abort() };
		await expect(slow.transcribe(audioPath('tones-abc'), {}, plain)).rejects.toMatchObject({
			code: 'cancelled',
			cause: { name: 'AbortError' },
		});
	});

	it('takes a signal of another realm', async () => {
		const signal = vm.runInNewContext('new Controller().signal', {
			Controller: ForeignController,
		}) as AbortSignal;
		expect((await earshot.transcribe(audioPath('tones-a'), {}, { signal })).text).toBe('a');
	});

	it.each<[string, RequestOptions, string, string]>([
		[
			'an option that does not exist',
			{ word: true } as RequestOptions,
			'word',
			'no options but task, language',
		],
		[
			'a language that is no string',
			{ language: 5 } as unknown as RequestOptions,
			'language',
			'a string, got `5`',
		],
		[
			'keywords that are no array',
			{ keywords: 'a' } as unknown as RequestOptions,
			'keywords',
			'an array of strings',
		],
		['an unknown task', { task: 'sing' } as unknown as RequestOptions, 'task', '`transcribe` or `translate`'],
		[
			'a temperature in words',
			{ temperature: '0' } as unknown as RequestOptions,
			'temperature',
			'a number, got `0`',
		],
		['words for words', { words: 'yes' } as unknown as RequestOptions, 'words', 'true or false, got `yes`'],
		[
			'a chunking of other fields',
			{ chunking: { vad: 1 } } as RequestOptions,
			'vad',
			'no options but threshold',
		],
		['a chunking that is a word', { chunking: 'auto' } as unknown as RequestOptions, 'chunking', 'an object'],
		['no options at all', null as unknown as RequestOptions, 'options', 'an object, got `null`'],
	])('is refused for %s, by name', async (_, options, param, message) => {
		const refusal = { code: 'invalid_request', param, message: expect.stringContaining(message) };
		await expect(earshot.transcribe(audioPath('tones-a'), options)).rejects.toMatchObject(refusal);
		await expect(firstOf(earshot.segments(audioPath('tones-a'), options))).rejects.toMatchObject(refusal);
	});

	it.each<[string, unknown, string]>([
		['a signal that is none', { signal: {} }, 'signal'],
		['half a signal', { signal: { aborted: false, addEventListener() {} } }, 'signal'],
		['a callback that is none', { onProgress: true }, 'onProgress'],
		['an option that does not exist', { timeout: 5 }, 'timeout'],
	])('is refused for %s', async (_, call, param) => {
		const refused = earshot.transcribe(audioPath('tones-a'), {}, call as CallOptions);
		await expect(refused).rejects.toMatchObject({ code: 'invalid_request', param });
	});
});

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
	for await (const item of items) return item;
	return undefined;
}

/** Not one of Node's classes, as those of a test environment are not. */
class ForeignController {
	readonly signal = { aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} };
}

/** Options whose signal fires when the recording has been opened. */
function abortedWhenOpen(reason: string): CallOptions {
	const control = new AbortController();
	return { signal: control.signal, onProgress: () => control.abort(reason) };
}

describe('a model', () => {
	it.each<[string, object, string]>([
		['an option that does not exist', { modle: 'x' }, 'modle'],
		['a number for a name', { model: 5 }, 'model'],
		['no thread', { numThreads: 0 }, 'numThreads'],
		['a thread and a half', { numThreads: 1.5 }, 'numThreads'],
		['a word for isolated', { isolated: 'yes' }, 'isolated'],
	])('is refused for %s', async (_, options, param) => {
		await expect(createTranscriber({ config, ...options })).rejects.toMatchObject({
			code: 'invalid_request',
			param,
		});
	});

	it.each([
		['in this process', false],
		['in a runner', true],
	])('%s that is never closed lets the program end', async (_, isolated) => {
		const options = JSON.stringify({ config, isolated });
		const ended = await runNode([
			'--input-type=module',
			'-e',
			`import { createTranscriber } from 'earshot';
			const earshot = await createTranscriber(${options});
			console.log((await earshot.transcribe(${JSON.stringify(audioPath('tones-abc'))})).text);`,
		]);
		expect(ended).toMatchObject({ code: 0, stdout: 'a b c' });
	});

	it('may be loaded by a CommonJS program', async () => {
		const ended = await runNode([
			'--input-type=commonjs',
			'-e',
			`const { createTranscriber } = require('earshot');
			(async () => {
				const earshot = await createTranscriber(${JSON.stringify({ config })});
				console.log((await earshot.transcribe(${JSON.stringify(audioPath('tones-abc'))})).text);
			})();`,
		]);
		expect(ended).toMatchObject({ code: 0, stdout: 'a b c' });
	});

	it('works where everything of JavaScript is of another realm, as in Jest', async () => {
		// A context with classes of its own, whose modules are evaluated in it.
		const ended = await runNode([
			'--experimental-vm-modules',
			'--no-warnings',
			path.join(root, 'test', 'native', 'process', 'other-realm.mjs'),
			config,
			audioPath('tones-abc'),
		]);
		expect(ended).toMatchObject({ code: 0, stdout: 'a b c\nmodel_not_found\naudio_unsupported\ncancelled' });
	});
});
