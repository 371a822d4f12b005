/** A live session whose client sends a hundred times faster than people speak: what it adds to the memory. */

import { realWhisper, shortHash } from '../lib/models.mjs';
import { realSentences } from '../lib/real-speech.mjs';
import { crowd, earshot, residentMegabytes, residentMegabytesOf } from '../lib/servers.mjs';
import { speaker } from '../live/senders.mjs';

const speed = 100;
/** MiB that one such session may add. */
const allowed = 20;

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveFlood({ rounds, seconds, report }) {
	const tiny = realWhisper();
	const server = await earshot({ tiny: { type: 'whisper_cpp', files: { model: tiny } } });
	const resident = () => residentMegabytesOf(server.pid);
	try {
		const pcm = await realSentences();
		// A server in use: before, V8's young generation still grows to its size.
		await crowd({ url: server.url, fields: { response_format: 'json' }, clients: 8, requests: 400 });
		await speaker(server.base, pcm, 10);
		const added = [];
		for (let round = 0; round < rounds; round++) {
			const before = resident();
			let most = before;
			const sampling = setInterval(() => {
				most = Math.max(most, resident());
			}, 20);
			const isOver = performance.now() + (seconds / 2) * 1000;
			await speaker(server.base, pcm, (seconds / 2) * speed, {
				speed,
				isOver: () => performance.now() > isOver,
			});
			clearInterval(sampling);
			added.push(most - before);
			const all = residentMegabytes(server.pid);
			report(
				`  server ${before.toFixed(0)} MiB, and ${(most - before).toFixed(0)} more; with its runner ${all.toFixed(0)}`,
			);
		}
		return [
			{
				what: `a client that sends at ${speed} times real time, MiB added to the server's process`,
				seen: added.map((each) => each.toFixed(0)).join(', '),
				value: Math.max(...added),
				atMost: allowed,
				model: `whisper-tiny.en ${shortHash(tiny)}`,
			},
		];
	} finally {
		await server.stop();
	}
}
