/** Models of CTranslate2: what is read, what is made of it, and what is refused. */

import { createHash } from 'node:crypto';
import {
	closeSync,
	existsSync,
	openSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realDisk } from '../../../src/core/disk/disk.js';
import {
	BadCtranslate2,
	readCtranslate2,
	specificationOf,
} from '../../../src/model-files/ctranslate2-file.js';
import { convertCtranslate2, openCtranslate2 } from '../../../src/model-files/ctranslate2-folder.js';
import { planWhisper } from '../../../src/model-files/ctranslate2-whisper.js';
import { readGgml } from '../../../src/model-files/ggml-file.js';
import { dequantise } from '../../../src/model-files/ggml-types.js';
import { halvesOf } from '../../../src/model-files/half-floats.js';
import { melFilters } from '../../../src/model-files/mel-filters.js';
import {
	encodeCtranslate2,
	floatVariable,
	type ModelText,
	numbersOf,
	quantised,
	type TestVariable,
	testSize,
	vocabularyOf,
	type WeightType,
	whisperVariables,
	writeFolder,
} from '../../helpers/files/ctranslate2.js';
import { Scratch } from '../../helpers/net/real-server.js';

const never = new AbortController().signal;
const deps = { disk: realDisk, signal: never };
const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

let folders = 0;
const folderName = (): string => path.join(scratch.path, String(++folders));

type Change = (variables: Map<string, TestVariable>) => void;

function modelWith(change: Change = () => {}, given: ModelText = {}, type: WeightType = 'f16'): string {
	const variables = whisperVariables(type);
	change(variables);
	return writeFolder(folderName(), encodeCtranslate2(variables, given));
}

async function convert(folder: string): Promise<string> {
	const target = path.join(folder, 'made.bin');
	await convertCtranslate2(await openCtranslate2(folder), target, deps);
	return target;
}

/** Quicker than to compare number by number. */
function same(a: Float32Array, b: Float32Array): boolean {
	return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer));
}

/** Every tensor of a ggml file as numbers. */
function tensorsIn(file: string): ReadonlyMap<string, Float32Array> {
	const bytes = readFileSync(file);
	const { tensors } = readGgml(file);
	return new Map(
		[...tensors].map(([name, { type, shape, offset, length }]) => {
			const numbers = new Float32Array(shape.reduce((product, size) => product * size, 1));
			dequantise(type, bytes.subarray(offset, offset + length), numbers);
			return [name, numbers];
		}),
	);
}

