/** What `earshot add` sees in the files that it is given. */

import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { validateFiles } from '../../../src/engines/sherpa/validate/validate.js';
import { checkGgml } from '../../../src/model-files/ggml-file.js';
import type { AddOptions } from '../../../src/models/installer.js';
import { modelsIn, networksIn, rolesOf } from '../../../src/models/types/folder.js';
import type { SherpaType } from '../../../src/models/types/types.js';
import { filesOf, generated, modelFixture } from '../../helpers/fixtures.js';
import { arrangeMachine } from '../../helpers/temp-install.js';

const never = new AbortController().signal;
const tones = path.join(generated, 'whisper', 'tones.bin');
const parakeet = path.join(generated, 'whisper', 'parakeet.bin');
const lfs = 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n';

const checkSherpa: NonNullable<AddOptions['checkSherpa']> = async (type, files) => {
	await validateFiles({ type: type as SherpaType, files, options: {} });
};

async function arrange(files: Readonly<Record<string, string | Buffer>>) {
	const machine = await arrangeMachine();
	const folder = path.join(machine.folder, 'my model');
	mkdirSync(folder);
	for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
	const add = (target: string, options: AddOptions = {}) =>
		machine.installer.add(path.join(folder, target), { checkSherpa, ...options }, never);
	return { machine, folder, add };
}

/** The files of a fixture under other names. */
function copied(name: string, names: Readonly<Record<string, string>>): Record<string, Buffer> {
	const files = filesOf(modelFixture(name));
	return Object.fromEntries(Object.entries(names).map(([role, as]) => [as, readFileSync(files[role] ?? '')]));
}

describe('a ggml file', () => {
	const whole = readFileSync(tones);

	it.each([
		['whisper', tones],
		['parakeet', parakeet],
	] as const)('of %s is whole, and no beginning of it is', (kind, file) => {
		expect(() => checkGgml(file, kind)).not.toThrow();
	});

	it.each([8, 40, 5_000, whole.length / 2, whole.length - 1].map(Math.floor))(
		'that was cut off after %i bytes is refused, and nothing is added',
		async (bytes) => {
			const { add, folder, machine } = await arrange({});
			copyFileSync(tones, path.join(folder, 'ggml-x.bin'));
			truncateSync(path.join(folder, 'ggml-x.bin'), bytes);
			await expect(add('ggml-x.bin')).rejects.toMatchObject({
				code: 'invalid_request',
				message: expect.stringMatching(
					/cannot be used as a model: it is truncated.*; copy or download it again$/,
				),
			});
			expect(readFileSync(machine.config, 'utf8')).not.toContain('ggml-x');
		},
	);

	it('of Parakeet that was cut off is refused', async () => {
		const bytes = readFileSync(parakeet);
		const { add } = await arrange({ 'p.bin': bytes.subarray(0, bytes.length - 100) });
		await expect(add('p.bin')).rejects.toThrow('it is truncated');
	});

	it('without weights, as whisper.cpp has for its tests, is refused', async () => {
		const { add } = await arrange({ 'for-tests-ggml-tiny.bin': whole.subarray(0, startOfTensors(whole)) });
		await expect(add('for-tests-ggml-tiny.bin')).rejects.toThrow('it holds no weights');
	});

	it('that ends after a whole tensor is refused', async () => {
		const at = startOfTensors(whole);
		const { add } = await arrange({ 'x.bin': whole.subarray(0, at + tensorBytes(whole, at)) });
		await expect(add('x.bin')).rejects.toThrow(/it is truncated: it has 1 of \d+ tensors/);
	});

	it.each([
		['a pointer of Git LFS', lfs, 'git lfs pull'],
		['nothing but its first word', 'lmgg', 'it is truncated'],
		['a vocabulary without end', hugeVocabulary(), 'impossible size'],
	])('that is %s is refused', async (_, content, message) => {
		const { add } = await arrange({ 'x.bin': content });
		await expect(add('x.bin')).rejects.toThrow(message);
	});
});

