/** Live sessions of a model that hears whole turns: how many at once a machine holds. */

import { availableParallelism } from 'node:os';
import { realWhisper, shortHash } from '../lib/models.mjs';
import { realSentences } from '../lib/real-speech.mjs';
import { earshot } from '../lib/servers.mjs';
import { percentile } from '../lib/statistics.mjs';
import { finalMsOf, speaker } from '../live/senders.mjs';

/** Audio of which the model has taken in 95 of 100 pieces within this time keeps up. */
const maxLagSeconds = 0.5;

/** How many speak at once, until they are too many. */
const crowds = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64];

/** Share of the pieces of audio that were taken in within `maxLagSeconds`, of all so far. */
async function inTime(base) {
	const text = await (await fetch(`${base}/metrics`)).text();
	const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
	return {
		all: number(/^earshot_live_lag_seconds_count\{.*\} (\d+)$/m),
		soon: number(/^earshot_live_lag_seconds_bucket\{le="0.5",.*\} (\d+)$/m),
	};
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveTurns({ seconds, report }) {
	const path = realWhisper();
	const model = `whisper-tiny.en ${shortHash(path)}`;
	const pcm = await realSentences();
	const server = await earshot({ tiny: { type: 'whisper_cpp', files: { model: path } } }, [
		'--max-live-sessions',
		'1000',
	]);
	const figures = [];
	let most = 0;
	try {
		// The model is loaded, and its pages are in memory.
		await speaker(server.base, pcm, 5);
		for (const count of crowds) {
			const before = await inTime(server.base);
			const heard = await Promise.all(
				Array.from({ length: count }, (_, index) =>
					speaker(server.base, pcm, seconds, { offset: 2 * Math.floor((index * pcm.length) / count / 2) }),
				),
			);
			const after = await inTime(server.base);
			const share = (after.soon - before.soon) / Math.max(1, after.all - before.all);
			const finals = heard.flatMap(finalMsOf);
			const failed = heard.reduce((sum, each) => sum + each.failed, 0);
			const [middle, late] = [0.5, 0.95].map((part) => percentile(finals, part));
			const seen = `${finals.length} turns, text ${middle.toFixed(0)} ms after the silence, p95 ${late.toFixed(0)} ms; ${(100 * share).toFixed(1)} % of the audio taken in within ${maxLagSeconds} s; ${failed} failed`;
			report(`  ${count} sessions: ${seen}`);
			const holds = share >= 0.95 && failed === 0 && late <= 1000 * maxLagSeconds;
			if (!holds) break;
			most = count;
		}
	} finally {
		await server.stop();
	}
	figures.push({
		what: `sessions at once that keep up, per core (${availableParallelism()} cores)`,
		seen: `${most} sessions`,
		value: most / availableParallelism(),
		model,
	});
	return figures;
}
