/** What a server is after a long day: its memory, what is lost when an engine dies, and who goes at once. */

import { join } from 'node:path';
import { kill } from 'node:process';
import { shortHash, whisperShape } from '../lib/models.mjs';
import { root } from '../lib/peers.mjs';
import { crowd, earshot, inProcess, processTree, residentMegabytes } from '../lib/servers.mjs';

const digits = join(root, 'fixtures', 'demo-digits');

/** The bundled model and a Whisper of the smallest shape: both engines, both hosts. */
const both = () => ({
	digits: {
		type: 'zipformer_ctc',
		files: { model: join(digits, 'model.onnx'), tokens: join(digits, 'tokens.txt') },
	},
	tiny: { type: 'whisper_cpp', files: { model: whisperShape('tiny', 25) } },
});
const models = () =>
	`demo digits and tiny shape, 25 tokens a window, f16, ${shortHash(whisperShape('tiny', 25))}`;

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function memory({ report }) {
	const server = await earshot(both());
	try {
		const kinds = [
			{ model: 'digits', response_format: 'json' },
			{ model: 'digits', response_format: 'verbose_json', 'timestamp_granularities[]': 'word' },
			{ model: 'digits', response_format: 'srt' },
			{ model: 'digits', stream: 'true' },
			{ model: 'tiny', response_format: 'text' },
		];
		const some = async (requests) => {
			for (const fields of kinds) {
				const share = requests / kinds.length;
				const { failed, failures } = await crowd({ url: server.url, fields, clients: 8, requests: share });
				if (failed > 0) throw new Error(`${failed} requests failed: ${failures.join('; ')}`);
			}
			return residentMegabytes(server.pid);
		};
		const early = await some(200);
		report(`  after 200: ${early.toFixed(0)} MiB`);
		const late = await some(1800);
		return [
			{
				what: 'resident memory after 2,000 mixed requests against after 200, server and hosts',
				seen: `${late.toFixed(0)} MiB`,
				beside: `${early.toFixed(0)} MiB`,
				ratio: late / early,
				atMost: 1.1,
				model: models(),
			},
		];
	} finally {
		await server.stop();
	}
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function survival({ seconds, report }) {
	const server = await earshot({ tiny: both().tiny });
	try {
		const asks = { url: server.url, fields: { model: 'tiny', response_format: 'json' }, clients: 8 };
		await crowd({ ...asks, requests: 8 });
		const asking = crowd({ ...asks, seconds });
		const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
		let kills = 0;
		let ended = false;
		void asking.finally(() => {
			ended = true;
		});
		while (!ended && kills < 2) {
			await pause((seconds * 1000) / 3);
			const [host] = processTree(server.pid).slice(1);
			if (host === undefined) continue;
			kill(host, 'SIGKILL');
			kills++;
		}
		const { failed, failures, latencies, odd } = await asking;
		report(`  ${latencies.length} answered, ${kills} kills; ${failures.join('; ')}`);
		return [
			{
				what: `requests lost of ${latencies.length + failed} under 8 clients, the host killed ${kills} times`,
				seen: `${failed} lost, ${odd.length} answered otherwise than before`,
				value: failed + odd.length,
				atMost: 0,
				model: models(),
			},
		];
	} finally {
		await server.stop();
	}
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function cancelling({ rounds, report }) {
	const path = whisperShape('base', 25);
	const { times, wholeMs } = await inProcess('cancelled.mjs', {
		path,
		seconds: [7, 9, 11, 10],
		audioContext: 688,
		tries: 12 * rounds,
	});
	const inOrder = times.toSorted((a, b) => a - b).map((time) => time.toFixed(0));
	report(`  a batch takes ${wholeMs.toFixed(0)} ms; gone after ${inOrder.join(', ')} ms`);
	return [
		{
			what: `milliseconds until a cancelled clip has left its batch of four, the longest of ${times.length} tries`,
			seen: `${inOrder.at(-1)} ms`,
			value: Math.max(...times),
			atMost: 200,
			model: `base shape, 25 tokens a window, f16, ${shortHash(path)}`,
		},
	];
}
