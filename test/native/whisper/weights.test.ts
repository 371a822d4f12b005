/** The decoder's weights, made smaller when they are loaded. */

import {
	chmodSync,
	closeSync,
	lstatSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type * as Binding from '../../../binding.js';
import { encodeWhisper } from '../../helpers/files/ggml.js';
import { samplesOf } from '../../helpers/fixtures.js';
import { usualLoad } from '../../helpers/whisper-defaults.mjs';
import { addon, encoderOf, loadWhisper, textOf, tonesModel, whisperClip } from '../addon.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-weights-'));
const files = { f16: path.join(folder, 'f16.bin'), q8_0: path.join(folder, 'q8_0.bin') } as const;

/** A decoder of noise behind an encoder that ignores its input. Both types hold its weights exactly: each block of 32 is
 * multiples of 1/512 up to 127/512. */
function writeBabbler(file: string, type: 'f16' | 'q8_0'): void {
	let state = 11;
	const noise = () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.round((state / 0x80000000 - 1) * 127) / 512;
	};
	const numbers = (name: string, count: number): Float32Array => {
		if (/ln(_post)?\.weight$/.test(name)) return new Float32Array(count).fill(1);
		if (name.startsWith('encoder') || name.endsWith('.bias')) return new Float32Array(count);
		return Float32Array.from({ length: count }, (_, at) =>
			at % 32 === 0 ? (Math.sign(noise()) || 1) * (127 / 512) : noise(),
		);
	};
	const shape = {
		vocabulary: 51_865,
		mels: 80,
		state: 64,
		heads: 1,
		audioLayers: 1,
		textLayers: 2,
		type,
	} as const;
	const letters = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte));
	const handle = openSync(file, 'w');
	try {
		for (const piece of encodeWhisper(shape, letters, numbers)) writeSync(handle, piece);
	} finally {
		closeSync(handle);
	}
}

const open: Binding.WhisperModel[] = [];
beforeAll(() => {
	writeBabbler(files.f16, 'f16');
	writeBabbler(files.q8_0, 'q8_0');
});
afterAll(async () => {
	await Promise.all(open.map((model) => model.close()));
	rmSync(folder, { recursive: true });
});

async function load(file: string, more: Partial<Binding.WhisperLoad> = {}): Promise<Binding.WhisperModel> {
	const model = await addon.loadWhisper({ ...usualLoad, path: file, ...more });
	open.push(model);
	return model;
}

const babble = (model: Binding.WhisperModel) =>
	model.transcribe(new Float32Array(32_000).fill(0.1), whisperClip);

describe('a decoder made Q8_0', () => {
	test('says what the file says that was Q8_0 from the start, with the same probabilities', async () => {
		const made = await babble(await load(files.f16, { quantiseDecoder: true }));
		const written = await babble(await load(files.q8_0));
		expect(made.tokenIds.length).toBeGreaterThan(5);
		expect(made.tokenIds).toEqual(written.tokenIds);
		expect(made.tokenLogprobs).toEqual(written.tokenLogprobs);
		// It is another decoder than the one in the file.
		const plain = await babble(await load(files.f16));
		expect(plain.tokenLogprobs).not.toEqual(made.tokenLogprobs);
	});

	test('multiplies as halves do, but for what its vectors lose in 8 bits', async () => {
		const [halves, bytes] = [await babble(await load(files.f16)), await babble(await load(files.q8_0))];
		const first = bytes.tokenLogprobs[0] ?? Number.NaN;
		expect(bytes.tokenIds[0]).toBe(halves.tokenIds[0]);
		expect(first).toBeCloseTo(halves.tokenLogprobs[0] ?? Number.NaN, 1);
	});

	test.each([
		['in a batch', 1],
		['on several threads', 2],
	])('gives the same tokens %s', async (_how, threads) => {
		const model = await load(files.q8_0, { maxThreads: 2 });
		const alone = await babble(model);
		const clips = Array.from({ length: 3 }, () => new Float32Array(32_000).fill(0.1));
		const made = await Promise.all(model.transcribeBatch(clips, { ...whisperClip, threads }));
		for (const { tokenIds, tokenLogprobs } of made) {
			expect(tokenIds).toEqual(alone.tokenIds);
			// Attention on several threads is ggml's, which adds up half floats.
			for (const [at, logprob] of tokenLogprobs.entries()) {
				expect(logprob).toBeCloseTo(alone.tokenLogprobs[at] ?? Number.NaN, threads === 1 ? 12 : 1);
			}
		}
	});

	test('is reported, and takes less memory', async () => {
		const [plain, smaller] = [await load(files.f16), await load(files.f16, { quantiseDecoder: true })];
		expect(plain.info.decoder).toBe('f16');
		expect(smaller.info.decoder).toBe('q8_0');
		// 51,865 tokens of 64 numbers: 17 bytes for 16 instead of 32.
		expect(plain.info.weightBytes - smaller.info.weightBytes).toBeGreaterThan(51_865 * 64 * 0.9);
	});

	test('is left alone where the file has it quantised', async () => {
		const [given, asked] = [await load(files.q8_0), await load(files.q8_0, { quantiseDecoder: true })];
		expect(asked.info).toEqual(given.info);
	});
});

