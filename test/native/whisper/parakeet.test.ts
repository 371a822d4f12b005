/** whisper.cpp's own Parakeet: what it gets wrong, and ours does not. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as Binding from '../../../binding.js';
import { audioFixture, filesOf, modelFixture, samplesOf } from '../../helpers/fixtures.js';
import { addon, textOf, whisperClip } from '../addon.js';

const file = filesOf(modelFixture('parakeet')).model ?? '';
const load = (model = file) =>
	addon.loadParakeet({
		path: model,
		slots: 1,
		maxThreads: 2,
		useGpu: false,
		gpuDevice: 0,
		alignmentHeads: [],
	});
let model: Awaited<ReturnType<typeof load>>;
beforeAll(async () => {
	model = await load();
});
afterAll(() => model.close());
const transcribe = (samples: Float32Array) => model.transcribe(samples, whisperClip);

test.each(['tones-abc', 'tones-edcba', 'tones-deadbead'])(
	'times of the words of %s are right to 0.1 s',
	async (name) => {
		const { tones } = audioFixture(name);
		const raw = await transcribe(samplesOf(name));
		expect(raw.tokenIds).toHaveLength(tones.length);
		for (const [index, { start, end }] of tones.entries()) {
			expect(Math.abs((raw.tokenTimes[2 * index] ?? Number.NaN) - start)).toBeLessThan(0.1);
			expect(Math.abs((raw.tokenTimes[2 * index + 1] ?? Number.NaN) - end)).toBeLessThan(0.2);
		}
		const [, start = 0, end = 0] = raw.segments;
		expect(start).toBeCloseTo(raw.tokenTimes[0] ?? Number.NaN, 5);
		expect(end).toBeLessThanOrEqual(samplesOf(name).length / 16_000);
	},
);

test('log-probabilities are of tokens alone, and finite', async () => {
	const { tokenLogprobs } = await transcribe(samplesOf('tones-abc'));
	for (const logprob of tokenLogprobs) expect(logprob > -1 && logprob <= 0).toBe(true);
});

test('clips of a frame, of a sample and of none are silence; what is no number is passed over', async () => {
	for (const length of [0, 1, 160, 161, 400, 8000])
		expect(textOf(await transcribe(new Float32Array(length)))).toBe('');
	const samples = samplesOf('tones-abc');
	samples[50] = Number.NaN;
	samples[60] = Number.POSITIVE_INFINITY;
	expect(textOf(await transcribe(samples))).toBe('la la la');
});

test('a clip gives the same text whatever its slot ran before', async () => {
	const alone = await transcribe(samplesOf('tones-abc'));
	await transcribe(samplesOf('tones-deadbead'));
	const again = await transcribe(samplesOf('tones-abc'));
	expect([...again.tokenLogprobs]).toEqual([...alone.tokenLogprobs]);
	expect([...again.tokenTimes]).toEqual([...alone.tokenTimes]);
});

test('a hostile model file is refused, never followed', async () => {
	const good = readFileSync(file);
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-parakeet-'));
	const tensor = good.indexOf('encoder.pre_encode.out.weight') - 20;
	const edits: ((bytes: Buffer) => Buffer)[] = [
		(bytes) => bytes.subarray(0, 40),
		(bytes) => bytes.subarray(0, bytes.length - 3),
		(bytes) => Buffer.concat([bytes, Buffer.alloc(30, 7)]),
		...Array.from({ length: 15 }, (_, field) => (bytes: Buffer) => {
			bytes.writeInt32LE(-1, 4 + 4 * field);
			return bytes;
		}),
		(bytes) => {
			bytes.writeInt32LE(20_000, tensor);
			return bytes;
		},
		(bytes) => {
			bytes.writeInt32LE(0x7fff_ffff, tensor + 12);
			return bytes;
		},
	];
	try {
		for (const [index, edit] of edits.entries()) {
			const bad = path.join(folder, String(index));
			writeFileSync(bad, edit(Buffer.from(good)));
			const code = await load(bad).then(
				() => `loaded ${index}`,
				(error: Binding.NativeError) => error.code,
			);
			expect(code).toBe('model_load_failed');
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
});
