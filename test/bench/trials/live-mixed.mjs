/** Live sessions, dictations and a recording of an hour beside each other: what each leaves to the others. */

import { availableParallelism } from 'node:os';
import { realWhisper, shortHash } from '../lib/models.mjs';
import { realClips, realLongFile, realSentences } from '../lib/real-speech.mjs';
import { crowd, earshot } from '../lib/servers.mjs';
import { percentile } from '../lib/statistics.mjs';
import { counted, plain } from '../lib/turn.mjs';
import { finalMsOf, speaker } from '../live/senders.mjs';

const sessions = 2 * availableParallelism();
const fields = { ...plain, model: 'tiny' };

/** @param {number[]} values */
const late = (values) => percentile(values, 0.95);

/**
 * Sessions that speak until they are told to stop.
 * @param {string} base @param {Buffer} pcm @param {number} count
 * @returns {() => Promise<number[]>} stops them; how long their texts took after the silence, milliseconds
 */
function speakers(base, pcm, count) {
	let isOver = false;
	const speaking = Promise.all(
		Array.from({ length: count }, (_, index) =>
			speaker(base, pcm, 3600, {
				offset: 2 * Math.floor((index * pcm.length) / count / 2),
				isOver: () => isOver,
			}),
		),
	);
	// Whoever stops them is told.
	speaking.catch(() => {});
	return async () => {
		isOver = true;
		const heard = await speaking;
		const failed = heard.reduce((sum, each) => sum + each.failed, 0);
		if (failed > 0) throw new Error(`${failed} turns of live sessions failed`);
		return heard.flatMap(finalMsOf);
	};
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveMixed({ seconds, report }) {
	const path = realWhisper();
	const model = `whisper-tiny.en ${shortHash(path)}`;
	const pcm = await realSentences();
	const clips = await realClips(4, 20);
	const upload = await realLongFile(Math.min(3600, 180 * seconds));
	const server = await earshot({ tiny: { type: 'whisper_cpp', files: { model: path } } }, [
		'--max-live-sessions',
		'1000',
	]);
	const { base, url } = server;

	/** Dictations one after another for so long, or while the recording is transcribed. */
	async function dictated(until) {
		/** @type {number[]} */
		const latencies = [];
		for (const startedMs = performance.now(); !until(performance.now() - startedMs); ) {
			const asks = { url, fields, clients: 1, clipFiles: clips.files };
			latencies.push(...counted(await crowd({ ...asks, seconds: Math.min(5, seconds) })).latencies);
		}
		return latencies;
	}
	const forSeconds = (/** @type {number} */ ms) => ms >= 1000 * seconds;

	/** @param {boolean} withDictations */
	async function uploaded(withDictations) {
		let isDone = false;
		const work = crowd({ url, fields, clients: 1, requests: 1, clipFiles: upload.files }).finally(() => {
			isDone = true;
		});
		const latencies = withDictations ? await dictated(() => isDone) : [];
		const { audioSeconds, wallSeconds } = counted(await work);
		return { speed: audioSeconds / wallSeconds, latencies };
	}

	try {
		await crowd({ url, fields, clients: 1, requests: 2, clipFiles: clips.files });
		const dictation = { alone: await dictated(forSeconds) };
		report(`  dictations alone: p95 ${late(dictation.alone).toFixed(0)} ms`);
		const lone = await uploaded(false);
		report(`  recording alone: ${lone.speed.toFixed(1)} audio s/s`);
		const pair = await uploaded(true);
		report(
			`  recording and dictations: ${pair.speed.toFixed(1)} audio s/s, p95 ${late(pair.latencies).toFixed(0)} ms`,
		);
		let stop = speakers(base, pcm, 1);
		const besideOne = await dictated(forSeconds);
		await stop();
		report(`  one live session and dictations: p95 ${late(besideOne).toFixed(0)} ms`);
		stop = speakers(base, pcm, 1);
		const uploadBesideOne = await uploaded(false);
		await stop();
		report(`  one live session and the recording: ${uploadBesideOne.speed.toFixed(1)} audio s/s`);
		stop = speakers(base, pcm, sessions);
		await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
		const live = { alone: await stop() };
		report(`  ${sessions} live sessions alone: p95 ${late(live.alone).toFixed(0)} ms`);
		stop = speakers(base, pcm, sessions);
		const beside = await dictated(forSeconds);
		const withDictations = await stop();
		report(
			`  ${sessions} live sessions and dictations: p95 ${late(withDictations).toFixed(0)} ms, ${late(beside).toFixed(0)} ms`,
		);
		stop = speakers(base, pcm, sessions);
		const all = await uploaded(true);
		const withAll = await stop();
		report(
			`  all: recording ${all.speed.toFixed(1)} audio s/s, dictations p95 ${late(all.latencies).toFixed(0)} ms, live p95 ${late(withAll).toFixed(0)} ms`,
		);
		const shown = (/** @type {number[]} */ values) => `p95 ${late(values).toFixed(0)} ms`;
		/** @type {(what: string, seen: number[], alone: number[], atMost?: number) => import('../bench.mjs').Figure} */
		const slower = (what, seen, alone, atMost) => ({
			what,
			seen: shown(seen),
			beside: shown(alone),
			ratio: late(seen) / late(alone),
			...(atMost === undefined ? {} : { atMost }),
			model,
		});
		const live4 = `${sessions} live sessions`;
		return [
			slower('dictations beside one live session, against alone', besideOne, dictation.alone, 1.25),
			{
				what: 'the recording beside one live session, against alone',
				seen: `${uploadBesideOne.speed.toFixed(1)} audio s/s`,
				beside: `${lone.speed.toFixed(1)} audio s/s`,
				ratio: uploadBesideOne.speed / lone.speed,
				atLeast: 0.25,
				model,
			},
			slower(`dictations beside ${live4}, against alone`, beside, dictation.alone),
			slower(
				`dictations beside ${live4} and the recording, against the recording`,
				all.latencies,
				pair.latencies,
				1.25,
			),
			slower('dictations beside the recording, against alone', pair.latencies, dictation.alone),
			{
				what: `the recording beside ${live4} and dictations, against alone`,
				seen: `${all.speed.toFixed(1)} audio s/s`,
				beside: `${lone.speed.toFixed(1)} audio s/s`,
				ratio: all.speed / lone.speed,
				atLeast: 0.25,
				model,
			},
			slower(`whole text of ${live4} beside both, against alone`, withAll, live.alone),
		];
	} finally {
		await server.stop();
	}
}
