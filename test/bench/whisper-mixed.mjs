/**
 * Requests of every kind over several slots at once give what they give alone, and memory stays as it is.
 * usage: node test/bench/whisper-mixed.mjs [REQUESTS [LANES]]   2000 and 4 unless said
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process, { argv, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { GENERATED, makeFixtures } from '../../fixtures/make-models.mjs';
import { usualClip, usualLoad } from '../helpers/whisper-defaults.mjs';

const [requests = 2000, slots = 4] = argv.slice(2).map(Number);
process.env.UV_THREADPOOL_SIZE = String(slots + 2);
const root = fileURLToPath(new URL('../..', import.meta.url));
const addon = createRequire(import.meta.url)('node-gyp-build')(root);
makeFixtures();

const decode = async (/** @type {string} */ name) => {
	const file = readFileSync(join(GENERATED, 'audio', `${name}.wav`));
	const reader = addon.openAudio(file, { maxSeconds: 60 });
	await reader.open();
	const samples = new Float32Array(61 * 16_000);
	const { count } = await reader.read(samples);
	await reader.close();
	return samples.slice(0, count);
};
const clips = await Promise.all(
	['tones-a', 'tones-abc', 'tones-edcba', 'blip', 'noise', 'silence'].map(decode),
);
clips.push(
	new Float32Array(0),
	new Float32Array(500),
	clips[1].map((sample, i) => (i % 999 ? sample : Number.NaN)),
);
const usual = { ...usualClip, temperatureIncrement: 0.2 };
const kinds = [
	{},
	{ language: '' },
	{ language: '', languages: ['fr', 'de'] },
	{ tokenTimestamps: true },
	{ temperature: 0.7 },
	{ prompt: 'alpha, bravo' },
	{ translate: true },
	{ beamSize: 3 },
	{ suppress: [256] },
	{ suppressNonSpeech: true, tokenTimestamps: true },
];

/** Everything a result says. */
const resultText = (/** @type {any} */ { bytes, tokenIds, tokenTimes, tokenLogprobs, segments, language }) =>
	JSON.stringify([
		Buffer.from(bytes).toString('hex'),
		...[tokenIds, tokenTimes, tokenLogprobs, segments].map((array) => [...array]),
		language,
	]);
const load = (/** @type {number} */ count) =>
	addon.loadWhisper({ ...usualLoad, path: join(GENERATED, 'whisper', 'tones.bin'), slots: count });
const megabytes = () => Math.round(process.memoryUsage.rss() / 1e6);

// Alone: each on a model that has run nothing before.
const expected = [];
for (const samples of clips) {
	for (const kind of kinds) {
		const model = await load(1);
		expected.push(resultText(await model.transcribe(samples, { ...usual, ...kind })));
		await model.close();
	}
}

const model = await load(slots);
let state = 1;
const random = (/** @type {number} */ below) => {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor((state / 0x100000000) * below);
};
let done = 0;
let next = 0;
let different = 0;
let cancelled = 0;
/** @type {number[]} */
const memory = [];
const started = performance.now();
const slot = async () => {
	while (next < requests) {
		const clip = ++next;
		const which = random(expected.length);
		const running = model.transcribe(clips[Math.floor(which / kinds.length)], {
			...usual,
			...kinds[which % kinds.length],
			clip,
		});
		// One in forty goes away in the middle.
		const goes = random(40) === 0;
		if (goes) setTimeout(() => model.cancel(clip), random(200));
		try {
			if (resultText(await running) !== expected[which]) different++;
		} catch (error) {
			if (!goes || /** @type {any} */ (error).code !== 'cancelled') throw error;
			cancelled++;
		}
		if (++done % Math.ceil(requests / 10) === 0) {
			memory.push(megabytes());
			stdout.write(`${done} requests, ${memory.at(-1)} MB\n`);
		}
	}
};
await Promise.all(Array.from({ length: slots }, slot));
await model.close();
const seconds = Math.round((performance.now() - started) / 1000);
stdout.write(
	`${done} requests over ${slots} slots in ${seconds} s: ${different} different from alone, ${cancelled} cancelled, ` +
		`memory ${memory[1]} MB after a fifth, ${memory.at(-1)} MB at the end\n`,
);
process.exitCode = different === 0 ? 0 : 1;
