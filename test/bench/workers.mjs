/**
 * One long recording as a job: by one process, by one worker, and by several workers that share the cores of this machine.
 * Starts Redis (redis-server or valkey-server of the system), a gateway and the workers, prints how long each took and how
 * much of the processors, and whether the transcripts are equal.
 *
 *   npm run bench:workers
 *   … --file FILE       any recording; else recordings of people, one after another, again from the first
 *   … --minutes 54      how long that is
 *   … --model FILE      a ggml file of Whisper; else tiny.en
 *   … --workers 4       on as many cores as there are, with one thread each
 *   … --rounds 1        how often the sides take turns; medians count
 *
 * Takes a quiet machine. Not a test: figures are shown. Ends with 1 where transcripts differ.
 */

import { openAsBlob } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { exit, stdout } from 'node:process';
import { flagsOf, wholeFrom } from '../helpers/flags.mjs';
import { oneProcess, workers } from './cluster/processes.mjs';
import { machine } from './lib/machine.mjs';
import { modelFile, shortHash } from './lib/models.mjs';
import { realLongFile } from './lib/real-speech.mjs';
import { median } from './lib/statistics.mjs';

const { values } = flagsOf(import.meta.url, {
	options: {
		file: { type: 'string' },
		minutes: { type: 'string', default: '54' },
		model: { type: 'string' },
		workers: { type: 'string', default: '4' },
		rounds: { type: 'string', default: '1' },
	},
});
const count = wholeFrom('workers', values.workers, 1);
const rounds = wholeFrom('rounds', values.rounds, 1);
const minutes = wholeFrom('minutes', values.minutes, 1);
const model = modelFile(values.model);
const cores = availableParallelism();

/**
 * @typedef {object} Turn
 * @property {number} wall seconds from the post until the job is completed
 * @property {number} cpu seconds of all processes in that time
 * @property {number} audio seconds
 * @property {string} text
 * @property {string} segments with all their fields
 */

/** @param {Response} response */
async function body(response) {
	const text = await response.text();
	if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
	return text;
}

/** @param {() => Promise<import('./cluster/processes.mjs').Group>} started @param {string} file @returns {Promise<Turn>} */
async function turn(started, file) {
	const group = await started();
	try {
		const form = new FormData();
		form.set('file', await openAsBlob(file), basename(file));
		form.set('background', 'true');
		form.set('model', 'speech');
		const from = { ms: performance.now(), cpu: group.cpuSeconds() };
		const jobs = `${group.base}/v1/transcription_jobs`;
		const posted = await fetch(`${group.base}/v1/audio/transcriptions`, { method: 'POST', body: form });
		let job = JSON.parse(await body(posted));
		while (['queued', 'in_progress'].includes(job.status))
			job = JSON.parse(await body(await fetch(`${jobs}/${job.id}?wait=60`)));
		const [wall, cpu] = [(performance.now() - from.ms) / 1000, group.cpuSeconds() - from.cpu];
		if (job.status !== 'completed') throw new Error(`the job is ${job.status}: ${JSON.stringify(job.error)}`);
		const result = await fetch(`${jobs}/${job.id}/result?response_format=verbose_json`);
		const { text, segments } = JSON.parse(await body(result));
		return { wall, cpu, audio: job.duration_seconds, text, segments: JSON.stringify(segments) };
	} finally {
		await group.stop();
	}
}

const material = values.file
	? { file: values.file, name: basename(values.file) }
	: await realLongFile(minutes * 60).then(({ files, name }) => ({ file: files[0], name }));
const { processor, memoryGiB, system, node, commit, loadBefore } = machine();
stdout.write(
	`${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}, load ${loadBefore.toFixed(2)}\n`,
);
stdout.write(`model ${basename(model)} ${shortHash(model)}; speech: ${material.name}\n`);

const sides = {
	process: { name: `one process, ${cores} threads`, start: () => oneProcess(model, cores) },
	one: { name: 'one worker, 1 thread', start: () => workers(model, 1, 1) },
	many: { name: `${count} workers, 1 thread each`, start: () => workers(model, count, 1) },
};
/** @type {Record<string, Turn[]>} */
const seen = { process: [], one: [], many: [] };
for (let round = 0; round < rounds; round++) {
	for (const [side, { name, start }] of Object.entries(sides)) {
		const took = await turn(start, material.file);
		seen[side].push(took);
		const pace = (took.audio / took.wall).toFixed(1);
		stdout.write(
			`  ${name}: ${took.wall.toFixed(1)} s for ${took.audio.toFixed(0)} s of audio (${pace} times real time), ${took.cpu.toFixed(1)} s of processors\n`,
		);
	}
}

const between = (one, other, of) => median(seen[one].map((took, round) => took[of] / seen[other][round][of]));
const faster = between('one', 'many', 'wall');
const dearer = between('many', 'process', 'cpu');
const verdict = (met) => (met ? 'met' : 'MISSED');
stdout.write(
	`${count} workers are ${faster.toFixed(2)} times as fast as one | ${verdict(faster >= 1.7)}: at least 1.7\n`,
);
stdout.write(
	`they take ${dearer.toFixed(3)} times the processor time of one process | ${verdict(dearer <= 1.05)}: at most 1.05\n`,
);
const all = Object.values(seen).flat();
const isEqual = (of) => new Set(all.map((took) => took[of])).size === 1;
stdout.write(
	`texts are ${isEqual('text') ? 'equal' : 'NOT EQUAL'} (${all[0].text.length} characters), and so ${isEqual('segments') ? 'is' : 'is NOT'} all else of segments\n`,
);
exit(isEqual('text') ? 0 : 1);
