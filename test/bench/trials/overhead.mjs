/** What Earshot itself costs: HTTP, upload, the way to the host and back, decoding; with an engine that does nothing. */

import { join } from 'node:path';
import { root } from '../lib/peers.mjs';
import { crowd, inProcess, nullServer } from '../lib/servers.mjs';
import { median, percentile } from '../lib/statistics.mjs';

/** 2 s of 16 kHz and 16 bits: 64 KB. */
const clipSeconds = 2;

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function overhead({ rounds, seconds, report }) {
	const rates = [];
	const alone = [];
	const server = await nullServer();
	try {
		const asks = { url: server.url, fields: { response_format: 'json' }, clipSeconds };
		await crowd({ ...asks, clients: 8, requests: 200 });
		for (let round = 0; round < rounds; round++) {
			const many = await crowd({ ...asks, clients: 64, seconds: seconds / 2 });
			const one = await crowd({ ...asks, clients: 1, requests: 200 });
			const failed = many.failed + one.failed;
			if (failed > 0)
				throw new Error(`${failed} requests failed: ${[...many.failures, ...one.failures].join('; ')}`);
			rates.push(many.latencies.length / many.wallSeconds);
			alone.push(percentile(one.latencies, 0.5));
			report(`  ${rates.at(-1).toFixed(0)} requests/s, alone ${alone.at(-1).toFixed(1)} ms`);
		}
	} finally {
		await server.stop();
	}
	const digits = join(root, 'fixtures', 'demo-digits');
	const clip = {
		model: {
			type: 'zipformer_ctc',
			files: { model: join(digits, 'model.onnx'), tokens: join(digits, 'tokens.txt') },
		},
		seconds: 1,
		threads: 1,
		repeats: 100,
	};
	const here = median((await inProcess('lib/ours.mjs', clip)).times);
	const inRunner = median((await inProcess('lib/ours.mjs', { ...clip, isolated: true })).times);
	const model = 'no engine';
	return [
		{
			what: 'null engine, 64 KB wav uploads, 64 clients, requests per second',
			seen: median(rates).toFixed(0),
			value: median(rates),
			atLeast: 400,
			model,
		},
		{
			what: 'null engine, 64 KB wav uploads, 1 client, p50 in ms',
			seen: median(alone).toFixed(1),
			value: median(alone),
			atMost: 6,
			model,
		},
		{
			what: 'boundary: a 1 s clip by the library in a host against in this process',
			seen: `${inRunner.toFixed(2)} ms`,
			beside: `${here.toFixed(2)} ms`,
			ratio: inRunner / here,
			model: 'demo digits',
		},
	];
}
