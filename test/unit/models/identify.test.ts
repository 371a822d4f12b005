import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findInHubCache, findRepoInHubCache, hubFileOf } from '../../../src/models/pull/hub-cache.js';
import { rolesOf } from '../../../src/models/types/folder.js';
import { identify, typeByMetadata, typeByName } from '../../../src/models/types/identify.js';
import { filesOf, loudnessDetector, manifest } from '../../helpers/fixtures.js';

function folder(name: string, files: Record<string, string | Buffer>): string {
	const parent = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
	const at = path.join(parent, name);
	for (const [file, content] of Object.entries(files)) {
		mkdirSync(path.dirname(path.join(at, file)), { recursive: true });
		writeFileSync(path.join(at, file), content);
	}
	return at;
}

const empty = (...names: string[]) => Object.fromEntries(names.map((name) => [name, '']));

describe('a fixture model is recognised from its files:', () => {
	const sherpa = manifest.models.filter(({ engine }) => engine === 'sherpa');
	it.each(sherpa.map((model) => [model.name, model] as const))('%s', async (_, model) => {
		const files = filesOf(model);
		const at = path.dirname(Object.values(files)[0] ?? '');
		const found = await identify(at);
		expect(found.type).toBe(model.type);
		const absolute = Object.entries(found.files).map(([role, file]) => [role, path.join(found.folder, file)]);
		expect(Object.fromEntries(absolute)).toEqual(files);
	});
});

describe('a file', () => {
	it.each([
		['whisper_cpp', 51_865],
		['parakeet_cpp', 8192],
	])('of %s is known by its first bytes, whatever its name', async (type, vocabulary) => {
		const head = Buffer.from('lmgg\x00\x00\x00\x00rest');
		head.writeInt32LE(vocabulary, 4);
		const at = folder('x', { 'my-model.bin': head });
		expect(await identify(path.join(at, 'my-model.bin'))).toEqual({
			type,
			folder: at,
			files: { model: 'my-model.bin' },
		});
	});

	it('of a sherpa model stands for its folder', async () => {
		const at = folder('sherpa-onnx-paraformer-zh', { ...empty('model.int8.onnx'), 'tokens.txt': 'a 0' });
		expect(await identify(path.join(at, 'tokens.txt')).catch((error: Error) => error.message)).toMatch(
			/neither a ggml file/,
		);
		expect((await identify(path.join(at, 'model.int8.onnx'))).type).toBe('paraformer');
	});

	it.each([
		['a voice detector', 'lmgg\x0a\x00\x00\x00silero-16k', 'detects speech'],
		['GGUF', 'GGUF\x03\x00\x00\x00', 'GGUF'],
		['text', 'hello', 'neither'],
	])('that is %s is refused', async (_, content, message) => {
		const at = folder('x', { 'a.bin': content });
		await expect(identify(path.join(at, 'a.bin'))).rejects.toThrow(message);
	});

	it('that is not there is refused', async () => {
		await expect(identify(path.join(folder('x', {}), 'nowhere'))).rejects.toThrow('no such file or folder');
	});
});

describe('a folder', () => {
	it.each([
		[
			'sherpa-onnx-zipformer-ru',
			['encoder.int8.onnx', 'decoder.onnx', 'joiner.int8.onnx', 'tokens.txt'],
			'transducer',
		],
		[
			'sherpa-onnx-nemo-parakeet',
			['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt'],
			'nemo_transducer',
		],
		['sherpa-onnx-whisper-tiny', ['tiny-encoder.onnx', 'tiny-decoder.onnx', 'tiny-tokens.txt'], 'whisper'],
		['sherpa-onnx-nemo-canary-180m', ['encoder.onnx', 'decoder.onnx', 'tokens.txt'], 'canary'],
		['sherpa-onnx-fire-red-asr2', ['encoder.onnx', 'decoder.onnx', 'tokens.txt'], 'fire_red_asr'],
		[
			'any',
			['preprocess.onnx', 'encode.onnx', 'uncached_decode.onnx', 'cached_decode.onnx', 'tokens.txt'],
			'moonshine',
		],
		['any', ['encoder_model.ort', 'decoder_model_merged.ort', 'tokens.txt'], 'moonshine'],
		['any', ['conv_frontend.onnx', 'encoder.onnx', 'decoder.onnx', 'tokenizer/vocab.json'], 'qwen3_asr'],
		['any', ['encoder_adaptor.onnx', 'llm.onnx', 'embedding.onnx', 'Qwen3-0.6B/vocab.json'], 'funasr_nano'],
		['sherpa-onnx-sense-voice', ['model.onnx', 'tokens.txt'], 'sense_voice'],
	])('%s with %s is of the type that its files say', async (name, files, type) => {
		expect((await identify(folder(name, empty(...files)))).type).toBe(type);
	});

	it('may be of the type that the user says', async () => {
		const at = folder('any', { 'model.onnx': readFileSync(loudnessDetector), 'tokens.txt': '' });
		await expect(identify(at)).rejects.toThrow('specify it with --type');
		expect((await identify(at, 'dolphin')).type).toBe('dolphin');
	});

	it.each([
		['is empty', '', /model\.onnx cannot be used as a model: it is empty/],
		[
			'is cut off',
			readFileSync(loudnessDetector).subarray(0, 200),
			/model\.onnx .*: it is truncated|should have/,
		],
		[
			'is a pointer of Git LFS',
			'version https://git-lfs.github.com/spec/v1\n',
			/model\.onnx .*: git lfs pull/,
		],
	])('of unknown type whose network %s is refused for that', async (_, content, message) => {
		const at = folder('any', { 'model.onnx': content, 'tokens.txt': 'a 0' });
		await expect(identify(at)).rejects.toThrow(message);
	});

	it.each([
		[
			'a streaming model',
			'sherpa-onnx-streaming-zipformer',
			['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt'],
			'streaming',
		],
		['no tokens', 'x', ['model.onnx'], 'contains no ggml file'],
		['no joiner', 'sherpa-onnx-whisper', ['encoder.ort', 'tokens.txt'], 'cannot be identified'],
		['nothing', 'x', ['README.md'], 'contains no ggml file'],
	])('with %s is refused', async (_, name, files, message) => {
		await expect(identify(folder(name, empty(...files)))).rejects.toThrow(message);
	});
});