describe('a CTranslate2 model becomes a ggml file', () => {
	it.each(['f32', 'f16', 'bf16'] as const)('whose numbers are those of the %s weights', async (type) => {
		const made = tensorsIn(await convert(modelWith(() => {}, {}, type)));
		expect(made.size).toBe(8 + 2 * 15 + 24 + 3);
		const wrong = [...made].filter(([name, numbers]) => !same(numbers, numbersOf(name, numbers.length)));
		expect(wrong.map(([name]) => name)).toEqual([]);
	});

	it.each(['i8', 'i16'] as const)('whose numbers are the %s ones by their scales', async (type) => {
		const made = tensorsIn(await convert(modelWith(() => {}, {}, type)));
		const name = 'decoder.blocks.0.mlp.2.weight';
		const wanted = quantised([8, 32], numbersOf(name, 256), type).restored;
		const halves = new Float32Array(256);
		dequantise('f16', new Uint8Array(halvesOf(wanted).buffer), halves);
		expect(made.get(name)).toEqual(halves);
		// Each row of the joined matrix has a scale of its own.
		const value = made.get('encoder.blocks.1.attn.value.weight')!;
		const exact = numbersOf('encoder.blocks.1.attn.value.weight', 64);
		expect(Math.max(...value.map((number, at) => Math.abs(number - (exact[at] ?? 0))))).toBeLessThan(0.01);
	});

	it('that whisper.cpp’s own converter would have written: head, tokens, order, types', async () => {
		const file = await convert(modelWith());
		const bytes = readFileSync(file);
		const head = Array.from({ length: 14 }, (_, index) => bytes.readInt32LE(4 * index));
		expect(head).toEqual([0x67676d6c, 51_864, 1500, 8, 2, 2, 448, 8, 2, 1, 80, 1, 80, 201]);
		const tokens = 56 + 4 * 80 * 201;
		expect(bytes.readInt32LE(tokens)).toBe(50_257);
		const { tensors } = readGgml(file);
		expect([...tensors.keys()].slice(0, 8)).toEqual([
			'decoder.positional_embedding',
			'encoder.positional_embedding',
			'decoder.token_embedding.weight',
			'decoder.blocks.0.mlp_ln.weight',
			'decoder.blocks.0.mlp_ln.bias',
			'decoder.blocks.0.mlp.0.weight',
			'decoder.blocks.0.mlp.0.bias',
			'decoder.blocks.0.mlp.2.weight',
		]);
		expect([...tensors.keys()].at(-1)).toBe('encoder.ln_post.bias');
		const halves = [...tensors].filter(([, { type }]) => type === 'f16').map(([name]) => name);
		expect(halves.every((name) => name.endsWith('.weight') && !/ln/.test(name))).toBe(true);
		expect(halves).toHaveLength(1 + 10 + 2 * 6 + 2);
		expect(tensors.get('encoder.conv1.bias')?.shape).toEqual([8, 1]);
	});

	it('with bytes for tokens, whatever the vocabulary is called', async () => {
		const tokens = vocabularyOf(testSize.vocabulary);
		const vocab = Object.fromEntries(tokens.slice(0, 50_256).map((token, index) => [token, index]));
		const added = tokens.slice(50_256).map((content, index) => ({ content, id: 50_256 + index }));
		const none = { 'vocabulary.txt': '' };
		const model = encodeCtranslate2(whisperVariables('f16'));
		const folderOf = (files: Record<string, string>) => writeFolder(folderName(), model, files);
		const opened = await Promise.all(
			[
				folderOf({}),
				folderOf({ ...none, 'vocabulary.json': JSON.stringify(tokens) }),
				folderOf({
					...none,
					'tokenizer.json': JSON.stringify({ model: { vocab }, added_tokens: added }),
				}),
			].map((folder) => openCtranslate2(folder)),
		);
		for (const { content } of opened) {
			expect(content.tokens[5]).toEqual(Buffer.from([0x20, 0xa1, 0xa0]));
			expect(content.tokens[50_256]).toEqual(Buffer.from('<|endoftext|>'));
			expect(Buffer.concat(content.tokens).equals(Buffer.concat(opened[0]?.content.tokens ?? []))).toBe(true);
		}
	});

	it('also a multilingual one of 128 mel bands with fewer decoder layers', async () => {
		const size = { ...testSize, vocabulary: 51_866, mels: 128, audioLayers: 3 };
		const model = encodeCtranslate2(whisperVariables('f16', size));
		const file = await convert(writeFolder(folderName(), model, {}, 51_866));
		expect(readGgml(file).shape).toMatchObject({ mels: 128, audioLayers: 3 });
		expect(readFileSync(file).readInt32LE(4)).toBe(51_866);
	});

	it('also where a multilingual tokenizer leaves out the empty token', async () => {
		const size = { ...testSize, vocabulary: 51_865 };
		const tokens = vocabularyOf(51_865).map((token, index) => (index === 50_256 ? null : token));
		const files = { 'vocabulary.txt': '', 'vocabulary.json': JSON.stringify(tokens) };
		const model = encodeCtranslate2(whisperVariables('f16', size));
		const { content } = await openCtranslate2(writeFolder(folderName(), model, files));
		expect(content.tokens.slice(-2)).toEqual([Buffer.from(' w50255'), Buffer.alloc(0)]);
	});

	it('with the mel filters and the alignment heads that the folder has', async () => {
		const rows = Array.from({ length: 80 }, (_, band) =>
			Array.from({ length: 201 }, (_, bin) => band + bin / 256),
		);
		const turned = Array.from({ length: 201 }, (_, bin) => rows.map((row) => row[bin] ?? 0));
		const model = encodeCtranslate2(whisperVariables('f16'));
		for (const mel_filters of [rows, turned]) {
			const files = { 'preprocessor_config.json': JSON.stringify({ mel_filters }) };
			const { content, alignmentHeads } = await openCtranslate2(writeFolder(folderName(), model, files));
			expect(content.filters).toEqual(Float32Array.from(rows.flat()));
			expect(alignmentHeads).toBe('0.1');
		}
	});

	it('of a size that is known beforehand', async () => {
		const opened = await openCtranslate2(modelWith());
		const seen: number[] = [];
		const done = await convertCtranslate2(opened, path.join(scratch.path, 'sized.bin'), {
			...deps,
			onProgress: (written, total) => seen.push(written, total),
		});
		expect(done.bytes).toBe(opened.bytes);
		expect(seen.slice(-2)).toEqual([opened.bytes, opened.bytes]);
		expect(done.sha256).toBe(
			createHash('sha256')
				.update(readFileSync(path.join(scratch.path, 'sized.bin')))
				.digest('hex'),
		);
	});
});

