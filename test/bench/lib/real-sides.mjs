/** Who takes part in trials with real weights, and how each is asked. */

import { availableParallelism } from 'node:os';
import { askFasterWhisper } from './faster-whisper.mjs';
import { whisperPrograms } from './peers.mjs';
import { earshot, whisperServer } from './servers.mjs';
import { counted, plain, sized, turn } from './turn.mjs';

/**
 * @typedef {{ clients: number, requests?: number, seconds?: number }} Asks
 * @typedef {(asks: Asks) => Promise<import('./client.mjs').Seen>} Side
 * @typedef {{ files: string[], warmUp: string }} Material WAVs asked by turns, and one asked before
 */

export const usual = 'whisper-server';
export const careful = 'whisper-server, llamafile, audio_ctx by the client';
const exact = 'earshot';
export const eightBits = 'earshot, int8 and q8_0';
export const own = [exact, eightBits];

/**
 * @param {string} model @param {Material} material
 * @returns {Record<string, Side>} over HTTP
 */
export function servers(model, { files: clipFiles, warmUp }) {
	const usualProgram = whisperPrograms('default').server;
	const carefulProgram = whisperPrograms('llamafile').server;
	const ours = (options) => () => earshot({ tiny: { type: 'whisper_cpp', files: { model }, options } });
	const asked = (start, fields) => (asks) =>
		turn(start, { ...asks, ...fields, clipFiles }, { clipFiles: [warmUp] });
	const toOurs = { fields: { ...plain, model: 'tiny' } };
	const toTheirs = { fields: plain };
	return {
		[exact]: asked(ours({}), toOurs),
		[eightBits]: asked(ours({ encoder: 'int8', decoder_weights: 'q8_0' }), toOurs),
		[usual]: asked(() => whisperServer(usualProgram, model), toTheirs),
		[careful]: asked(() => whisperServer(carefulProgram, model), { ...toTheirs, ...sized }),
	};
}

/**
 * @param {import('./faster-whisper.mjs').FasterWhisper | { absent: string }} peer
 * @param {Material} material
 * @param {Record<string, Partial<import('./faster-whisper.mjs').Way>>} ways
 * @returns {Record<string, Side>} in process; none where the peer is missing
 */
export function peerSides(peer, { files, warmUp }, ways) {
	if ('absent' in peer) return {};
	const sides = Object.entries(ways).map(([name, way]) => [
		`faster-whisper int8, ${name}`,
		async (asks) => {
			const how = { compute: 'int8', ...spread(asks.clients), batch: 0, whole: false, options: {}, ...way };
			return counted(await askFasterWhisper(peer, how, { ...asks, files, warmUp }));
		},
	]);
	return Object.fromEntries(sides);
}

/** @param {number} clients @returns {{ workers: number, threads: number }} a worker a core where there are clients for it */
function spread(clients) {
	const cores = availableParallelism();
	const workers = Math.min(clients, cores);
	return { workers, threads: Math.floor(cores / workers) };
}

/** What costs faster-whisper least: one hypothesis, no second try, no memory of what came before. */
const greedy = { language: 'en', beam_size: 1, temperature: 0, condition_on_previous_text: false };
const greedyWithoutTimes = { ...greedy, without_timestamps: true };
/** Its own: a beam of 5, and second tries at higher temperatures. */
const defaults = { language: 'en' };

/**
 * @param {number} clients
 * @returns {Record<string, Partial<import('./faster-whisper.mjs').Way>>}
 */
export function clipWays(clients) {
	const alone = {
		'beam 1': { options: greedyWithoutTimes },
		'its defaults (beam 5)': { options: defaults },
	};
	if (clients === 1) return alone;
	const batch = Math.ceil(clients / spread(clients).workers);
	return { ...alone, 'beam 1, in batches': { options: greedyWithoutTimes, batch } };
}

/** @type {Record<string, Partial<import('./faster-whisper.mjs').Way>>} */
export const longWays = {
	'beam 1': { options: greedy },
	'beam 1, its VAD': { options: { ...greedy, vad_filter: true } },
	'beam 1, its VAD, in batches': { options: greedyWithoutTimes, batch: 8, whole: true },
	'its defaults (beam 5)': { options: defaults },
	'its defaults (beam 5), its VAD': { options: { ...defaults, vad_filter: true } },
};