describe('roles', () => {
	it('prefer the 8-bit files', () => {
		expect(
			rolesOf([
				'encoder-epoch-99-avg-1.onnx',
				'encoder-epoch-99-avg-1.int8.onnx',
				'decoder-epoch-99-avg-1.onnx',
				'joiner-epoch-99-avg-1.int8.onnx',
				'tokens.txt',
				'README.md',
			]),
		).toEqual({
			encoder: 'encoder-epoch-99-avg-1.int8.onnx',
			decoder: 'decoder-epoch-99-avg-1.onnx',
			joiner: 'joiner-epoch-99-avg-1.int8.onnx',
			tokens: 'tokens.txt',
		});
	});
});

describe('the metadata of a model', () => {
	it.each([
		['three', { model_type: 'zipformer2' }, 'transducer'],
		['three', { model_type: 'EncDecRNNTBPEModel' }, 'nemo_transducer'],
		['three', { model_type: 'zipformer2', decode_chunk_len: '32' }, 'streaming_transducer'],
		['three', { model_type: 'lstm', decode_chunk_len: '4' }, 'streaming'],
		['three', { model_type: 'EncDecRNNTBPEModel', chunk_shift: '56' }, 'streaming_nemo_transducer'],
		[
			'three',
			{ model_type: 'EncDecRNNTBPEModel', streaming_model_type: 'nemo_parakeet_unified_streaming' },
			'streaming',
		],
		['two', { model_type: 'paraformer', decoder_num_blocks: '16' }, 'streaming_paraformer'],
		[
			'one',
			{ model_type: 'zipformer2', cnn_module_kernels: '31', T: '45', decode_chunk_len: '32' },
			'streaming_zipformer_ctc',
		],
		['one', { chunk_shift: '56', cache_last_channel_dim1: '17' }, 'streaming_nemo_ctc'],
		['two', { model_type: 'whisper-tiny' }, 'whisper'],
		['one', { model_type: 'sense_voice_ctc' }, 'sense_voice'],
		['one', { lang_auto: '0', lfr_window_size: '7' }, 'sense_voice'],
		['one', { lfr_window_size: '7' }, 'paraformer'],
		['one', { model_type: 'EncDecCTCModelBPE' }, 'nemo_ctc'],
		['one', { model_type: 'wenet_ctc' }, 'wenet_ctc'],
		['one', {}, undefined],
	] as const)('of %s parts, %o, means %s', (shape, metadata, type) => {
		expect(typeByMetadata(new Map(Object.entries(metadata)), shape)).toBe(type);
	});

	it('is helped out by the name', () => {
		expect(typeByName('sherpa-onnx-nemo-parakeet-unified-en-0.6b-int8-non-streaming', 'three')).toBe(
			'nemo_transducer',
		);
		expect(typeByName('sherpa-onnx-omnilingual-asr-1600-languages', 'one')).toBe('omnilingual');
	});
});

describe('the cache of the hub', () => {
	const files = {
		'models--org--name/refs/main': 'abc\n',
		'models--org--name/snapshots/abc/a.bin': 'bytes',
		'models--org--name/snapshots/abc/sub/b.bin': 'more',
	};
	const hub = (url: string) => hubFileOf(url)!;

	it('gives files by revision and by name of a branch', async () => {
		const cache = folder('hub', files);
		for (const revision of ['abc', 'main']) {
			const url = `https://huggingface.co/org/name/resolve/${revision}/sub/b.bin`;
			expect(await findInHubCache(cache, hub(url))).toMatch(/snapshots.abc.sub.b\.bin$/);
		}
		expect(await findRepoInHubCache(cache, 'org/name')).toMatch(/snapshots.abc$/);
	});

	it('gives nothing of what it does not hold', async () => {
		const cache = folder('hub', files);
		expect(
			await findInHubCache(cache, hub('https://huggingface.co/org/name/resolve/def/a.bin')),
		).toBeUndefined();
		expect(
			await findInHubCache(cache, hub('https://huggingface.co/org/other/resolve/abc/a.bin')),
		).toBeUndefined();
		expect(
			await findInHubCache('/nowhere', hub('https://huggingface.co/org/name/resolve/abc/a')),
		).toBeUndefined();
		expect(hubFileOf('https://example.org/org/name/resolve/abc/a.bin')).toBeUndefined();
	});
});
