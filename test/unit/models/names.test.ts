/** The names that people type, and which model each of them means. */

import { describe, expect, it } from 'vitest';
import { Catalog } from '../../../src/models/catalog/catalog.js';
import { isOpenAiName, keysOf, nameKey, similarNames } from '../../../src/models/catalog/names.js';
import { builtInModels } from '../../../src/models/catalog/parse.js';
import { findEntry, loadRegistry } from '../../../src/models/registry/registry.js';
import { root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { arrangeMachine, catalogModel } from '../../helpers/temp-install.js';

const catalog = new Catalog();
const never = new AbortController().signal;

describe('a name of a model in the catalog', () => {
	it.each([
		['tiny.en', 'whisper-tiny.en'],
		['TINY.EN', 'whisper-tiny.en'],
		['tiny-en', 'whisper-tiny.en'],
		['base', 'whisper-base'],
		['large-v3-turbo', 'whisper-large-v3-turbo'],
		['turbo', 'whisper-large-v3-turbo'],
		['large', 'whisper-large-v3'],
		['large-v3', 'whisper-large-v3'],
		['large-v3-turbo-q5_0', 'whisper-large-v3-turbo-q5_0'],
		['large-v3-turbo-q5-0', 'whisper-large-v3-turbo-q5_0'],
		['ggml-tiny.en', 'whisper-tiny.en'],
		['ggml-tiny.en.bin', 'whisper-tiny.en'],
		['tiny.en.pt', 'whisper-tiny.en'],
		['ggml-base-q5_1.bin', 'whisper-base-q5_1'],
		['ggerganov/whisper.cpp/ggml-base.bin', 'whisper-base'],
		['openai/whisper-tiny.en', 'whisper-tiny.en'],
		['https://huggingface.co/openai/whisper-tiny.en', 'whisper-tiny.en'],
		['Systran/faster-whisper-base', 'whisper-base'],
		['faster-whisper-base.en', 'whisper-base.en'],
		['deepdml/faster-whisper-large-v3-turbo-ct2', 'whisper-large-v3-turbo'],
		['mobiuslabsgmbh/faster-whisper-large-v3-turbo', 'whisper-large-v3-turbo'],
		['mlx-community/whisper-large-v3-mlx', 'whisper-large-v3'],
		['Whisper base', 'whisper-base'],
		['iic/SenseVoiceSmall', 'sensevoice-small'],
		['FunAudioLLM/SenseVoiceSmall', 'sensevoice-small'],
		['sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17', 'sensevoice-small'],
		['nvidia/parakeet-tdt-0.6b-v3', 'parakeet-tdt-0.6b-v3'],
		['csukuangfj/sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8', 'parakeet-tdt-0.6b-v2'],
		['Qwen/Qwen3-ASR-0.6B', 'qwen3-asr-0.6b'],
		['sherpa-onnx-whisper-tiny', 'whisper-tiny-onnx'],
		['SILERO-VAD', 'silero-vad'],
	])('%s means %s', (name, id) => {
		expect(catalog.resolve(name)?.id).toBe(id);
	});

	it.each([
		'openai/whisper-large',
		'somebody/whisper-small',
		'whisper-small-hindi',
		'tiny.e',
		'',
		'/',
		'x'.repeat(1e6),
	])('%.40s means none, since its weights may be others', (name) => {
		expect(catalog.resolve(name)).toBeUndefined();
	});

	it('is never that of two models', () => {
		const owners = new Map<string, string[]>();
		for (const model of builtInModels())
			for (const key of keysOf(model)) owners.set(key, [...(owners.get(key) ?? []), model.id]);
		expect([...owners].filter(([, ids]) => ids.length > 1)).toEqual([]);
	});

	it('that was misspelt is guessed', () => {
		const guesses = (name: string) => catalog.similar(name);
		expect(guesses('whisper-tny.en')[0]).toBe('whisper-tiny.en');
		expect(guesses('tyni.en')[0]).toBe('whisper-tiny.en');
		expect(guesses('larg-v3-turbo')[0]).toBe('whisper-large-v3-turbo');
		expect(guesses('paraformer')).toEqual(expect.arrayContaining(['paraformer-zh-en']));
		expect(guesses('moonshine-ja')).toEqual(expect.arrayContaining(['moonshine-v2-base-ja']));
		expect(guesses('zzzzzz')).toEqual([]);
		expect(similarNames('x'.repeat(1e6), ['x'])).toEqual([]);
	});
});

describe('a name of OpenAI', () => {
	it.each([
		'whisper-1',
		'WHISPER-1',
		'openai/whisper-1',
		'gpt-4o-transcribe',
		'gpt-4o-mini-transcribe-2025-12-15',
		'gpt-4o-transcribe-diarize',
		'gpt-4o-transcribe-diarize-2027-01-31',
		'GPT-transcribe',
		'gpt-5.1-mini-transcribe',
	])('is %s', (name) => {
		expect(isOpenAiName(name)).toBe(true);
	});

	it.each(['whisper-2', 'whisper-1x', 'gpt-4o', 'gpt-4o-transcribe-yesterday', 'transcribe'])(
		'is not %s',
		(name) => {
			expect(isOpenAiName(name)).toBe(false);
		},
	);

	it('takes linear time to distinguish', () => {
		expect(isOpenAiName(`gpt-${'a-'.repeat(500_000)}`)).toBe(false);
		expect(nameKey('-'.repeat(1e6)).length).toBe(1e6);
	});
});

describe('a name in a request', () => {
	function registryOf(yaml: string) {
		const scratch = new Scratch();
		const config = scratch.file('models.yaml', yaml);
		return loadRegistry({ config, modelDir: scratch.path }, root);
	}

	const served = registryOf(`
default_model: sensevoice-small
aliases: {Dictation: base}
models:
  whisper-tiny.en: {type: whisper_cpp, files: {model: ggml-tiny.en.bin}}
  base: {type: whisper_cpp, files: {model: ggml-base.bin}, aliases: [gpt-4o-transcribe]}
  sensevoice-small: {type: sense_voice, files: {model: m.onnx, tokens: t.txt}}
  acme/own: {type: sense_voice, files: {model: m.onnx, tokens: t.txt}}
`);

	it.each([
		['whisper-tiny.en', 'whisper-tiny.en'],
		['Whisper-Tiny.EN', 'whisper-tiny.en'],
		['tiny.en', 'whisper-tiny.en'],
		['ggml-tiny.en.bin', 'whisper-tiny.en'],
		['openai/whisper-tiny.en', 'whisper-tiny.en'],
		['Systran/faster-whisper-tiny.en', 'whisper-tiny.en'],
		['base', 'base'],
		['BASE', 'base'],
		['whisper-base', 'base'],
		['ggml-base', 'base'],
		['dictation', 'base'],
		['iic/SenseVoiceSmall', 'sensevoice-small'],
		['ACME/Own', 'acme/own'],
		['whisper-1', 'sensevoice-small'],
		['WHISPER-1', 'sensevoice-small'],
		['gpt-4o-transcribe-diarize', 'sensevoice-small'],
		['gpt-4o-mini-transcribe-2025-03-20', 'sensevoice-small'],
		['gpt-4o-transcribe', 'base'],
		['gpt-4o-transcribe-2025-03-20', 'base'],
	])('%s finds %s', (name, id) => {
		expect(findEntry(served, name).id).toBe(id);
	});

	it.each([
		['base.en', 'To download it: earshot pull whisper-base.en'],
		[
			'openai/whisper-small',
			'The model `whisper-small` is not on this machine. To download it: earshot pull whisper-small',
		],
		['whisper-tiny.em', 'Did you mean `whisper-tiny.en`?'],
		['sensvoice-small', 'Did you mean `sensevoice-small`?'],
		[
			'parakeet-tdt-0.6b-v4',
			'Did you mean `parakeet-tdt-0.6b-v3` or `parakeet-tdt-0.6b-v2`? To download it: earshot pull parakeet-tdt-0.6b-v3',
		],
		[
			'zzzzzz',
			'Available: whisper-tiny.en, base, sensevoice-small, acme/own, demo-digits. To find models to download: earshot search',
		],
		['silero-vad', 'is for voice activity detection'],
	])('%s is answered with what to do', (name, message) => {
		expect(() => findEntry(served, name)).toThrow(message);
	});

	it('of any length is answered briefly', () => {
		const find = () => findEntry(served, 'm'.repeat(1_000_000));
		expect(find).toThrow('mmm…` is not on this machine. Available: whisper-tiny.en');
		expect(find).toThrow(/^.{1,400}$/);
	});

	it('may be the default model', () => {
		expect(
			registryOf('default_model: TINY.en\nmodels: {whisper-tiny.en: {type: whisper_cpp, files: {model: a}}}')
				.defaultModel,
		).toBe('whisper-tiny.en');
	});
});

describe('a name on the command line', () => {
	const machine = () =>
		arrangeMachine({
			models: () => [],
			yaml: () =>
				'default_model: dictation\nmodels:\n  whisper-tiny.en: {type: whisper_cpp, files: {model: whisper-tiny.en/ggml-tiny.en.bin}, aliases: [dictation]}\n',
		});

	it.each(['tiny.en', 'openai/whisper-tiny.en', 'ggml-tiny.en.bin', 'dictation'])(
		'%s is what `pull` plans',
		async (name) => {
			expect((await machine()).installer.plan(name).id).toBe('whisper-tiny.en');
		},
	);

	it('is a catalog id before it is the alias of another model', async () => {
		const other = await arrangeMachine({
			models: () => [],
			yaml: () => 'models:\n  a: {type: whisper_cpp, files: {model: a.bin}, aliases: [whisper-base]}\n',
		});
		expect(other.installer.plan('whisper-base').id).toBe('whisper-base');
		await expect(other.installer.remove('whisper-base', never)).rejects.toThrow('not on this machine');
	});

	it.each([
		['whisper-1', 'To remove that: earshot rm whisper-tiny.en'],
		['tinny.en', 'Did you mean `whisper-tiny.en`? Then: earshot rm whisper-tiny.en'],
		['zzzzzz', 'To list the installed models: earshot list'],
	])('`rm` of %s says what to do', async (name, message) => {
		await expect((await machine()).installer.remove(name, never)).rejects.toThrow(message);
	});

	it.each([
		['whisper-1', 'earshot pull whisper-large-v3-turbo-q5_0'],
		['whisper-tny.en', 'Did you mean `whisper-tiny.en`? To download it: earshot pull whisper-tiny.en'],
		['zzzzzz', 'earshot search'],
	])('`pull` of %s says what to do', async (name, message) => {
		const { installer } = await machine();
		expect(() => installer.plan(name)).toThrow(message);
	});

	it('is found by `rm`', async () => {
		const here = await machine();
		expect(await here.installer.remove('TINY.en', never)).toEqual({
			id: 'whisper-tiny.en',
			entry: true,
			files: false,
		});
	});

	it('is found by `add`, or answered with the pull', async () => {
		const here = await machine();
		await expect(here.installer.add('openai/whisper-base', {}, never)).rejects.toThrow(
			'to download it: earshot pull whisper-base',
		);
	});

	it('that a catalog of the user gives a model is found, too', async () => {
		const here = await arrangeMachine({
			models: (mirror) => [
				catalogModel({
					id: 'ours',
					aliases: ['Our Model'],
					files: [{ path: 'model.onnx', url: `${mirror.url}/m`, bytes: 1, sha256: null }],
					roles: { model: 'model.onnx' },
				}),
			],
		});
		expect(here.installer.plan('our-model').id).toBe('ours');
	});
});
