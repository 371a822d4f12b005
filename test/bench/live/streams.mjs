/**
 * Live streams of one streaming model, in a process of its own: what they cost, and how late they are heard.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { stdin, stdout } from 'node:process';
import { floatsOf, speech } from '../lib/speech.mjs';
import { percentile } from '../lib/statistics.mjs';

/**
 * @typedef {object} Task
 * @property {string} type
 * @property {Record<string, string>} files
 * @property {number} batch most streams decoded at once; 1 = one by one
 * @property {number} streams
 * @property {number} seconds of audio of each
 * @property {number} [slots]
 * @property {boolean} realTime whether they speak as fast as people do, or as fast as they are heard
 *
 * @typedef {object} Cost
 * @property {number} processorSeconds for each second of audio
 * @property {number} lagMs p95, from when a piece of audio was there to when it was heard
 * @property {number} driftMs how much more that is in the last third of the time than in the first
 * @property {number} texts how many different ones: all hear the same
 */

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {Task} */
const { type, files, batch, streams, seconds, realTime, slots = 1 } = JSON.parse(line);
const { loadSherpa } = await import('../../../dist/engines/sherpa/sherpa.js');
const { findSherpaLibrary } = await import('../../../dist/addon/libraries.js');

const pieceSeconds = realTime ? 0.1 : 0.32;
const piece = Math.round(pieceSeconds * 16_000);
const options = {
	...{ task: 'transcribe', language: null, prompt: '', keywords: [] },
	...{ temperature: 0, words: false, logprobs: false },
};
const settings = { id: 'shape', type, files, options: { batch }, languages: null, slots };
const engine = await loadSherpa({ ...settings, libraryDir: findSherpaLibrary(undefined) });
const samples = floatsOf(speech(seconds));
const pieces = Math.floor(samples.length / piece);
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One who speaks: what has come while the engine was at work is fed at once. */
async function speak(/** @type {number} */ index, /** @type {{ piece: number, lagMs: number }[]} */ lags) {
	const stream = engine.stream(options);
	const startMs = performance.now() + (realTime ? (index * 1000 * pieceSeconds) / streams : 0);
	const dueMs = (/** @type {number} */ of) => startMs + (of + 1) * 1000 * pieceSeconds;
	const said = [];
	for (let next = 0; next < pieces; ) {
		let end = next + 1;
		if (realTime) {
			await sleep(Math.max(0, dueMs(next) - performance.now()));
			while (end < pieces && dueMs(end) <= performance.now()) end++;
		}
		const { ended, result, endpoint } = await stream.feed(
			samples.slice(next * piece, end * piece),
			end === pieces,
		);
		for (const { segments } of endpoint ? [...ended, result] : ended)
			said.push(segments.map(({ text }) => text).join(''));
		for (; next < end; next++) lags.push({ piece: next, lagMs: performance.now() - dueMs(next) });
	}
	await stream.close();
	return said.join('');
}

// The model's pages are in memory.
{
	const stream = engine.stream(options);
	await stream.feed(samples.slice(0, 32_000), true);
	await stream.close();
}
/** @type {{ piece: number, lagMs: number }[]} */
const lags = [];
const before = process.cpuUsage();
const texts = await Promise.all(Array.from({ length: streams }, (_, index) => speak(index, lags)));
const { user, system } = process.cpuUsage(before);
await engine.close();
const lateIn = (/** @type {(piece: number) => boolean} */ isMeant) =>
	percentile(
		lags.filter(({ piece: at }) => isMeant(at)).map(({ lagMs }) => lagMs),
		0.95,
	);
const cost = {
	processorSeconds: (user + system) / 1e6 / streams / seconds,
	lagMs: percentile(
		lags.map(({ lagMs }) => lagMs),
		0.95,
	),
	driftMs: lateIn((at) => at >= pieces * (2 / 3)) - lateIn((at) => at < pieces / 3),
	texts: new Set(texts).size,
};
stdout.write(`${JSON.stringify(cost)}\n`);
