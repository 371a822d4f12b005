import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execPath } from 'node:process';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { isDynamicallyQuantised, validateFiles } from '../../src/engines/sherpa/validate/validate.js';
import { modelTypes } from '../../src/models/types/types.js';
import { generated, manifest, root } from '../helpers/fixtures.js';

interface Maker {
	readonly buildFixtures: () => Map<string, Uint8Array | string>;
	readonly makeFixtures: (options: { folder: string }) => boolean;
}

interface Ggml {
	readonly halfBits: (number: number) => number;
	readonly melFilters: (mels: number) => Float32Array;
}

/** The scripts are plain JavaScript without declarations. */
async function script<T>(name: string): Promise<T> {
	return (await import(new URL(`../../fixtures/${name}`, import.meta.url).href)) as T;
}

function digests(files: Map<string, Uint8Array | string>): Record<string, string> {
	const digest = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex');
	return Object.fromEntries([...files].map(([name, content]) => [name, digest(content)]));
}

// Sixty megabytes are made several times over, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000 });

describe('the fixtures', () => {
	it('are the same bytes each time, equal to those in generated/', async () => {
		const { buildFixtures } = await script<Maker>('make-models.mjs');
		const built = buildFixtures();
		expect(digests(buildFixtures())).toEqual(digests(built));
		const found = new Map([...built.keys()].map((name) => [name, readFileSync(path.join(generated, name))]));
		expect(digests(found)).toEqual(digests(built));
	});

	it('have a model of every type of models.yaml', () => {
		const types = new Set(manifest.models.map(({ type }) => type));
		expect([...types].sort()).toEqual([...modelTypes].sort());
	});

	it('are all there', () => {
		const files = [
			...manifest.audio.map((audio) => audio.path),
			...manifest.models.flatMap((model) => Object.values(model.files)),
		];
		expect(files.filter((file) => !existsSync(path.join(generated, file)))).toEqual([]);
	});

	it('have a name of their own each', () => {
		const names = [...manifest.models, ...manifest.troubled].map(({ name }) => name);
		expect(new Set(names).size).toBe(names.length);
	});

	it('list the text of each model for each recording', () => {
		const recordings = manifest.audio.map(({ name }) => name);
		const uncertain = manifest.models.filter(({ expectedTexts }) =>
			recordings.some((name) => !(name in expectedTexts)),
		);
		expect(uncertain.map(({ name }) => name)).toEqual(['telespeech_ctc', 'cohere_transcribe', 'parakeet']);
	});

	it('distinguish recordings by the tones in them, and by nothing else', () => {
		const distinguished = manifest.models.map(({ name, expectedTexts }) => ({
			name,
			byTones: expectedTexts['tones-abc'] !== expectedTexts['tones-abcde'],
			byFormat: expectedTexts['tones-abc'] !== expectedTexts['tones-abc-8000-mulaw'],
			silence: expectedTexts.silence ?? '',
		}));
		const wanted = { byTones: true, byFormat: false, silence: '' };
		expect(distinguished).toEqual(manifest.models.map(({ name }) => ({ name, ...wanted })));
	});
});

describe('make-models', () => {
	const folders: string[] = [];
	const temporary = () => {
		const folder = mkdtempSync(path.join(tmpdir(), 'earshot-fixtures-'));
		folders.push(folder);
		return folder;
	};
	afterEach(() => {
		for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
	});

	it('does nothing when its sources have not changed', async () => {
		const { makeFixtures } = await script<Maker>('make-models.mjs');
		const folder = temporary();
		expect(makeFixtures({ folder })).toBe(true);
		expect(makeFixtures({ folder })).toBe(false);
		writeFileSync(path.join(folder, 'stamp'), 'of other sources');
		expect(makeFixtures({ folder })).toBe(true);
	});
});

describe('the ggml writer', () => {
	it('rounds to half floats as IEEE 754 says', async () => {
		const { halfBits } = await script<Ggml>('lib/ggml.mjs');
		const expected = [
			[0, 0],
			[-0, 0x8000],
			[1, 0x3c00],
			[-2, 0xc000],
			[1 / 3, 0x3555],
			[0.1, 0x2e66],
			[65504, 0x7bff],
			[65519, 0x7bff],
			[65520, 0x7c00],
			[1e9, 0x7c00],
			[6.1e-5, 0x03ff],
			[2 ** -24, 1],
			[2 ** -25, 0],
			[2 ** -26, 0],
			[1 + 2 ** -11, 0x3c00],
			[1 + 3 * 2 ** -11, 0x3c02],
			[Number.POSITIVE_INFINITY, 0x7c00],
			[Number.NaN, 0x7e00],
		] as const;
		expect(expected.map(([number]) => [number, halfBits(number)])).toEqual(expected);
	});

	it("makes the mel filters of OpenAI's models", async () => {
		const { melFilters } = await script<Ggml>('lib/ggml.mjs');
		const filters = melFilters(80);
		expect(filters.length).toBe(80 * 201);
		// The first triangle, as librosa.filters.mel(sr=16000, n_fft=400, n_mels=80) gives it.
		expect(filters[0]).toBe(0);
		expect(filters[1]).toBeCloseTo(0.02486259, 7);
		expect(filters[2]).toBe(0);
		expect(filters[202]).toBeCloseTo(0.00199082, 7);
		expect(filters[203]).toBeCloseTo(0.02287177, 7);
	});
});

