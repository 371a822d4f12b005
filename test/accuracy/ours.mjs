/**
 * One configuration of Earshot, as a library in a process of its own, on many recordings.
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
 */

/** @param {AsyncIterable<Buffer>} stream @returns {Promise<Task>} */
async function taskFrom(stream) {
	let line = '';
	for await (const chunk of stream) line += chunk;
	return JSON.parse(line);
}

/**
 * @param {import('../../dist/speech/transcript.js').Transcript} transcript @param {string} id
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
	};
}

const { model, configuration, recordings, words, atOnce } = await taskFrom(stdin);
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
	const queue = [...recordings];
	const results = [];
	const before = process.cpuUsage();
	const start = performance.now();
	const client = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) {
			const file = wav(floatsIn(next.path));
			results.push(outcomeOf(await transcriber.transcribe(file, { language: 'en', words }), next.id));
		}
	};
	await Promise.all(Array.from({ length: atOnce }, client));
	const elapsed = (performance.now() - start) / 1000;
	const { user, system } = process.cpuUsage(before);
	const { encoder: encodes, decoder } = transcriber.info;
	await transcriber.close();
	stdout.write(
		`${JSON.stringify({ elapsed, processor: (user + system) / 1e6, encoder: encodes, decoder, results })}\n`,
	);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
