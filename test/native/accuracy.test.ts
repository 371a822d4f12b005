/** Three minutes of English on the real model, as it is served by default. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTranscriber, type EarshotTranscriber } from '../../src/index.js';
import { bundledRecordings } from '../accuracy/recordings.mjs';
import { decoded } from '../accuracy/samples.mjs';
import { score } from '../accuracy/score.mjs';
import { wav } from '../bench/lib/speech.mjs';

import { root } from '../helpers/fixtures.js';

const model = path.join(root, 'build', 'models', 'whisper-tiny.en', 'ggml-tiny.en.bin');
const isHere = existsSync(model);
if (!isHere) {
	const missing = `${model} is not here: \`npm test\` fetches it where there is a network`;
	if (process.env.CI) throw new Error(missing);
	process.stderr.write(`accuracy.test.ts is left out: ${missing}\n`);
}

/** Per cent of words: 9.6 were wrong when this was written, of which each is 0.2. */
const bound = 13;

type Outcome = Parameters<typeof score>[2][number];

describe.skipIf(!isHere)('Whisper tiny.en with default settings', () => {
	const recordings = bundledRecordings(path.join(root, 'fixtures', 'accuracy'));
	const folder = mkdtempSync(path.join(tmpdir(), 'accuracy-'));
	let transcriber: EarshotTranscriber;

	beforeAll(async () => {
		const config = path.join(folder, 'models.yaml');
		writeFileSync(config, JSON.stringify({ models: { real: { type: 'whisper_cpp', files: { model } } } }));
		transcriber = await createTranscriber({ model: 'real', config, modelDir: folder });
	});
	afterAll(async () => {
		await transcriber?.close();
		rmSync(folder, { recursive: true, force: true });
	});

	/** A few at a time: as many as the slots have work for. */
	async function outcomesOf(
		wanted: typeof recordings,
		source: (file: string) => Promise<Uint8Array | string>,
	): Promise<Outcome[]> {
		const outcomes: Outcome[] = [];
		const queue = [...wanted];
		const client = async () => {
			for (let next = queue.shift(); next; next = queue.shift()) {
				const { text, segments, duration } = await transcriber.transcribe(await source(next.file));
				const afterEnd = segments.filter(({ start, end }) => start >= duration || end > duration).length;
				const fellBack = segments.some(({ temperature }) => temperature > 0);
				outcomes.push({ id: next.id, text, afterEnd, fellBack });
			}
		};
		await Promise.all(Array.from({ length: 4 }, client));
		return outcomes;
	}

	it('writes three minutes of speech with few wrong words, and nothing for silence', async () => {
		const outcomes = await outcomesOf(recordings, async (file) => file);
		const seen = score('default', recordings, outcomes);
		expect(seen.errors.words).toBeGreaterThan(400);
		expect(seen.rate).toBeLessThan(bound);
		expect(seen.fromNothing).toEqual([]);
		expect(seen.afterEnd).toBe(0);

		// The same texts beside the transcripts of other recordings.
		const speech = recordings.filter(({ kind }) => kind === 'speech');
		const others = speech.map((each, at) => ({
			...each,
			reference: speech[(at + 1) % speech.length]?.reference ?? '',
		}));
		expect(score('mistaken', others, outcomes).rate).toBeGreaterThan(5 * bound);
	}, 240_000);

	it('would be found out if it left out half of what is said', async () => {
		const some = recordings.filter(({ id }) => id.startsWith('LJ'));
		const outcomes = await outcomesOf(some, async (file) => {
			const samples = await decoded(file);
			return wav(samples.subarray(0, samples.length / 2));
		});
		expect(score('halved', some, outcomes).rate).toBeGreaterThan(3 * bound);
	}, 240_000);
});
