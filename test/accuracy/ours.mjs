/**
 * One configuration of Earshot, as a library in a process of its own, on many recordings, or on the same ones again and again.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { createTranscriber } from '../../dist/index.js';
import { wav } from '../bench/lib/speech.mjs';
import { floatsIn, workplace } from './samples.mjs';

/**
 * @typedef {object} Task
 * @property {string} model a ggml file
 * @property {import('./configurations.mjs').Configuration} configuration
 * @property {{ id: string, path: string, seconds: number }[]} recordings of raw samples
 * @property {boolean} words ask for their times
 * @property {number} atOnce
 * @property {number} [requests] send so many in turns of another order each, and compare the answers for a recording
 */

/** @param {AsyncIterable<Buffer>} stream @returns {Promise<Task>} */
async function taskFrom(stream) {
	let line = '';
	for await (const chunk of stream) line += chunk;
	return JSON.parse(line);
}

/**
 * @param {import('../../dist/core/speech/transcript.js').Transcript} transcript @param {string} id
 * @returns {import('./score.mjs').Outcome}
 */
function outcomeOf({ text, duration, segments }, id) {
	const words = segments.flatMap((segment) => segment.words ?? []);
	// A sixtieth of a second: times are rounded to 10 ms and durations are not.
	const isAfter = (/** @type {{ start: number, end: number }} */ { start, end }) =>
		start >= duration || end > duration + 1 / 60;
	return {
		id,
		text,
		fellBack: segments.some(({ temperature }) => temperature > 0),
		afterEnd: [...segments, ...words].filter(isAfter).length,
		zeroWords: words.filter(({ start, end }) => end <= start).length,
		words: words.map(({ word, start }) => ({ text: word, start })),
	};
}

/** Another order of the numbers below `count` in each turn, the same in each run. */
function shuffled(/** @type {number} */ count, /** @type {number} */ turn) {
	let state = turn + 1;
	const order = Array.from({ length: count }, (_, at) => at);
	for (let left = count - 1; left > 0; left--) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		const other = state % (left + 1);
		[order[left], order[other]] = [order[other], order[left]];
	}
	return order;
}

const { model, configuration, recordings, words, atOnce, requests } = await taskFrom(stdin);
mkdirSync(workplace, { recursive: true });
const folder = mkdtempSync(join(workplace, 'run-'));
try {
	const { encoder, decoderWeights, audioContext, beam } = configuration;
	const entry = {
		type: 'whisper_cpp',
		files: { model },
		options: {
			encoder,
			decoder_weights: decoderWeights,
			audio_context: audioContext,
			beam_size: beam,
		},
	};
	const config = join(folder, 'models.yaml');
	writeFileSync(config, JSON.stringify({ models: { measured: entry } }));
	const transcriber = await createTranscriber({
		model: 'measured',
		config,
		modelDir: join(workplace, 'models'),
		numThreads: availableParallelism(),
	});
	const turns = Math.ceil((requests ?? recordings.length) / recordings.length);
	const queue = Array.from({ length: turns }, (_, turn) =>
		shuffled(recordings.length, turn).map((at) => recordings[at]),
	)
		.flat()
		.slice(0, requests);
	const results = [];
	/** @type {Map<string, { all: string, text: string }>} */
	const first = new Map();
	const changed = [];
	const before = process.cpuUsage();
	const start = performance.now();
	const client = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) {
			const file = wav(floatsIn(next.path));
			const { id } = next;
			const said = await transcriber.transcribe(file, {
				language: 'en',
				words,
				logprobs: requests !== undefined,
			});
			const all = JSON.stringify(said);
			const before = first.get(id);
			if (before === undefined) {
				first.set(id, { all, text: said.text });
				results.push(outcomeOf(said, id));
			} else if (before.all !== all) changed.push({ id, first: before.text, now: said.text });
		}
	};
	await Promise.all(Array.from({ length: atOnce }, client));
	const elapsed = (performance.now() - start) / 1000;
	const { user, system } = process.cpuUsage(before);
	const { encoder: encodes, decoder } = transcriber.info;
	await transcriber.close();
	stdout.write(
		`${JSON.stringify({ elapsed, processor: (user + system) / 1e6, encoder: encodes, decoder, results, changed })}\n`,
	);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