describe('mel filters', () => {
	// Those of OpenAI's mel_filters.npz, and librosa's of 128 bands.
	it.each([
		[80, '85818f156f7e189453901a515e4726d270d307f976e161cf9403e8caab405498'],
		[128, 'e399c2d72d2f7375e503c296d8453cefcc0c1e47a9c1a0a09e0d70f59c820f20'],
	])('of %i bands are bit for bit those that Whisper was trained with', (bands, digest) => {
		const bytes = Buffer.from(melFilters(bands).buffer);
		expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
	});
});

describe('half floats', () => {
	it('are the nearest ones, and of two as near the even one', () => {
		const numbers = [
			1,
			1 + 2 ** -11,
			1 + 3 * 2 ** -11,
			65_519,
			65_520,
			-2,
			2 ** -24,
			2 ** -25,
			3 * 2 ** -25,
			NaN,
		];
		const bits = [0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0xc000, 1, 0, 2, 0x7e00];
		expect(Array.from(halvesOf(Float32Array.from(numbers)))).toEqual(bits);
	});
});

describe('a CTranslate2 folder is refused', () => {
	const weights = 'encoder/layer_1/self_attention/linear_0/weight';
	const change =
		(name: string, to: (variable: TestVariable) => Partial<TestVariable>): Change =>
		(variables) => {
			const variable = variables.get(name)!;
			variables.set(name, { ...variable, ...to(variable) });
		};
	const cases: readonly (readonly [string, Change, ModelText, RegExp])[] = [
		[
			'without a tensor',
			(all) => all.delete(weights),
			{},
			/lacks `encoder\/layer_1\/self_attention\/linear_0\/weight`/,
		],
		[
			'without a layer',
			(all) =>
				[...all.keys()].filter((name) => name.startsWith('encoder/layer_0')).map((name) => all.delete(name)),
			{},
			/lacks `encoder\/layer_0/,
		],
		[
			'with a tensor of another shape',
			change(weights, () => ({ shape: [8, 24] })),
			{},
			/linear_0\/weight` has the shape \[8, 24\] instead of \[24, 8\]/,
		],
		[
			'with a tensor more',
			(all) => all.set('encoder/layer_0/gate/weight', floatVariable([2], new Float32Array(2), 'f32')),
			{},
			/`encoder\/layer_0\/gate\/weight` is not part of Whisper/,
		],
		[
			'with whole numbers and no scale',
			change(weights, () => ({ type: 1, bytes: Buffer.alloc(192) })),
			{},
			/lacks `.*linear_0\/weight_scale`/,
		],
		[
			'with whole numbers in a bias',
			change('encoder/conv1/bias', () => ({ type: 1, bytes: Buffer.alloc(8) })),
			{},
			/`encoder\/conv1\/bias` has the unexpected number type i8/,
		],
		[
			'with numbers of an unknown type',
			change(weights, () => ({ type: 9 })),
			{},
			/linear_0\/weight` has the unknown number type 9/,
		],
		[
			'with fewer bytes than its shape says',
			change(weights, ({ bytes }) => ({ bytes: bytes.subarray(2) })),
			{},
			/linear_0\/weight` .* has 382 bytes instead of 384/,
		],
		[
			'with a size beyond all memory',
			change(weights, () => ({ shape: [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1] })),
			{},
			/linear_0\/weight` .* bytes instead of/,
		],
		[
			'with too many dimensions',
			change(weights, () => ({ shape: [1, 1, 1, 24, 8] })),
			{},
			/linear_0\/weight` has 5 dimensions/,
		],
		[
			'with heads that do not fit',
			change('encoder/num_heads', () => ({ bytes: Buffer.of(3, 0) })),
			{},
			/`encoder\/num_heads` is 3/,
		],
		[
			'with more heads than are served',
			(all) => {
				all.set('decoder/num_heads', { shape: [], type: 2, bytes: Buffer.of(0, 2) });
				all.set('decoder/embeddings/weight', {
					shape: [51_864, 512],
					type: 4,
					bytes: Buffer.alloc(51_864 * 1024),
				});
			},
			{},
			/`decoder\/num_heads` is 512/,
		],
		[
			'with another activation',
			change('decoder/activation', () => ({ bytes: Buffer.of(0) })),
			{},
			/`decoder\/activation` is 0/,
		],
		[
			'with a vocabulary of another model',
			change('decoder/embeddings/weight', () => ({ shape: [100, 8], bytes: Buffer.alloc(1600) })),
			{},
			/for 100 tokens/,
		],
		[
			'that is for another task',
			() => {},
			{ specification: 'TransformerSpec' },
			/another kind \(TransformerSpec\)/,
		],
		['of an unknown version', () => {}, { version: 7 }, /version is 7/],
		['that says it has more variables', () => {}, { count: 10_000 }, /truncated|name of variable/],
		['that says it has countless variables', () => {}, { count: 2 ** 32 - 1 }, /4294967295 variables/],
		['with an alias of nothing', () => {}, { aliases: [['a', 'b']] }, /alias `a` is for `b`/],
		[
			'whose output is not its embeddings',
			() => {},
			{ aliases: [['decoder/projection/weight', 'encoder/conv1/weight']] },
			/instead of the embeddings/,
		],
		[
			'with an alias twice',
			() => {},
			{
				aliases: [
					['a', 'encoder/conv1/bias'],
					['a', 'encoder/conv2/bias'],
				],
			},
			/has the alias `a` twice/,
		],
		[
			'with an alias in the place of a tensor',
			() => {},
			{ aliases: [[weights, 'encoder/layer_0/self_attention/linear_0/weight']] },
			/has `.*layer_1\/self_attention\/linear_0\/weight` twice/,
		],
		[
			'with a bias of two dimensions',
			change('encoder/conv1/bias', () => ({ shape: [8, 1] })),
			{},
			/conv1\/bias` has the shape \[8, 1\]/,
		],
		[
			'with a tensor of nothing',
			change('encoder/conv1/bias', () => ({ shape: [0], bytes: Buffer.alloc(0) })),
			{},
			/conv1\/bias` has the shape \[0\]/,
		],
		['with bytes after its end', () => {}, { after: Buffer.alloc(3) }, /3 bytes after its end/],
	];
	it.each(cases)('%s', async (_, what, given, message) => {
		const refusal = openCtranslate2(modelWith(what, given));
		await expect(refusal).rejects.toThrow(BadCtranslate2);
		await expect(refusal).rejects.toThrow(message);
	});

	it('with a variable twice', async () => {
		const variables = whisperVariables('f16');
		const bytes = encodeCtranslate2(new Map([['encoder/conv1/bias', variables.get('encoder/conv1/bias')!]]), {
			count: variables.size + 1,
			aliases: [],
		});
		const head = encodeCtranslate2(new Map(), { count: variables.size + 1, aliases: [] }).length - 4;
		const rest = encodeCtranslate2(variables).subarray(head);
		const folder = writeFolder(folderName(), Buffer.concat([bytes.subarray(0, -4), rest]));
		await expect(openCtranslate2(folder)).rejects.toThrow('it has `encoder/conv1/bias` twice');
	});

	it('that was cut off, naming where', async () => {
		const folder = modelWith();
		const file = path.join(folder, 'model.bin');
		truncateSync(file, 500_000);
		await expect(openCtranslate2(folder)).rejects.toThrow(/truncated within `decoder\/embeddings\/weight`/);
	});

	it('with a number that no half float holds, leaving nothing', async () => {
		for (const type of ['f16', 'f32'] as const) {
			const folder = modelWith((all) => {
				const numbers = numbersOf('x', 192).fill(7e4, 100, 101);
				all.set(weights, floatVariable([24, 8], numbers, type));
			});
			await expect(convert(folder)).rejects.toThrow(/linear_0\/weight` has a number that is not finite/);
			expect(existsSync(path.join(folder, 'made.bin'))).toBe(false);
		}
	});

	it.each([Number.NaN, 0, -1, Infinity])('with a scale of %d, leaving nothing', async (scale) => {
		const name = `${weights}_scale`;
		const folder = modelWith(
			(all) => all.set(name, floatVariable([24], new Float32Array(24).fill(1).fill(scale, 9, 10), 'f32')),
			{},
			'i8',
		);
		await expect(convert(folder)).rejects.toThrow(`\`${name}\` has a scale that is not a number above 0`);
		expect(existsSync(path.join(folder, 'made.bin'))).toBe(false);
	});

	it('in a few words, however long its own are', async () => {
		const vocabulary = vocabularyOf(51_864).fill('x'.repeat(1e6), 50_256, 50_257).join('\n');
		const folder = modelWith();
		writeFileSync(path.join(folder, 'vocabulary.txt'), vocabulary);
		await expect(openCtranslate2(folder)).rejects.toThrow(/^vocabulary.txt has "xxx.{0,300}$/);
	});

	it.each(['config.json', 'preprocessor_config.json', 'vocabulary.txt', 'tokenizer.json'])(
		'with a %s as large as a model, which is not read',
		async (name) => {
			const folder = modelWith();
			const file = path.join(folder, name);
			if (name === 'tokenizer.json') rmSync(path.join(folder, 'vocabulary.txt'));
			writeFileSync(file, '');
			truncateSync(file, 2 ** 30);
			await expect(openCtranslate2(folder)).rejects.toThrow(`${name} has 1073741824 bytes, and at most`);
		},
	);

	it('with alignment heads that each count once, however often they are said', async () => {
		const folder = modelWith();
		const heads = Array.from({ length: 1000 }, (_, index) => [0, index % 2]);
		writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ alignment_heads: heads }));
		expect((await openCtranslate2(folder)).alignmentHeads).toBe('0.0 0.1');
	});

	it.each([
		[
			'with mel filters beyond floats',
			{ 'preprocessor_config.json': JSON.stringify({ mel_filters: Array(80).fill(Array(201).fill(1e300)) }) },
			/mel_filters/,
		],
		['with a config deep in itself', { 'config.json': '['.repeat(2e6) + ']'.repeat(2e6) }, /config.json/],
		['without a vocabulary', { 'vocabulary.txt': '' }, /lacks its vocabulary/],
		['with the vocabulary of another model', { 'vocabulary.txt': 'a\nb\n' }, /token 50256/],
		['with a vocabulary that is no JSON', { 'vocabulary.json': '[' }, /vocabulary.json is not JSON/],
		[
			'with a token that is no byte-level text',
			{ 'vocabulary.txt': vocabularyOf(51_864).fill('語', 7, 8).join('\n') },
			/"語" as token 7/,
		],
		['with odd mel filters', { 'preprocessor_config.json': '{"mel_filters": [[1]]}' }, /mel_filters/],
		['with odd alignment heads', { 'config.json': '{"alignment_heads": [[0, 2]]}' }, /alignment_heads/],
		['with a config that is no object', { 'config.json': '[]' }, /config.json is not a JSON object/],
	])('%s', async (_, files, message) => {
		const folder = writeFolder(folderName(), encodeCtranslate2(whisperVariables('f16')), files);
		await expect(openCtranslate2(folder)).rejects.toThrow(message);
	});
});