/** Behind magic, 11 numbers, filters and vocabulary. */
function startOfTensors(file: Buffer): number {
	let at = 48;
	at += 8 + 4 * file.readInt32LE(at) * file.readInt32LE(at + 4);
	const tokens = file.readInt32LE(at);
	at += 4;
	for (let token = 0; token < tokens; token++) at += 4 + file.readInt32LE(at);
	return at;
}

/** Of a tensor of floats. */
function tensorBytes(file: Buffer, at: number): number {
	const [dimensions, name, type] = [0, 4, 8].map((offset) => file.readInt32LE(at + offset));
	const sizes = Array.from({ length: dimensions! }, (_, index) => file.readInt32LE(at + 12 + 4 * index));
	const numbers = sizes.reduce((product, size) => product * size);
	return 12 + 4 * dimensions! + name! + numbers * (type === 0 ? 4 : 2);
}

function hugeVocabulary(): Buffer {
	const head = Buffer.from(readFileSync(tones).subarray(0, 5_000_000));
	const at = 48 + 8 + 4 * head.readInt32LE(48) * head.readInt32LE(52);
	head.writeInt32LE(2 ** 31 - 1, at);
	return head;
}

describe('a model for sherpa-onnx', () => {
	const paraformer = copied('paraformer', { model: 'model.onnx', tokens: 'tokens.txt' });

	it('that is whole is added under the name of its folder', async () => {
		const { add } = await arrange(paraformer);
		expect(await add('')).toMatchObject({ id: 'my-model', type: 'paraformer' });
		const other = await arrange(paraformer);
		expect(await other.add('model.onnx')).toMatchObject({ id: 'my-model', type: 'paraformer' });
	});

	it.each([
		['cut off', { 'model.onnx': paraformer['model.onnx']!.subarray(0, -10) }, /it is truncated/],
		[
			'cut off near its start',
			{ 'model.onnx': paraformer['model.onnx']!.subarray(0, 1000) },
			/it is truncated/,
		],
		['empty', { 'model.onnx': '' }, /it is empty/],
		['a pointer of Git LFS', { 'model.onnx': lfs }, /git lfs pull/],
		['without tokens', { 'tokens.txt': '' }, /it is empty/],
	])('that is %s is refused, whether its type is said or not', async (_, changes, message) => {
		const { add, machine } = await arrange({ ...paraformer, ...changes });
		for (const options of [{ type: 'paraformer' }, {}])
			await expect(add('', options)).rejects.toMatchObject({
				code: 'invalid_request',
				message: expect.stringMatching(message),
			});
		expect(machine.registry().entries.map(({ id }) => id)).toEqual(['demo-digits']);
	});
});

