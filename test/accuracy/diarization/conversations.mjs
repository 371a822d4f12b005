// @ts-check
/**
 * Conversations with known truth, joined from recordings of one speaker each as `recipe.json` says: utterances are trimmed
 * and split by energy, set to -23 dBFS plus the speaker's own level, and laid over white noise of -62 dBFS.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decoder } from '../../../dist/audio/decode.js';

const rate = 16_000;
const hop = rate / 100;

/**
 * @typedef {{ name: string, levels: Record<string, number>, seconds: number,
 *   turns: { file: string, speaker: string, start: number }[] }} Recipe
 * @typedef {import('./error-rate.mjs').Turn} Turn
 */

/** @returns {Recipe[]} */
export function recipesIn(/** @type {string} */ folder) {
	return JSON.parse(readFileSync(join(folder, 'recipe.json'), 'utf8'));
}

/** @returns {Promise<{ samples: Float32Array, truth: Turn[] }>} */
export async function conversationOf(/** @type {Recipe} */ recipe, /** @type {string} */ speech) {
	const mix = new Float64Array(Math.floor(recipe.seconds * rate));
	/** @type {Turn[]} */
	const truth = [];
	for (const { file, speaker, start } of recipe.turns) {
		const { samples, spans } = await utterance(join(speech, file), recipe.levels[speaker] ?? 0);
		const at = Math.round(start * rate);
		samples.forEach((sample, index) => {
			if (at + index < mix.length) mix[at + index] = (mix[at + index] ?? 0) + sample;
		});
		for (const [from, to] of spans) truth.push({ start: (at + from) / rate, end: (at + to) / rate, speaker });
	}
	const peak = mix.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
	const scale = Math.min(1, 0.95 / peak);
	const noise = 10 ** (-62 / 20) * Math.sqrt(12);
	let state = recipe.turns.length;
	const samples = Float32Array.from(mix, (sample) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.max(-1, Math.min(1, sample * scale + (state / 2 ** 32 - 0.5) * noise));
	});
	return { samples, truth: truth.sort((a, b) => a.start - b.start) };
}

/** Trimmed, at its level. @returns {Promise<{ samples: Float64Array, spans: [number, number][] }>} positions of speech */
export async function utterance(/** @type {string} */ file, level = 0) {
	const all = await decoded(file);
	const found = spansOf(all);
	const [first, last] = [found[0]?.[0] ?? 0, found.at(-1)?.[1] ?? all.length];
	const samples = Float64Array.from(all.subarray(first, last));
	const spans = found.map(([from, to]) => /** @type {[number, number]} */ ([from - first, to - first]));
	let [sum, count] = [0, 0];
	for (const [from, to] of spans)
		for (let at = from; at < to; at++) {
			sum += (samples[at] ?? 0) ** 2;
			count++;
		}
	const gain = 10 ** ((-23 + level) / 20) / Math.sqrt(sum / Math.max(count, 1) + 1e-12);
	const edge = rate / 200;
	return {
		samples: samples.map(
			(sample, at) => sample * gain * Math.min(1, at / edge, (samples.length - 1 - at) / edge),
		),
		spans,
	};
}

async function decoded(/** @type {string} */ file) {
	const reader = decoder({ maxAudioSeconds: 3600 })({ path: file });
	await reader.open();
	const parts = [];
	for (;;) {
		const part = new Float32Array(10 * rate);
		const count = await reader.read(part);
		parts.push(part.subarray(0, count));
		if (count < part.length) break;
	}
	await reader.close();
	const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}

/** Loud stretches, those with pauses of less than half a second joined. @returns {[number, number][]} */
function spansOf(/** @type {Float32Array} */ samples) {
	const count = Math.floor(samples.length / hop);
	const power = Array.from({ length: count }, (_, frame) => {
		const own = samples.subarray(frame * hop, (frame + 1) * hop);
		return own.reduce((sum, sample) => sum + sample * sample, 0) / hop;
	});
	const level = power.map(
		(each, at) => 10 * Math.log10(((power[at - 1] ?? 0) + each + (power[at + 1] ?? 0)) / 3 + 1e-10),
	);
	const sorted = level.toSorted((a, b) => a - b);
	const percentile = (/** @type {number} */ share) => sorted[Math.round(share * (count - 1))] ?? 0;
	const least = Math.max(percentile(0.95) - 32, percentile(0.04) + 8);
	/** @type {[number, number][]} */
	const spans = [];
	let start = -1;
	for (let at = 0; at <= count; at++) {
		const isLoud = at < count && (level[at] ?? 0) > least;
		if (isLoud && start < 0) start = at;
		if (isLoud || start < 0) continue;
		if (at - start >= 3) spans.push([start, at]);
		start = -1;
	}
	/** @type {[number, number][]} */
	const joined = [];
	for (const [from, to] of spans) {
		const last = joined.at(-1);
		if (last && from - last[1] < 50) last[1] = to;
		else joined.push([from, to]);
	}
	return joined
		.filter(([from, to]) => to - from >= 8)
		.map(([from, to]) => [Math.max(0, from - 2) * hop, Math.min(count, to + 2) * hop]);
}
