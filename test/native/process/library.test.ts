import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTranscriber, type EarshotTranscriber } from '../../../src/index.js';
import { audioPath } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

describe.each([
	['in this process', false],
	['in a runner', true],
])('the library with the model %s', (_, isolated) => {
	let earshot: EarshotTranscriber;
	beforeAll(async () => {
		earshot = await createTranscriber({ config, isolated });
	});
	afterAll(() => earshot.close());

	it('transcribes a file by its path or its bytes', async () => {
		expect((await earshot.transcribe(audioPath('tones-abc'))).text).toBe('a b c');
		expect((await earshot.transcribe(readFileSync(audioPath('tones-edcba')))).text).toBe('e d c b a');
	});

	it('warns of a recording that is cut off', async () => {
		const bytes = readFileSync(audioPath('tones-abc'));
		const { text, duration, warnings } = await earshot.transcribe(bytes.subarray(0, 44 + 32_000));
		expect(text).toMatch(/^a/);
		expect(warnings).toEqual([
			{ code: 'truncated_audio', start: duration, message: expect.stringContaining('after 1 s') },
		]);
		expect(await earshot.transcribe(bytes)).not.toHaveProperty('warnings');
	});

	it('takes a dozen recordings at once without a warning of a leak', async () => {
		const warnings: string[] = [];
		const note = ({ name }: Error) => warnings.push(name);
		process.on('warning', note);
		await Promise.all(Array.from({ length: 12 }, () => earshot.transcribe(audioPath('tones-a'))));
		// Warnings are emitted on a later turn.
		await new Promise((resolve) => setImmediate(resolve));
		process.removeListener('warning', note);
		expect(warnings).toEqual([]);
	});

	it('gives segments as they are finished', async () => {
		const texts: string[] = [];
		for await (const segment of earshot.segments(audioPath('tones-long-pauses'))) texts.push(segment.text);
		expect(texts).toEqual([' a', ' b', ' c', ' d', ' e']);
	});

	it('gives words with their times on request', async () => {
		const { segments } = await earshot.transcribe(audioPath('tones-abc'), { words: true });
		expect(segments[0]?.words?.map(({ word }) => word)).toEqual(['a', 'b', 'c']);
	});

	it('stops when the caller leaves the loop, and goes on with the next recording', async () => {
		for await (const segment of earshot.segments(audioPath('tones-long-pauses'))) {
			expect(segment.text).toBe(' a');
			break;
		}
		expect((await earshot.transcribe(audioPath('tones-a'))).text).toBe('a');
	});

	it('refuses what the signal has ended already', async () => {
		const call = { signal: AbortSignal.abort() };
		await expect(earshot.transcribe(audioPath('tones-abc'), {}, call)).rejects.toMatchObject({
			code: 'cancelled',
		});
	});

	it('refuses a path that is not there, bytes that are no audio, and what is neither', async () => {
		await expect(earshot.transcribe('/nowhere.wav')).rejects.toMatchObject({
			code: 'audio_unsupported',
			param: 'source',
		});
		await expect(earshot.transcribe(Buffer.from('no audio'))).rejects.toMatchObject({
			code: 'audio_unsupported',
		});
		await expect(earshot.transcribe(7 as unknown as string)).rejects.toMatchObject({
			code: 'invalid_request',
			param: 'source',
		});
	});

	it('refuses options that the model cannot honour, naming them', async () => {
		const file = audioPath('tones-abc');
		await expect(earshot.transcribe(file, { task: 'translate' })).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'model',
		});
		await expect(earshot.transcribe(file, { logprobs: true })).rejects.toMatchObject({ param: 'include' });
		await expect(earshot.transcribe(file, { prompt: 'x' })).rejects.toMatchObject({ param: 'prompt' });
		await expect(earshot.transcribe(file, { keywords: ['x'] })).rejects.toMatchObject({ param: 'keywords' });
		await expect(earshot.transcribe(file, { temperature: 0.5 })).rejects.toMatchObject({
			param: 'temperature',
		});
		await expect(earshot.transcribe(file, { temperature: 7 })).rejects.toMatchObject({
			code: 'invalid_request',
			param: 'temperature',
		});
		await expect(earshot.transcribe(file, { chunking: { threshold: 2 } })).rejects.toMatchObject({
			param: 'chunking_strategy[threshold]',
		});
	});
});

describe('the library', () => {
	it('names the installed models if another is requested', async () => {
		await expect(createTranscriber({ config, model: 'nobody' })).rejects.toMatchObject({
			code: 'model_not_found',
			message: expect.stringContaining('zipformer_ctc'),
		});
	});

	it('refuses work after it was closed, and can be closed twice', async () => {
		const earshot = await createTranscriber({ config });
		await earshot.close();
		await earshot.close();
		await expect(earshot.transcribe(audioPath('tones-abc'))).rejects.toMatchObject({ code: 'closed' });
	});

	it('ends what runs when it is closed', async () => {
		const earshot = await createTranscriber({ config, model: 'slow' });
		const running = earshot.transcribe(audioPath('tones-long-pauses'));
		running.catch(() => {});
		await earshot.close();
		await expect(running).rejects.toMatchObject({ code: expect.stringMatching(/cancelled|closed/) });
	});

	it('refuses a models.yaml that was named and is not there', async () => {
		await expect(createTranscriber({ config: '/nowhere.yaml' })).rejects.toMatchObject({
			code: 'config_invalid',
		});
	});
});
