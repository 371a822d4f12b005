/** What sherpa-onnx's families do besides transcribing: languages, batches, options, failures. */

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findSherpaLibrary } from '../../src/addon/libraries.js';
import { createVad } from '../../src/audio/vad.js';
import type { Clip } from '../../src/core/speech/clip.js';
import type { RecognizeOptions } from '../../src/core/speech/options.js';
import type { Engine } from '../../src/engines/engine.js';
import { filesOf, generated, manifest, modelFixture, samplesOf } from '../helpers/fixtures.js';
import { plainRecognition } from '../helpers/options.js';
import { runBatch } from '../helpers/run-batch.js';
import { disposable, loadFixture } from './load-fixture.js';

async function load(...asked: Parameters<typeof loadFixture>): Promise<Engine & AsyncDisposable> {
	return disposable(await loadFixture(...asked));
}

function clipOf(name: string): Clip {
	const samples = samplesOf(name);
	return { samples, start: 0, end: samples.length / 16_000 };
}

const run = (engine: Engine, clips: readonly Clip[], changes: Partial<RecognizeOptions> = {}) =>
	runBatch(engine, { clips, options: { ...plainRecognition, ...changes }, threads: 1 });

async function transcribe(engine: Engine, recording: string, changes: Partial<RecognizeOptions> = {}) {
	const [result] = await run(engine, [clipOf(recording)], changes);
	return { text: result?.segments.map(({ text }) => text.trim()).join(' '), language: result?.language };
}

describe('a language for one request', () => {
	it('changes SenseVoice’s language in a second recognizer, without affecting other clips', async () => {
		await using engine = await load(modelFixture('sense_voice'));
		const asked = ['zh', null, 'ja', null, 'zh', 'ko', null, 'yue'];
		const results = await Promise.all(asked.map((language) => transcribe(engine, 'tones-abc', { language })));
		expect(results).toEqual(asked.map((language) => ({ text: 'a b c', language: language ?? 'en' })));
		expect(engine.info.capabilities).toMatchObject({ choosesLanguage: true, detectsLanguage: true });
	});

	it('is what Canary writes in; translating it writes English', async () => {
		await using engine = await load(modelFixture('canary'));
		expect(await transcribe(engine, 'tones-abc')).toEqual({ text: 'a b c', language: 'en' });
		expect(await transcribe(engine, 'tones-abc', { language: 'de' })).toEqual({
			text: 'A B C',
			language: 'de',
		});
		expect(await transcribe(engine, 'tones-abc', { language: 'de', task: 'translate' })).toEqual({
			text: 'a b c',
			language: 'de',
		});
		const mixed = ['de', 'en', 'fr', 'en', 'de', 'en'];
		const texts = await Promise.all(mixed.map((language) => transcribe(engine, 'tones-abc', { language })));
		expect(texts.map(({ text }) => text)).toEqual(mixed.map((code) => (code === 'en' ? 'a b c' : 'A B C')));
	});

	it('goes to Cohere with the clip, over the one in its options', async () => {
		await using engine = await load(modelFixture('cohere_transcribe'));
		const mixed = ['en', 'de', null, 'zh'];
		const texts = await Promise.all(mixed.map((language) => transcribe(engine, 'tones-abc', { language })));
		expect(texts.map(({ text }) => text)).toEqual(['a a a', 'A A A', 'a a a', 'A A A']);
	});

	it('is required by models that need it', async () => {
		const { options: _, ...model } = modelFixture('cohere_transcribe');
		await using engine = await load({ ...model, options: {} });
		await expect(run(engine, [clipOf('tones-abc')])).rejects.toMatchObject({
			code: 'invalid_request',
			param: 'language',
			message: expect.stringMatching(/one of ar, de, el, en.*got nothing/),
		});
	});

	it('is known of Whisper from its own file, and many at once do no harm', async () => {
		await using engine = await load(modelFixture('whisper'));
		expect(engine.info.capabilities.languages).toEqual(['en', 'zh', 'de']);
		const mixed = ['de', null, 'zh', 'en', null, 'de', 'de', 'en'];
		const results = await Promise.all(mixed.map((language) => transcribe(engine, 'tones-abc', { language })));
		expect(results.map(({ text }) => text)).toEqual(mixed.map(() => 'a b c'));
	});

	it('must be one of the family', async () => {
		for (const name of ['sense_voice', 'canary', 'cohere_transcribe', 'fire_red_asr']) {
			await using engine = await load(modelFixture(name));
			expect(engine.info.capabilities.languages).toContain('en');
			expect(engine.info.capabilities.languages).not.toContain('sw');
		}
	});
});

const swallowing = manifest.troubled.filter(({ name }) => name.endsWith('_fails'));

describe('a decode that the library reports as an empty text', () => {
	it.each(swallowing.map((model) => [model.name, model] as const))('of %s is an error', async (_, model) => {
		await using engine = await load({ ...model });
		await expect(run(engine, [clipOf('tones-abc')])).rejects.toMatchObject({
			code: 'engine_failed',
			message: expect.stringMatching(/sherpa-onnx failed on the clip: .*(exception|seven|Reshape)/s),
		});
	});

	it('is distinguished from silence', async () => {
		for (const { name } of swallowing) {
			await using engine = await load(modelFixture(name.replace(/_fails$/, '')));
			expect(await run(engine, [clipOf('silence')])).toMatchObject([{ segments: [] }]);
		}
	});
});

