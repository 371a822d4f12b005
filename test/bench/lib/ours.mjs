/**
 * Earshot as a library, in a process of its own: one clip several times over.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, stdin, stdout } from 'node:process';
import { createTranscriber } from '../../../dist/index.js';
import { modelDir, workplace } from './peers.mjs';
import { speech } from './speech.mjs';

/**
 * @typedef {object} Task
 * @property {object} model its entry of models.yaml
 * @property {number} seconds of the clip
 * @property {number} threads
 * @property {number} repeats
 * @property {boolean} [isolated] in a host
 * @property {Record<string, string>} [settings] EARSHOT_* variables
 */

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {Task} */
const { model, seconds, threads, repeats, isolated = false, settings = {} } = JSON.parse(line);
Object.assign(env, settings);
mkdirSync(workplace, { recursive: true });
const folder = mkdtempSync(join(workplace, 'library-'));
try {
	const config = join(folder, 'models.yaml');
	writeFileSync(config, JSON.stringify({ models: { measured: model } }));
	const measured = { model: 'measured', config, modelDir };
	const transcriber = await createTranscriber({ ...measured, numThreads: threads, isolated });
	const file = speech(seconds);
	const { text } = await transcriber.transcribe(file, { language: 'en' });
	const times = [];
	const before = process.cpuUsage();
	for (let repeat = 0; repeat < repeats; repeat++) {
		const start = performance.now();
		await transcriber.transcribe(file, { language: 'en' });
		times.push(performance.now() - start);
	}
	const { user, system } = process.cpuUsage(before);
	await transcriber.close();
	stdout.write(`${JSON.stringify({ times, processor: (user + system) / 1000 / repeats, text })}\n`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