describe('whatever a model file says', () => {
	let file: string;
	let sound: Buffer;
	beforeAll(() => {
		sound = encodeCtranslate2(whisperVariables('f16'));
		file = scratch.file('fuzzed.bin', sound);
	});

	it('it is read or refused, and nothing else happens', () => {
		// Where the names, shapes and counts are: the weights of the embeddings are left out.
		const places = [...headBytes(sound)];
		let state = 11;
		const next = (below: number): number => {
			state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
			return Math.floor((state / 2 ** 32) * below);
		};
		let refused = 0;
		const handle = openSync(file, 'r+');
		try {
			for (let round = 0; round < 400; round++) {
				const changed = Array.from({ length: 1 + next(3) }, () => places[next(places.length)] ?? 0);
				for (const place of changed) writeSync(handle, Buffer.of(next(256)), 0, 1, place);
				try {
					planWhisper(readCtranslate2(file));
				} catch (thrown) {
					expect(thrown).toBeInstanceOf(BadCtranslate2);
					refused++;
				}
				for (const place of changed) writeSync(handle, sound, place, 1, place);
			}
		} finally {
			closeSync(handle);
		}
		expect(refused).toBeGreaterThan(200);
		expect(() => planWhisper(readCtranslate2(file))).not.toThrow();
	});

	it('it may end anywhere', () => {
		for (const length of [0, 3, 4, 6, 17, 22, 26, 40, 100, 5000, sound.length - 1]) {
			writeFileSync(file, sound.subarray(0, length));
			expect(() => readCtranslate2(file)).toThrow(BadCtranslate2);
		}
	});

	it('its kind is recognised by its first bytes', () => {
		expect(specificationOf(sound.subarray(0, 64))).toBe('WhisperSpec');
		expect(specificationOf(Buffer.from('lmgg'))).toBeUndefined();
		expect(specificationOf(Buffer.alloc(64))).toBeUndefined();
	});
});

/** Positions of the bytes between the weights. */
function* headBytes(model: Buffer): Generator<number> {
	let at = 4;
	const skip = function* (count: number): Generator<number> {
		for (let index = 0; index < count; index++) yield at + index;
		at += count;
	};
	const name = function* (): Generator<number> {
		yield* skip(2 + model.readUInt16LE(at));
	};
	yield* name();
	yield* skip(8);
	for (let left = model.readUInt32LE(at - 4); left > 0; left--) {
		yield* name();
		const rank = model[at] ?? 0;
		yield* skip(1 + 4 * rank + 1 + 4);
		at += model.readUInt32LE(at - 4);
	}
	yield* skip(4);
	yield* name();
	yield* name();
}
