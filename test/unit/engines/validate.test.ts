import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
	isDynamicallyQuantised,
	languagesOf,
	validateFiles,
} from '../../../src/engines/sherpa/validate/validate.js';
import { NotOnnx } from '../../../src/model-files/onnx-fields.js';
import { readOnnx } from '../../../src/model-files/onnx-file.js';
import { isSherpaType } from '../../../src/models/types/types.js';
import { brokenModels, sherpaFixtures } from '../../helpers/files/corrupt-models.js';
import { filesOf, modelFixture } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const check = (type: string, files: Readonly<Record<string, string>>, options = {}) =>
	isSherpaType(type) ? validateFiles({ type, files, options }) : Promise.reject(new Error(type));

/** A tokens.txt of so many symbols. */
const symbols = (count: number) =>
	Array.from({ length: count }, (_, id) => `${id === 0 ? '<blk>' : `t${id}`} ${id}\n`).join('');

describe('before sherpa-onnx sees a model', () => {
	it.each(sherpaFixtures.map((model) => [model.name, model] as const))(
		'%s is found to be whole',
		async (_, model) => {
			await expect(check(model.type, filesOf(model), model.options)).resolves.toBeDefined();
		},
	);

	it.each([...brokenModels(scratch.path)].map((broken) => [broken.name, broken] as const))(
		'%s is refused, and the message says which file and what to do',
		async (_, { type, files, names }) => {
			const refusal = check(type, files);
			await expect(refusal).rejects.toMatchObject({ code: 'model_load_failed' });
			await expect(refusal).rejects.toThrow(new RegExp(`its file.*\`${names}`, 's'));
			await expect(refusal).rejects.toThrow(/; .+|files are neither/);
		},
	);

	it('a folder of a tokenizer that lacks a file is refused', async () => {
		const folder = path.join(scratch.path, 'tokenizer');
		mkdirSync(folder);
		writeFileSync(path.join(folder, 'vocab.json'), '{}');
		const files = { ...filesOf(modelFixture('qwen3_asr')), tokenizer: folder };
		await expect(check('qwen3_asr', files)).rejects.toThrow(
			/has no merges\.txt; it must contain vocab\.json/,
		);
	});

	it.each([
		['whose number needs more memory than any vocabulary', '<blk> 0\na 4000000000\n', 'above 2000000'],
		['that leaves a gap in the numbers', '<blk> 0\na 40\n', 'the number 1 is missing'],
		[
			'of three parts, at which sherpa-onnx ends the process',
			'<blk> 0\na b 1\n',
			'line 2 should be a symbol',
		],
		['of many parts', `<blk> 0\n${'▁a 0'.repeat(50)}\n`, 'line 2 should be a symbol'],
		['of nothing but blanks for a while', `<blk> 0\n${' '.repeat(2e6)}x\n`, 'line 2 should be a symbol'],
		['after a million blank lines', `<blk> 0\n${'\n'.repeat(1e6)}x\n`, 'line 1000002 should be a symbol'],
		['for each of a million others', symbols(1_000_001), 'more than 1000000 symbols'],
		['of a model with many more', symbols(300_000), 'it has 300000 symbols, but the model outputs'],
	])('a symbol %s is refused', async (_, text, why) => {
		const tokens = scratch.file('far.txt', text);
		const files = { ...filesOf(modelFixture('zipformer_ctc')), tokens };
		await expect(check('zipformer_ctc', files)).rejects.toThrow(why);
	});

	it('a number that a base64 vocabulary leaves room for is bounded, too', async () => {
		const tokens = scratch.file('base64.txt', 'IQ== 0\nIg== 2147483647\n');
		const files = { ...filesOf(modelFixture('whisper')), tokens };
		await expect(check('whisper', files)).rejects.toThrow('line 2 gives the number 2147483647, above');
	});

	it('a text that is no file, or too large to be one, is refused unread', async () => {
		const files = filesOf(modelFixture('zipformer_ctc'));
		await expect(check('zipformer_ctc', { ...files, tokens: '/dev/zero' })).rejects.toThrow(
			process.platform === 'win32' ? 'cannot be read' : 'it is not a regular file',
		);
		const large = scratch.file('large.txt', '');
		truncateSync(large, 2 ** 32);
		await expect(check('zipformer_ctc', { ...files, tokens: large })).rejects.toThrow(
			'it has 4294967296 bytes',
		);
	});

	it.each([
		['vocab.json', '{"a": 4000000000}', 'its symbol `a` should have a number up to 1000000'],
		['vocab.json', '{"a": "b"}', 'its symbol `a` should have a number'],
		['vocab.json', '[]', 'it is not a JSON object'],
		['vocab.json', '{"a": 1', 'it is not JSON'],
		['vocab.json', `{"a": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`, 'nested more than 32 deep'],
		['vocab.json', `{"a": [0${',0'.repeat(6e6)}]}`, 'more than 5000000 values'],
		['tokenizer_config.json', '{"added_tokens_decoder": {"99999999": {}}}', 'should have a number up to'],
		['merges.txt', 'a b\nc\n', 'line 2 should be two symbols'],
		['merges.txt', `a b\n${'c '.repeat(1e6)}\n`, 'line 2 should be two symbols'],
	])('a tokenizer with a bad %s is refused: %#', async (name, text, why) => {
		const whole = filesOf(modelFixture('qwen3_asr'));
		const folder = path.join(scratch.path, 'bad-tokenizer');
		cpSync(whole.tokenizer ?? '', folder, { recursive: true });
		writeFileSync(path.join(folder, name), text);
		await expect(check('qwen3_asr', { ...whole, tokenizer: folder })).rejects.toThrow(why);
	});

	it('an added token of a tokenizer.json has a bounded number', async () => {
		const whole = filesOf(modelFixture('funasr_nano'));
		const folder = path.join(scratch.path, 'bad-added');
		cpSync(whole.tokenizer ?? '', folder, { recursive: true });
		const added = { added_tokens: [{ id: 3e9, content: '<end>' }] };
		writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(added));
		await expect(check('funasr_nano', { ...whole, tokenizer: folder })).rejects.toThrow('its symbol `<end>`');
	});

	it.each([
		['of one word more', '▁a\t-1\n▁b c\t-2\n', 'line 2 should be a symbol and its score'],
		['without a score', '▁a\t-1\n▁b\tx\n', 'line 2 should be a symbol and its score'],
		['without symbols', '\n', 'it is empty'],
	])('a BPE vocabulary with a line %s is refused', async (_, text, why) => {
		const files = filesOf(modelFixture('transducer'));
		const options = { bpe_vocab: scratch.file('bpe.vocab', text) };
		await expect(check('transducer', files, options)).rejects.toThrow(why);
	});

	it('a mixture of the two sets of files that Moonshine has is refused', async () => {
		const { merged_decoder, ...rest } = filesOf(modelFixture('moonshine_v2'));
		await expect(check('moonshine', rest)).rejects.toThrow(/neither Moonshine's first version/);
		const mixed = { ...filesOf(modelFixture('moonshine')), merged_decoder: merged_decoder ?? '' };
		await expect(check('moonshine', mixed)).rejects.toThrow(/neither Moonshine's first version/);
	});

	it('a language that the model does not have is refused, where the library would end the process', async () => {
		const { files } = modelFixture('whisper');
		await expect(check('whisper', filesOf({ files }), { language: 'fr' })).rejects.toThrow(
			'its option `language` should be one of en, zh, de, but is `fr`',
		);
		await expect(check('whisper', filesOf({ files }), { language: 'auto' })).resolves.toBeDefined();
	});

	it.each([
		['streaming_zipformer_ctc', 'model', 'num_encoder_layers', '1', '2', 'requires 15 of each'],
		['streaming_zipformer_ctc', 'model', 'decode_chunk_len', '32', '00', 'its `decode_chunk_len` is 00'],
		['streaming_transducer', 'encoder', 'num_encoder_layers', '1', '3', 'requires 21 of each'],
		['streaming_transducer', 'encoder', 'T', '45', '00', 'its `T` is 00'],
		['streaming_nemo_ctc', 'model', 'chunk_shift', '32', '00', 'its `chunk_shift` is 00'],
		['streaming_nemo_ctc', 'model', 'cache_last_time_dim2', '3', '4', 'cache_last_time has size 3, but the'],
		['streaming_nemo_transducer', 'encoder', 'chunk_shift', '32', '00', 'its `chunk_shift` is 00'],
		['streaming_nemo_transducer', 'encoder', 'window_size', '45', '40', 'has size 45, but the `window_size`'],
		[
			'streaming_nemo_transducer',
			'encoder',
			'cache_last_channel_dim2',
			'2',
			'5',
			'cache_last_channel has size 2',
		],
		['streaming_nemo_transducer', 'encoder', 'cache_last_time_dim3', '2', '7', 'cache_last_time has size 2'],
		['streaming_nemo_transducer', 'encoder', 'pred_rnn_layers', '1', '2', 'states_in1 has size 1, but the'],
		['streaming_nemo_transducer', 'encoder', 'pred_hidden', '2', '3', 'states_in1 has size 2, but the'],
		['streaming_nemo_transducer', 'encoder', 'vocab_size', '5', '9', 'it scores 6 symbols'],
		[
			'streaming_paraformer',
			'encoder',
			'decoder_num_blocks',
			'1',
			'4',
			'the two files are not of the same model',
		],
	])(
		'a streaming model that lies about its states or chunks is refused: %s, %s, %s',
		async (type, role, key, was, lie, why) => {
			const good = filesOf(modelFixture(type));
			const entryOf = (value: string) => `${key}\x12${String.fromCharCode(value.length)}${value}`;
			const bytes = readFileSync(good[role] ?? '').toString('latin1');
			expect(bytes).toContain(entryOf(was));
			const file = scratch.file(
				`${type}-${key}.onnx`,
				Buffer.from(bytes.replace(entryOf(was), entryOf(lie)), 'latin1'),
			);
			await expect(check(type, { ...good, [role]: file })).rejects.toThrow(why);
		},
	);

	it('a streaming NeMo encoder that does not declare its number of features is refused', async () => {
		const good = filesOf(modelFixture('streaming_nemo_transducer'));
		const bytes = readFileSync(good.encoder ?? '').toString('latin1');
		const [eighty, any] = ['\x0a\x02\x08\x50', '\x0a\x02\x12\x00'];
		expect(bytes).toContain(eighty);
		const encoder = scratch.file('any-features.onnx', Buffer.from(bytes.replaceAll(eighty, any), 'latin1'));
		await expect(check('streaming_nemo_transducer', { ...good, encoder })).rejects.toThrow(
			'audio_signal does not declare the number of features of a frame',
		);
	});

	it('a sixth input that is not the language is refused', async () => {
		const good = filesOf(modelFixture('streaming_nemotron'));
		const bytes = readFileSync(good.encoder ?? '').toString('latin1');
		const renamed = Buffer.from(bytes.replaceAll('prompt_index', 'prompt_other'), 'latin1');
		const encoder = scratch.file('other-prompt.onnx', renamed);
		await expect(check('streaming_nemo_transducer', { ...good, encoder })).rejects.toThrow(
			'it has 6 inputs, but the sixth is not `prompt_index`',
		);
	});

	it.each([
		['{"auto": 0, "en-US": 1, "de-DE": 2}', ['en', 'de', 'en-us', 'de-de']],
		['auto=9;en=0;zh_TW=12;fr', ['en', 'zh', 'zh-tw']],
		['[]', null],
	])('a dictionary of prompts %s gives the languages %j', async (dictionary, languages) => {
		const input = { name: 'prompt_index', elementType: 7, shape: [null] };
		const metadata = new Map([['prompt_dictionary', dictionary]]);
		const nothing = { operators: new Set<string>(), externalData: new Map<string, number>(), outputs: [] };
		const networks = new Map([['encoder', { metadata, inputs: [input], ...nothing }]]);
		expect(languagesOf({ networks }, 'streaming_nemo_transducer')).toEqual(languages);
	});

	it('external weights of the model must exist', async () => {
		const good = filesOf(modelFixture('zipformer_ctc'));
		const location = Buffer.from('\x0a\x08location\x12\x06w.data', 'latin1');
		const tensor = Buffer.concat([Buffer.from([0x6a, location.length]), location]);
		const graph = Buffer.concat([Buffer.from([0x2a, tensor.length]), tensor]);
		const file = scratch.file(
			'external.onnx',
			Buffer.concat([Buffer.from([8, 8, 0x3a, graph.length]), graph]),
		);
		await expect(check('zipformer_ctc', { ...good, model: file })).rejects.toThrow(
			/w\.data, which is not in the same folder/,
		);
	});

	it('recognises a quantised model by its operators or its name', async () => {
		const model = modelFixture('zipformer_ctc');
		const checked = await check(model.type, filesOf(model));
		expect(isDynamicallyQuantised(checked, filesOf(model))).toBe(false);
		expect(isDynamicallyQuantised(checked, { model: 'folder/model.int8.onnx' })).toBe(true);
		expect(isDynamicallyQuantised(checked, { model: 'encoder-quantized.onnx' })).toBe(true);
		const operators = new Set(['DynamicQuantizeLinear']);
		const network = {
			...(checked.networks.get('model') ?? (await readOnnx(filesOf(model).model ?? ''))),
			operators,
		};
		expect(isDynamicallyQuantised({ networks: new Map([['model', network]]) }, { model: 'a.onnx' })).toBe(
			true,
		);
	});
});

describe('an ONNX file', () => {
	it('gives its metadata, inputs, outputs and operators without its weights', async () => {
		const file = await readOnnx(filesOf(modelFixture('sense_voice')).model ?? '');
		expect(file.metadata.get('lfr_window_size')).toBe('7');
		expect(file.inputs.map(({ elementType, shape }) => [elementType, shape?.length])).toEqual([
			[1, 3],
			[6, 1],
			[6, 1],
			[6, 1],
		]);
		expect(file.outputs).toHaveLength(1);
		expect(file.operators).toContain('MatMul');
	});

	it('of which half is missing is no ONNX file', async () => {
		const truncated = scratch.file('half.onnx', Buffer.from([8, 8, 0x3a, 0x7f, 1]));
		await expect(readOnnx(truncated)).rejects.toThrow(NotOnnx);
		await expect(readOnnx(truncated)).rejects.toThrow('it should have at least 131 bytes and has 5');
	});
});
