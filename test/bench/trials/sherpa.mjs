/** A sherpa-onnx model of a real one's size: Earshot over HTTP beside sherpa-onnx-node in process. */

import { availableParallelism } from 'node:os';
import { ctcShape, shortHash } from '../models.mjs';
import { crowd, earshot, inProcess } from '../servers.mjs';
import { median } from '../statistics.mjs';

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function sherpa({ rounds, seconds, tell }) {
	const files = ctcShape();
	const ours = [];
	const peers = [];
	for (let round = 0; round < rounds; round++) {
		const server = await earshot({ shape: { type: 'zipformer_ctc', files } });
		try {
			const asks = { url: server.url, fields: { model: 'shape', response_format: 'json' }, clients: 16 };
			await crowd({ ...asks, requests: 16 });
			const seen = await crowd({ ...asks, seconds });
			if (seen.failed > 0) throw new Error(`${seen.failed} requests failed: ${seen.failures.join('; ')}`);
			if (seen.odd.length > 0) throw new Error(`texts differ: ${seen.odd.join('; ')}`);
			ours.push(seen.audioSeconds / seen.wallSeconds);
		} finally {
			await server.stop();
		}
		const beside = await inProcess('sherpa-node.mjs', {
			...files,
			threads: availableParallelism(),
			seconds,
		});
		if (beside.texts.some((text) => text === '')) throw new Error('sherpa-onnx-node heard nothing');
		peers.push(beside.audioSeconds / beside.wallSeconds);
		tell(`  earshot ${ours.at(-1).toFixed(1)}, sherpa-onnx-node ${peers.at(-1).toFixed(1)} audio s/s`);
	}
	return [
		{
			what: 'CTC transformer, 16 clients, 3-11 s clips, audio s/s against sherpa-onnx-node one by one',
			seen: median(ours).toFixed(1),
			beside: median(peers).toFixed(1),
			ratio: median(ours.map((speed, round) => speed / peers[round])),
			atLeast: 1.4,
			model: `CTC transformer, 12 layers of 512, f32, ${shortHash(files.model)}`,
		},
	];
}