describe('clips in one pass', () => {
	const batching = [
		'sense_voice',
		'paraformer',
		'transducer',
		'nemo_transducer',
		'nemo_ctc',
		'zipformer_ctc',
	];
	const alsoBatching = ['tdnn', 'dolphin', 'fire_red_asr_ctc', 'medasr'];

	it.each([...batching, ...alsoBatching])('of %s have the texts and times they have alone', async (name) => {
		await using together = await load(modelFixture(name));
		await using alone = await load(modelFixture(name), { batch: 1 });
		expect([together.limits.maxBatchClips, alone.limits.maxBatchClips]).toEqual([8, 1]);
		const clips = ['tones-abcde', 'tones-a', 'tones-deadbead', 'silence', 'tones-edcba'].map(clipOf);
		const one = await run(alone, clips, { words: true });
		const all = await run(together, clips, { words: true });
		for (const [index, result] of all.entries()) {
			expect(result.segments.map(({ text }) => text)).toEqual(one[index]?.segments.map(({ text }) => text));
			for (const [at, word] of (result.segments[0]?.words ?? []).entries())
				expect(word.start).toBeCloseTo(one[index]?.segments[0]?.words?.[at]?.start ?? -1, 2);
		}
	});

	it('are none where the library would decode one after another', async () => {
		for (const name of ['whisper', 'moonshine', 'canary', 'qwen3_asr', 'wenet_ctc', 'omnilingual']) {
			await using engine = await load(modelFixture(name));
			expect(engine.limits.maxBatchClips).toBe(1);
		}
	});
});

describe('options of an entry', () => {
	it('punctuation adds marks and leaves the words alone', async () => {
		const punctuation = path.join(generated, 'punctuation', 'model.onnx');
		await using engine = await load(modelFixture('zipformer_ctc'), { punctuation });
		const [result] = await run(engine, [clipOf('tones-abc')], { words: true });
		expect(result?.segments[0]?.text.trim()).toBe('a b，c。');
		expect(result?.segments[0]?.words?.map(({ word }) => word)).toEqual(['a', 'b', 'c']);
	});

	it('rule_fsts rewrite the text and leave the words alone', async () => {
		const rule_fsts = path.join(generated, 'rules', 'b.fst');
		await using engine = await load(modelFixture('zipformer_ctc'), { rule_fsts });
		const [result] = await run(engine, [clipOf('tones-abc')], { words: true });
		expect(result?.segments[0]?.text.trim()).toBe('a B c');
		expect(result?.segments[0]?.words?.map(({ word }) => word)).toEqual(['a', 'b', 'c']);
	});

	it('rule_fsts that hold no rules are refused', async () => {
		const rule_fsts = path.join(generated, 'audio', 'tones-abc.wav');
		await expect(load(modelFixture('zipformer_ctc'), { rule_fsts })).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringMatching(/tones-abc.wav: it is not an OpenFst transducer/),
		});
	});

	it('use_itn shows in what SenseVoice says of the mood', async () => {
		for (const [use_itn, emotion] of [
			[true, 'HAPPY'],
			[false, 'NEUTRAL'],
		] as const) {
			await using engine = await load(modelFixture('sense_voice'), { use_itn });
			const [result] = await run(engine, [clipOf('tones-abc')]);
			expect(result?.segments[0]).toMatchObject({ emotion, event: 'Speech' });
		}
	});

	it('keywords go to a transducer that searches with a beam, and to no other', async () => {
		const bpe_vocab = path.join(generated, 'punctuation', 'bpe.vocab');
		const beam = { decoding_method: 'modified_beam_search', modeling_unit: 'bpe', bpe_vocab };
		await using engine = await load(modelFixture('transducer'), beam);
		expect(engine.info.capabilities.keywords).toBe(true);
		expect(await transcribe(engine, 'tones-abc', { keywords: ['a b', 'c'] })).toMatchObject({
			text: 'a b c',
		});
		await using greedy = await load(modelFixture('transducer'));
		expect(greedy.info.capabilities.keywords).toBe(false);
	});

	it('keywords that the tokens of the model cannot write are refused', async () => {
		await using engine = await load(modelFixture('transducer'), { decoding_method: 'modified_beam_search' });
		await expect(run(engine, [clipOf('tones-abc')], { keywords: ['xylophone'] })).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'keywords',
		});
	});

	it('a provider that the library lacks is refused, naming what it has', async () => {
		await expect(load(modelFixture('zipformer_ctc'), { provider: 'cuda' })).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringMatching(/`provider` is `cuda`.*it supports CPU/),
		});
	});

	it.each(['rule_fsts', 'rule_fars', 'punctuation'])('%s that is not there is refused', async (option) => {
		const file = path.join(generated, 'nothing.fst');
		await expect(load(modelFixture('zipformer_ctc'), { [option]: file })).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringMatching(new RegExp(`\`${option}\` cannot be read`)),
		});
	});
});

describe('voice activity', () => {
	const chunking = { threshold: 0.5, prefixPaddingMs: 0, silenceDurationMs: 200 };
	const libraryDir = findSherpaLibrary(undefined);

	it.each(['loudness', 'ten'])('is found by a network like %s', async (name) => {
		const finder = createVad({ libraryDir, modelPath: path.join(generated, 'vad', `${name}.onnx`) });
		const search = await finder.open(chunking);
		const { spans } = await search.push(samplesOf('tones-long-pauses'), true);
		expect(spans).toHaveLength(5);
		for (const [index, { start }] of spans.entries()) expect(start).toBeCloseTo(1 + 3.6 * index, 0);
		await search.close();
		await finder.close();
	});

	it('refuses a file that finds no speech, where the library would end the process', async () => {
		const modelPath = filesOf(modelFixture('zipformer_ctc')).model ?? '';
		const finder = createVad({ libraryDir, modelPath });
		await expect(finder.open(chunking)).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringContaining('neither Silero nor TEN'),
		});
	});
});
