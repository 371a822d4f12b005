/** Real weights and real speech: Earshot and whisper-server over HTTP, faster-whisper in process. */

import { fasterWhisper } from '../lib/faster-whisper.mjs';
import { realWhisper, shortHash } from '../lib/models.mjs';
import {
	careful,
	clipWays,
	eightBits,
	longWays,
	own,
	peerSides,
	servers,
	usual,
} from '../lib/real-sides.mjs';
import { realClips, realLongFile } from '../lib/real-speech.mjs';
import { median } from '../lib/statistics.mjs';
import { textOf } from '../lib/turn.mjs';
import { wordErrors, wordsOf } from '../lib/words.mjs';

/**
 * @typedef {import('../lib/real-sides.mjs').Asks} Asks
 * @typedef {import('../lib/real-sides.mjs').Side} Side
 * @typedef {{ side: string, peer: string, atLeast: number }} Target
 */

const clipSeconds = 7;
const clipCount = 80;
const longSeconds = 300;
/** A side that gets more than this share of the words wrong did not do the work. */
const maxErrorShare = 0.4;

/**
 * A peer that fails is left out of what follows and told of; were Earshot to fail, the run would be of no use.
 * @param {Record<string, Side>} sides
 * @param {Asks} asks
 * @param {number} rounds
 * @param {(line: string) => void} report
 * @returns {Promise<{ seen: Record<string, import('../lib/client.mjs').Seen[]>, failed: Record<string, string> }>} what
 * each side did in each round; why a side did not
 */
async function taken(sides, asks, rounds, report) {
	/** @type {Record<string, import('../lib/client.mjs').Seen[]>} */
	const seen = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
	/** @type {Record<string, string>} */
	const failed = {};
	for (let round = 0; round < rounds; round++) {
		for (const [name, run] of Object.entries(sides)) {
			if (name in failed) continue;
			try {
				const one = await run(asks);
				seen[name].push(one);
				report(`  ${asks.clients} clients, ${name}: ${speed(one).toFixed(1)} audio s/s`);
			} catch (error) {
				if (own.includes(name)) throw error;
				failed[name] = error.message;
				delete seen[name];
				report(`  ${asks.clients} clients, ${name}: ${error.message}`);
			}
		}
	}
	return { seen, failed };
}

/** @param {import('../lib/client.mjs').Seen} seen */
const speed = ({ audioSeconds, wallSeconds }) => audioSeconds / wallSeconds;

/** @param {import('../lib/client.mjs').Seen[]} turns @returns {string[]} of the turn that got furthest, in order */
function textsOf(turns) {
	const texts = turns.map(({ texts: answers }) => answers.filter((text) => text !== null).map(textOf));
	return texts.reduce((best, some) => (some.length > best.length ? some : best));
}

/**
 * Clips are asked in their order: those that were answered are the first.
 * @param {Record<string, import('../lib/client.mjs').Seen[]>} seen @param {import('../lib/real-speech.mjs').Material} material
 * @param {string} model
 * @returns {import('../bench.mjs').Figure[]} over the files that all sides answered
 */
function accuracy(seen, material, model) {
	const answered = Object.entries(seen).map(([side, turns]) => ({ side, texts: textsOf(turns) }));
	const common = Math.min(...answered.map(({ texts }) => texts.length));
	return answered.flatMap(({ side, texts }) => {
		const errors = (count) => {
			const reference = material.reference(count);
			const words = wordsOf(texts.slice(0, count).join(' '));
			return { share: wordErrors(reference, words) / reference.length, of: reference.length };
		};
		const all = errors(texts.length);
		const compared = errors(common);
		if (all.share > maxErrorShare)
			throw new Error(
				`${side} got ${(100 * all.share).toFixed(0)} % of the words wrong: its speed is not to be counted`,
			);
		const clips = common > 1 ? ` in the first ${common} clips, words cut at their ends included` : '';
		const share = `${(100 * compared.share).toFixed(1)} % of ${compared.of}`;
		return [{ what: `words wrong${clips}, roughly, ${side}`, seen: share, model }];
	});
}