describe('make-shape', () => {
	const run = (...options: string[]) => {
		const made = spawnSync(execPath, [path.join(root, 'fixtures', 'make-shape.mjs'), ...options]);
		return { status: made.status, said: String(made.stderr) };
	};

	it('refuses what it does not know, naming what it does', () => {
		expect(run('--size', 'huge', '--out', 'x')).toMatchObject({
			status: 2,
			said: expect.stringContaining(
				"Expected --size to be one of tiny, base, small, medium, large-v3, large-v3-turbo, got 'huge'",
			),
		});
		expect(run('--size', 'tiny', '--tokens', '0', '--out', 'x').said).toContain('from 1 to 218');
		expect(run('--size', 'tiny', '--type', 'q4_0', '--out', 'x').said).toContain('f16 or q8_0');
		expect(run('--size', 'tiny').said).toContain('--out');
	});

	it.each([
		['tiny', 'f16', 39_000_000 * 2],
		['base', 'q8_0', 74_000_000 * (34 / 32)],
	] as const)('makes %s in %s as large as the real one', async (size, type, bytes) => {
		const { encodeShape, SIZES } = await script<{
			readonly encodeShape: (shape: object, tokens: number) => Iterable<Uint8Array>;
			readonly SIZES: Record<string, object>;
		}>('make-shape.mjs');
		let made = 0;
		let largest = 0;
		for (const piece of encodeShape({ ...SIZES[size], type }, 10)) {
			made += piece.length;
			largest = Math.max(largest, piece.length);
		}
		expect(made / bytes).toBeGreaterThan(0.95);
		expect(made / bytes).toBeLessThan(1.08);
		expect(largest).toBeLessThan(4_000_000);
	});
});

describe('make-sherpa-shape', () => {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-shape-'));
	const run = (...options: string[]) => {
		const made = spawnSync(execPath, [path.join(root, 'fixtures', 'make-sherpa-shape.mjs'), ...options]);
		return { status: made.status, said: String(made.stderr) };
	};
	const files = (model: string) => ({
		model: path.join(folder, model),
		tokens: path.join(folder, 'tokens.txt'),
	});
	afterAll(() => rmSync(folder, { recursive: true }));

	it('refuses what it does not know, naming what it does', () => {
		expect(run('--shape', 'huge', '--out', 'x')).toMatchObject({
			status: 2,
			said: expect.stringContaining(
				"Expected --shape to be one of transformer, zipformer-small, zipformer-medium, streaming-zipformer-small, streaming-zipformer-medium, sense-voice, got 'huge'",
			),
		});
		expect(run('--shape', 'sense-voice').said).toContain('--out');
	});

	it('makes a Zipformer of as many weights as the published one, which passes for one', async () => {
		expect(run('--shape', 'zipformer-small', '--out', folder).status).toBe(0);
		const { networks } = await validateFiles({
			type: 'zipformer_ctc',
			files: files('model.onnx'),
			options: {},
		});
		expect(networks.get('model')?.operators).not.toContain('MatMulInteger');
		// icefall's table of results gives 22.1 million.
		const weights = statSync(files('model.onnx').model).size / 4;
		expect(weights / 22.1e6).toBeGreaterThan(0.99);
		expect(weights / 22.1e6).toBeLessThan(1.02);
	});

	it('quantises matrices and nothing else, as the published 8-bit files are', async () => {
		expect(run('--shape', 'zipformer-small', '--int8', '--out', folder).status).toBe(0);
		const checked = await validateFiles({
			type: 'zipformer_ctc',
			files: files('model.int8.onnx'),
			options: {},
		});
		expect(isDynamicallyQuantised(checked, {})).toBe(true);
		const operators = checked.networks.get('model')?.operators;
		// What is a product of two activations stays one; so do convolutions.
		expect(operators).toContain('MatMul');
		expect(operators).toContain('Conv');
		expect(operators).not.toContain('ConvInteger');
		expect(statSync(files('model.int8.onnx').model).size).toBeLessThan(1.12 * 22.1e6);
	});
});
