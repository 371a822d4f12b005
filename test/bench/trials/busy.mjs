/** A machine that does something else as well: dictations beside as many endless loops as there are cores. */

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { execPath } from 'node:process';
import { realWhisper, shortHash } from '../lib/models.mjs';
import { whisperPrograms } from '../lib/peers.mjs';
import { realClips } from '../lib/real-speech.mjs';
import { crowd, earshot, whisperServer } from '../lib/servers.mjs';
import { median, percentile } from '../lib/statistics.mjs';
import { counted, plain } from '../lib/turn.mjs';

const clipSeconds = 7;
const clipCount = 16;

/** @returns {() => Promise<void>} ends them */
function endlessLoops() {
	const loops = Array.from({ length: availableParallelism() }, () =>
		spawn(execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
	);
	return async () => {
		await Promise.all(
			loops.map((loop) => {
				const ended = new Promise((resolve) => loop.once('exit', resolve));
				loop.kill('SIGKILL');
				return ended;
			}),
		);
	};
}

/**
 * One client, one clip after another.
 * @param {import('../lib/servers.mjs').Server} server @param {string[]} clipFiles @param {Record<string, string>} fields
 * @returns {Promise<{ calm: number[], busy: number[] }>} milliseconds of each clip
 */
async function waited({ url }, clipFiles, fields) {
	const asks = { url, fields: { ...plain, ...fields }, clients: 1, requests: clipCount, clipFiles };
	await crowd({ ...asks, requests: 2 });
	const calm = counted(await crowd(asks)).latencies;
	const end = endlessLoops();
	try {
		return { calm, busy: counted(await crowd(asks)).latencies };
	} finally {
		await end();
	}
}

const shown = (/** @type {number[]} */ ms) =>
	`p50 ${median(ms).toFixed(0)} ms, p95 ${percentile(ms, 0.95).toFixed(0)} ms`;

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function busyMachine({ rounds, report }) {
	const path = realWhisper();
	const model = `whisper-tiny.en ${shortHash(path)}`;
	const { files } = await realClips(clipSeconds, clipCount);
	const program = whisperPrograms('default').server;
	/** @type {Record<string, { start: () => Promise<import('../lib/servers.mjs').Server>, fields: Record<string, string> }>} */
	const sides = {
		earshot: {
			start: () => earshot({ tiny: { type: 'whisper_cpp', files: { model: path } } }),
			fields: { model: 'tiny' },
		},
		'whisper-server': { start: () => whisperServer(program, path), fields: {} },
	};
	/** @type {Record<string, { calm: number[], busy: number[] }>} */
	const seen = Object.fromEntries(Object.keys(sides).map((name) => [name, { calm: [], busy: [] }]));
	for (let round = 0; round < rounds; round++) {
		for (const [name, { start, fields }] of Object.entries(sides)) {
			const server = await start();
			try {
				const { calm, busy } = await waited(server, files, fields);
				report(`  ${name}: ${shown(calm)}; beside loops ${shown(busy)}`);
				seen[name].calm.push(...calm);
				seen[name].busy.push(...busy);
			} finally {
				await server.stop();
			}
		}
	}
	const { earshot: ours, 'whisper-server': theirs } = seen;
	return [
		{
			what: `dictations of ${clipSeconds} s beside as many endless loops as cores, against a calm machine`,
			seen: shown(ours.busy),
			beside: `${shown(ours.calm)} calm`,
			ratio: median(ours.busy) / median(ours.calm),
			atMost: 4,
			model,
		},
		{
			what: 'the same of whisper-server',
			seen: shown(theirs.busy),
			beside: `${shown(theirs.calm)} calm`,
			ratio: median(theirs.busy) / median(theirs.calm),
			model,
		},
	];
}