test("ggml's weights of an encoder that ONNX Runtime runs are given back to the system", async () => {
	const [ggmls, ours] = [await loadWhisper(1), await load(tonesModel, await encoderOf('onnx'))];
	open.push(ggmls);
	expect(ggmls.info.weightBytes - ours.info.weightBytes).toBeGreaterThan(500_000);
	expect(textOf(await ours.transcribe(samplesOf('tones-abc'), whisperClip))).toBe('alpha bravo charlie');
});

describe('weights that processes share', () => {
	const isWindows = process.platform === 'win32';
	let shared = '';
	const only = (dir: string) => {
		const [name = '', ...others] = readdirSync(dir);
		expect(others).toEqual([]);
		return path.join(dir, name);
	};
	const warned: string[] = [];
	beforeEach(() => {
		shared = mkdtempSync(path.join(folder, 'shared-'));
		warned.length = 0;
		addon.setLogSink((level, line) => {
			if (level === 'warn' && line.startsWith('weights')) warned.push(line);
		});
	});
	afterEach(() => addon.setLogSink(null));

	test.skipIf(isWindows).each([
		['half floats', {}],
		['weights that are made Q8_0', { quantiseDecoder: true }],
	] as const)('%s give the same tokens from the one file of both models', async (_what, more) => {
		const own = await babble(await load(files.f16, more));
		const [first, second] = await Promise.all([
			load(files.f16, { ...more, weightsDir: shared }),
			load(files.f16, { ...more, weightsDir: shared }),
		]);
		const file = only(shared);
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(statSync(file).size).toBeGreaterThan(51_865 * 64);
		for (const model of [first, second]) expect(await babble(model)).toEqual(own);
	});

	test.skipIf(isWindows).each([
		['has other contents', (file: string, bytes: Buffer) => writeFileSync(file, bytes.fill(0, 0, 64))],
		['was cut off', (file: string, bytes: Buffer) => writeFileSync(file, bytes.subarray(0, 4096))],
		[
			'may be written by others',
			(file: string, bytes: Buffer) => {
				writeFileSync(file, bytes);
				chmodSync(file, 0o666);
			},
		],
		[
			'is a link',
			(file: string, bytes: Buffer) => {
				writeFileSync(path.join(folder, 'linked'), bytes);
				symlinkSync(path.join(folder, 'linked'), file);
			},
		],
	])('a file that %s is replaced', async (_what, spoil) => {
		const before = await load(files.f16, { weightsDir: shared });
		const file = only(shared);
		const text = await babble(before);
		// The first model still reads the old file, which must not be changed under it.
		const bytes = readFileSync(file);
		unlinkSync(file);
		spoil(file, bytes);
		expect(await babble(await load(files.f16, { weightsDir: shared }))).toEqual(text);
		expect(lstatSync(file).isFile()).toBe(true);
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(warned).toEqual([]);
	});

	test('stay in the memory of a process that cannot write the file, with a warning', async () => {
		const nowhere = path.join(shared, 'missing');
		const model = await load(files.f16, { weightsDir: nowhere });
		expect(await babble(model)).toEqual(await babble(await load(files.f16)));
		await vi.waitFor(() =>
			expect(warned).toEqual([
				expect.stringMatching(/^weights are not shared with other processes: cannot (write|map) /),
			]),
		);
	});
});