/**
 * @param {Record<string, import('../lib/client.mjs').Seen[]>} seen
 * @param {string} what
 * @param {Target[]} targets with a bound; all other pairs are told without
 * @param {string} model
 * @returns {import('../bench.mjs').Figure[]} each of ours beside each peer
 */
function ratios(seen, what, targets, model) {
	const speeds = Object.fromEntries(Object.entries(seen).map(([name, turns]) => [name, turns.map(speed)]));
	const peers = Object.keys(seen).filter((name) => !own.includes(name));
	return own.flatMap((side) =>
		peers.map((peer) => {
			const target = targets.find((each) => each.side === side && each.peer === peer);
			return {
				what: `${what}, ${side}, audio s/s against ${peer}`,
				seen: median(speeds[side]).toFixed(1),
				beside: median(speeds[peer]).toFixed(1),
				// Of the same round: the machine was the same for both.
				ratio: median(speeds[side].map((ours, round) => ours / speeds[peer][round])),
				...(target ? { atLeast: target.atLeast } : {}),
				model,
			};
		}),
	);
}

/** @param {string} file @param {ReturnType<typeof fasterWhisper>} peer @param {import('../lib/real-speech.mjs').Material} material */
function modelOf(file, peer, { name }) {
	const theirs = 'absent' in peer ? '' : `; ${peer.about}`;
	return `Whisper tiny.en, f16, ${shortHash(file)}${theirs}; speech: ${name}`;
}

/**
 * @param {Record<string, string>} failed @param {string} what @param {string} model
 * @returns {import('../bench.mjs').Figure[]}
 */
const leftOut = (failed, what, model) =>
	Object.entries(failed).map(([side, reason]) => ({
		what: `${what}, ${side} is left out`,
		seen: reason,
		model,
	}));

/** @param {ReturnType<typeof fasterWhisper>} peer @param {string} model @returns {import('../bench.mjs').Figure[]} */
const missing = (peer, model) =>
	'absent' in peer ? [{ what: 'one peer is missing', seen: peer.absent, model }] : [];

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function realThroughput({ rounds, seconds, report }) {
	const file = realWhisper();
	const clips = await realClips(clipSeconds, clipCount);
	const peer = fasterWhisper();
	const model = modelOf(file, peer, clips);
	const material = { files: clips.files, warmUp: clips.files[0] };
	const figures = [];
	for (const clients of [1, 8, 32]) {
		const sides = { ...servers(file, material), ...peerSides(peer, material, clipWays(clients)) };
		const { seen, failed } = await taken(sides, { clients, seconds }, rounds, report);
		const targets = Object.keys(seen).flatMap((name) => {
			if (clients !== 8) return [];
			if (name === usual) return own.map((side) => ({ side, peer: name, atLeast: 12 }));
			// Its weights are of 8 bits, and so are ours beside it.
			return name.startsWith('faster-whisper') ? [{ side: eightBits, peer: name, atLeast: 5 }] : [];
		});
		const what = `${clients} clients, ${clipSeconds} s clips`;
		figures.push(...ratios(seen, what, targets, model), ...leftOut(failed, what, model));
		// Looked at for any number of clients, and told once.
		const wrong = accuracy(seen, clips, model);
		if (clients === 8) figures.push(...wrong);
	}
	return [...figures, ...missing(peer, model)];
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function realLong({ rounds, report }) {
	const file = realWhisper();
	const long = await realLongFile(longSeconds);
	const peer = fasterWhisper();
	const model = modelOf(file, peer, long);
	const material = { files: long.files, warmUp: (await realClips(clipSeconds, 1)).files[0] };
	const { [careful]: _, ...overHttp } = servers(file, material);
	const sides = { ...overHttp, ...peerSides(peer, material, longWays) };
	const { seen, failed } = await taken(sides, { clients: 1, requests: 1 }, Math.min(rounds, 2), report);
	const targets = own.map((side) => ({ side, peer: usual, atLeast: 1.8 }));
	const what = `one recording of ${(long.seconds / 60).toFixed(1)} minutes`;
	return [
		...ratios(seen, what, targets, model),
		...leftOut(failed, what, model),
		...accuracy(seen, long, model),
		...missing(peer, model),
	];
}
