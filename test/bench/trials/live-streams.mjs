/** Live streams of a streaming model decoded together, beside the same decoded one by one. */

import { env } from 'node:process';
import { sherpaShape, shortHash } from '../lib/models.mjs';
import { inProcess } from '../lib/servers.mjs';
import { median } from '../lib/statistics.mjs';

/** @type {{ name: string, shape: Parameters<typeof sherpaShape>[0] }[]} */
const models = [
	{ name: 'streaming Zipformer2-medium CTC, f32', shape: 'streaming-zipformer-medium' },
	{ name: 'streaming Zipformer2-small CTC, f32', shape: 'streaming-zipformer-small' },
];
const type = 'streaming_zipformer_ctc';

/** Streams that always have audio, and what the ratio is to be then. */
const crowds = [{ streams: 8, atLeast: 1.5 }, { streams: 2 }, { streams: 1, atLeast: 0.95 }];

/** How many speak at once in real time, until they are heard too late on one thread. */
const speakers = [1, 2, 4, 6, 8, 12, 16, 24, 32];
const maxLagMs = 500;
/** Beyond it, what waits grows. */
const maxDriftMs = 50;

/** @typedef {import('../live/streams.mjs').Cost} Cost */

/** @param {object} task @returns {Promise<Cost>} */
async function cost(task) {
	// Node's loader uses the pool, so that its size must be there when the process starts. One thread decodes: otherwise
	// streams that are decoded one by one would take as many as there are.
	const found = await inProcess('live/streams.mjs', task, { ...env, UV_THREADPOOL_SIZE: '1' });
	if (found.texts !== 1) throw new Error(`${found.texts} different texts of the same audio`);
	return found;
}

/** @param {object} task @param {(line: string) => void} report @returns {Promise<number>} most that keep up */
async function mostOf(task, report) {
	let most = 0;
	for (const streams of speakers) {
		const { lagMs, driftMs, processorSeconds } = await cost({ ...task, streams, realTime: true });
		const busy = (100 * processorSeconds * streams).toFixed(0);
		report(
			`  ${streams} in real time: p95 lag ${lagMs.toFixed(0)} ms, ${driftMs.toFixed(0)} ms more at the end than at the start, ${busy} % of a processor`,
		);
		if (lagMs > maxLagMs || driftMs > maxDriftMs) break;
		most = streams;
	}
	return most;
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveBatches({ rounds, seconds, report }) {
	const figures = [];
	for (const { name, shape } of models) {
		const files = sherpaShape(shape);
		const model = `${name}, ${shortHash(files.model)}`;
		for (const { streams, atLeast } of crowds) {
			const task = { type, files, streams, seconds, realTime: false };
			/** @type {{ together: number[], alone: number[] }} */
			const spent = { together: [], alone: [] };
			for (let round = 0; round < rounds; round++) {
				spent.together.push((await cost({ ...task, batch: 8 })).processorSeconds);
				spent.alone.push((await cost({ ...task, batch: 1 })).processorSeconds);
			}
			const [together, alone] = [spent.together, spent.alone].map((each) => 1000 * median(each));
			report(
				`  ${name}, ${streams} streams: ${together.toFixed(1)} ms a second, ${alone.toFixed(1)} one by one`,
			);
			figures.push({
				what: `${name}, ${streams} live streams, processor ms per second of audio`,
				seen: together.toFixed(1),
				beside: `${alone.toFixed(1)} one by one`,
				// Of the same round: the machine was the same for both.
				ratio: median(spent.alone.map((each, round) => each / spent.together[round])),
				...(atLeast === undefined ? {} : { atLeast }),
				model,
			});
		}
	}
	return figures;
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveStreams({ seconds, report }) {
	const [{ name, shape }] = models;
	const files = sherpaShape(shape);
	const most = await mostOf({ type, files, seconds, batch: 8 }, report);
	const beside = await mostOf({ type, files, seconds, batch: 1 }, report);
	return [
		{
			what: `${name}, live streams in real time on one thread, p95 lag of at most ${maxLagMs} ms`,
			seen: `${most}`,
			beside: `${beside} one by one`,
			ratio: most / beside,
			atLeast: 1.5,
			model: `${name}, ${shortHash(files.model)}`,
		},
	];
}
