/** sherpa-onnx models of real shapes: Earshot over HTTP beside sherpa-onnx-node in process. */

import { availableParallelism } from 'node:os';
import { sherpaShape, shortHash } from '../lib/models.mjs';
import { crowd, earshot, inProcess } from '../lib/servers.mjs';
import { median } from '../lib/statistics.mjs';

/** @type {{ name: string, type: 'zipformer_ctc' | 'sense_voice', shape: Parameters<typeof sherpaShape>[0], int8: boolean }[]} */
const models = [
	{ name: 'Zipformer2-medium CTC int8', type: 'zipformer_ctc', shape: 'zipformer-medium', int8: true },
	{ name: 'SenseVoice-small int8', type: 'sense_voice', shape: 'sense-voice', int8: true },
	{
		name: 'CTC transformer, 12 layers of 512, f32',
		type: 'zipformer_ctc',
		shape: 'transformer',
		int8: false,
	},
];

/** Threads of the peer: its better choice counts. */
const peerThreads = [...new Set([availableParallelism(), 1])];

/** How many ask at once, and what the ratio is to be then. */
const crowds = [{ clients: 16, atLeast: 1.4 }, { clients: 1 }];

/**
 * @param {string} type @param {{ model: string, tokens: string }} files @param {number} seconds
 * @returns {Promise<number[]>} audio seconds per second of each crowd
 */
async function ours(type, files, seconds) {
	const server = await earshot({ shape: { type, files } });
	try {
		const asks = { url: server.url, fields: { model: 'shape', response_format: 'json' } };
		const speeds = [];
		for (const { clients } of crowds) {
			await crowd({ ...asks, clients, requests: clients });
			const seen = await crowd({ ...asks, clients, seconds });
			if (seen.failed > 0) throw new Error(`${seen.failed} requests failed: ${seen.failures.join('; ')}`);
			if (seen.odd.length > 0) throw new Error(`texts differ: ${seen.odd.join('; ')}`);
			speeds.push(seen.audioSeconds / seen.wallSeconds);
		}
		return speeds;
	} finally {
		await server.stop();
	}
}

/** @param {object} task @returns {Promise<number>} audio seconds per second */
async function peer(task) {
	const { audioSeconds, wallSeconds, texts } = await inProcess('lib/sherpa-node.mjs', task);
	if (texts.some((text) => text === '')) throw new Error('sherpa-onnx-node returned no text');
	return audioSeconds / wallSeconds;
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function sherpa({ rounds, seconds, report }) {
	const figures = [];
	for (const { name, type, shape, int8 } of models) {
		const files = sherpaShape(shape, { int8 });
		/** @type {number[][]} one list for each of crowds */
		const speeds = crowds.map(() => []);
		/** @type {number[][]} one list for each of peerThreads */
		const others = peerThreads.map(() => []);
		for (let round = 0; round < rounds; round++) {
			for (const [index, speed] of (await ours(type, files, seconds)).entries()) speeds[index].push(speed);
			for (const [index, threads] of peerThreads.entries())
				others[index].push(await peer({ type, ...files, threads, seconds }));
			const shown = [
				...crowds.map(
					({ clients }, index) => `earshot ${speeds[index][round].toFixed(1)} (${clients} clients)`,
				),
				...peerThreads.map(
					(threads, index) => `sherpa-onnx-node ${others[index][round].toFixed(1)} (${threads} threads)`,
				),
			];
			report(`  ${name}: ${shown.join(', ')} audio s/s`);
		}
		const best = others.reduce((a, b) => (median(b) > median(a) ? b : a));
		const threads = peerThreads[others.indexOf(best)];
		for (const [index, { clients, atLeast }] of crowds.entries()) {
			figures.push({
				what: `${name}, ${clients} clients, 3-11 s clips, audio s/s against sherpa-onnx-node one by one`,
				seen: median(speeds[index]).toFixed(1),
				beside: `${median(best).toFixed(1)} with ${threads} of ${peerThreads.join(' and ')} threads`,
				// Of the same round: the machine was the same for both.
				ratio: median(speeds[index].map((speed, round) => speed / best[round])),
				...(atLeast === undefined ? {} : { atLeast }),
				model: `${name}, ${shortHash(files.model)}`,
			});
		}
	}
	return figures;
}