describe('a folder of several models', () => {
	const several = { 'ggml-a.bin': readFileSync(tones), 'ggml-b.bin': readFileSync(parakeet) };

	it('is refused with the command for each, without a terminal', async () => {
		const { add, folder } = await arrange({
			...several,
			'ggml-silero.bin': 'lmgg\x0a\x00\x00\x00silero-16k',
		});
		await expect(add('')).rejects.toThrow(
			`it holds several; add one of them: earshot add "${folder}/ggml-a.bin", or earshot add "${folder}/ggml-b.bin"`,
		);
	});

	it('is chosen by a prompt on a terminal', async () => {
		const { add, folder } = await arrange(several);
		const asked: unknown[] = [];
		const choose = async (...question: unknown[]) => {
			asked.push(question);
			return 'ggml-b.bin';
		};
		expect(await add('', { choose })).toMatchObject({ id: 'whisper-b', type: 'parakeet_cpp' });
		expect(asked).toEqual([[folder, ['ggml-a.bin', 'ggml-b.bin']]]);
	});

	it('gives the one of which a file is named', async () => {
		const files = {
			...copied('whisper', {
				encoder: 'tiny-encoder.onnx',
				decoder: 'tiny-decoder.onnx',
				tokens: 'tiny-tokens.txt',
			}),
			...copied('whisper', {
				encoder: 'base-encoder.onnx',
				decoder: 'base-decoder.onnx',
				tokens: 'base-tokens.txt',
			}),
		};
		const { add } = await arrange(files);
		expect(await add('base-encoder.onnx')).toMatchObject({
			id: 'my-model-base',
			files: { encoder: 'base-encoder.onnx', decoder: 'base-decoder.onnx', tokens: 'base-tokens.txt' },
		});
		await expect(add('')).rejects.toThrow(/base-encoder\.onnx", or .*tiny-encoder\.onnx"$/);
	});

	it('is no folder of one model in several precisions, or beside a voice detector', async () => {
		const one = (...names: string[]) => networksIn(names);
		expect(one('model.onnx', 'model.int8.onnx', 'silero_vad.onnx', 'tokens.txt')).toEqual([
			'model.int8.onnx',
		]);
		expect(
			one(
				'encoder-epoch-99-avg-1.int8.onnx',
				'encoder-epoch-99-avg-1.onnx',
				'decoder-epoch-99-avg-1.onnx',
				'joiner-epoch-99-avg-1.onnx',
			),
		).toEqual(['encoder-epoch-99-avg-1.int8.onnx']);
		expect(
			one('preprocess.onnx', 'encode.int8.onnx', 'uncached_decode.int8.onnx', 'cached_decode.int8.onnx'),
		).toHaveLength(1);
		expect(one('model.int8.onnx', 'model-streaming.int8.onnx')).toHaveLength(2);
		expect(one('README.md', 'config.json', 'tokens.txt')).toEqual([]);
		expect(await modelsIn(path.join(generated, 'whisper'))).toContain('tones.bin');
	});

	it('keeps to the precision of the file that is named', () => {
		const names = ['encoder.onnx', 'encoder.int8.onnx', 'decoder.onnx', 'decoder.int8.onnx', 'tokens.txt'];
		expect(rolesOf(names, 'encoder.onnx')).toEqual({
			encoder: 'encoder.onnx',
			decoder: 'decoder.onnx',
			tokens: 'tokens.txt',
		});
		expect(rolesOf(names)).toMatchObject({ encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx' });
	});
});

describe('the two networks of diarization', () => {
	const networks = () => ({
		'pyannote-3.0.onnx': readFileSync(path.join(generated, 'speakers', 'segmentation.onnx')),
		'campplus.onnx': readFileSync(path.join(generated, 'speakers', 'embedding.onnx')),
	});

	it('are added by their folder, whatever they are called, and OpenAI’s name for them is known then', async () => {
		const { add, machine } = await arrange({
			...networks(),
			'campplus.int8.onnx': networks()['campplus.onnx'],
		});
		const aliases = () => machine.registry().entries.flatMap((entry) => entry.aliases);
		expect(machine.registry().diarizer).toBeUndefined();
		expect(aliases()).not.toContain('gpt-4o-transcribe-diarize');
		expect(await add('')).toMatchObject({
			id: 'diarization',
			type: 'diarization',
			files: { segmentation: 'pyannote-3.0.onnx', embedding: 'campplus.onnx' },
		});
		expect(machine.registry().diarizer).toBe('diarization');
		expect(aliases()).toContain('gpt-4o-transcribe-diarize');
	});

	it('are distinguished from a model beside them', async () => {
		const { add } = await arrange({ ...networks(), 'tokens.txt': 'a 0\n' });
		expect((await add('', { type: 'diarization' })).type).toBe('diarization');
		await expect(add('')).rejects.toThrow();
	});

	it('are refused where one is missing', async () => {
		const { add } = await arrange({ 'campplus.onnx': networks()['campplus.onnx'] });
		await expect(add('', { type: 'diarization' })).rejects.toThrow('segmentation, embedding');
	});
});
