/** Whole servers beside each other: throughput, a long recording, latency. */

import { shortHash, whisperShape } from '../lib/models.mjs';
import { whisperPrograms } from '../lib/peers.mjs';
import { crowd, earshot, whisperServer } from '../lib/servers.mjs';
import { median, percentile } from '../lib/statistics.mjs';
import { plain, sized, turn } from '../lib/turn.mjs';

const ours = { ...plain, model: 'base' };

/** @param {string} model @param {Record<string, string | number>} [options] @param {string[]} [flags] */
const withModel = (model, options = {}, flags = []) =>
	earshot({ base: { type: 'whisper_cpp', files: { model }, options } }, flags);

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function throughput({ rounds, seconds, report }) {
	const file = whisperShape('base', 25);
	const model = `base shape, 25 tokens a window, f16, ${shortHash(file)}`;
	const { server: usual } = whisperPrograms('default');
	const { server: llamafile } = whisperPrograms('llamafile');
	const careful = 'whisper-server, llamafile, audio_ctx by the client';
	const sides = {
		earshot: (clients) => turn(() => withModel(file), { fields: ours, clients, seconds }),
		'earshot in 8 bits': (clients) =>
			turn(() => withModel(file, { encoder: 'int8', decoder_weights: 'q8_0' }), {
				fields: ours,
				clients,
				seconds,
			}),
		'whisper-server': (clients) =>
			turn(() => whisperServer(usual, file), { fields: plain, clients, seconds }),
		[careful]: (clients) =>
			turn(() => whisperServer(llamafile, file), { fields: plain, ...sized, clients, seconds }),
	};
	const targets = [
		{ side: 'earshot', peer: 'whisper-server', atLeast: 15 },
		{ side: 'earshot', peer: careful, atLeast: 3 },
		{ side: 'earshot in 8 bits', peer: 'whisper-server', atLeast: 25 },
	];
	const figures = [];
	for (const clients of [1, 8, 32]) {
		/** @type {Record<string, number[]>} */
		const speeds = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
		for (let round = 0; round < rounds; round++) {
			for (const [name, run] of Object.entries(sides)) {
				const { audioSeconds, wallSeconds } = await run(clients);
				speeds[name].push(audioSeconds / wallSeconds);
				report(`  ${clients} clients, ${name}: ${(audioSeconds / wallSeconds).toFixed(1)} audio s/s`);
			}
		}
		for (const { side, peer, atLeast } of targets) {
			// Of the same round: the machine was the same for both.
			const ratio = median(speeds[side].map((speed, round) => speed / speeds[peer][round]));
			figures.push({
				what: `${clients} clients, 3-11 s clips, ${side}, audio s/s against ${peer}`,
				seen: median(speeds[side]).toFixed(1),
				beside: median(speeds[peer]).toFixed(1),
				ratio,
				...(clients === 8 ? { atLeast } : {}),
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
export async function longFile({ rounds, report }) {
	const file = whisperShape('base', 75);
	const { server: usual } = whisperPrograms('default');
	const asks = { clients: 1, requests: 1, clipSeconds: 600 };
	/** @type {number[][]} */
	const times = [[], []];
	for (let round = 0; round < Math.min(rounds, 2); round++) {
		const sides = [
			await turn(() => withModel(file), { ...asks, fields: ours }),
			await turn(() => whisperServer(usual, file), { ...asks, fields: plain }),
		];
		for (const [side, { wallSeconds }] of sides.entries()) times[side].push(wallSeconds);
		report(`  10 minutes: ${sides.map(({ wallSeconds }) => wallSeconds.toFixed(1)).join(' s beside ')} s`);
	}
	return [
		{
			what: 'one 10-minute recording, speed against whisper-server',
			seen: `${median(times[0]).toFixed(1)} s`,
			beside: `${median(times[1]).toFixed(1)} s`,
			ratio: median(times[1].map((time, round) => time / times[0][round])),
			atLeast: 1.8,
			model: `base shape, 75 tokens a window, f16, ${shortHash(file)}`,
		},
	];
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function latency({ report }) {
	const file = whisperShape('base', 25);
	const server = await withModel(file);
	try {
		const asks = { url: server.url, fields: ours, clipSeconds: 3, clients: 1 };
		await crowd({ ...asks, requests: 3 });
		const idle = await crowd({ ...asks, requests: 40 });
		let done = false;
		const long = crowd({ ...asks, clipSeconds: 600, requests: 1 }).finally(() => {
			done = true;
		});
		/** @type {number[]} */
		const busy = [];
		while (!done && busy.length < 200) busy.push(...(await crowd({ ...asks, requests: 5 })).latencies);
		await long;
		const both = (latencies) =>
			`p50 ${percentile(latencies, 0.5).toFixed(0)} ms, p95 ${percentile(latencies, 0.95).toFixed(0)} ms`;
		report(`  ${idle.latencies.length} alone, ${busy.length} beside the recording`);
		return [
			{
				what: '3 s clips while a 10-minute recording runs, p95 against idle',
				seen: both(busy),
				beside: both(idle.latencies),
				ratio: percentile(busy, 0.95) / percentile(idle.latencies, 0.95),
				atMost: 2.5,
				model: `base shape, 25 tokens a window, f16, ${shortHash(file)}`,
			},
		];
	} finally {
		await server.stop();
	}
}
