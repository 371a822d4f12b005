// @ts-check
/** Which model of Whisper is measured. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from '../bench/lib/peers.mjs';
import { refuse } from '../helpers/flags.mjs';

/** @param {string | undefined} given `--model` @returns {string} absolute path of a ggml file */
export function modelFile(given) {
	if (given !== undefined) {
		if (existsSync(given)) return resolve(given);
		return refuse(`Expected \`--model\` to be a ggml file, got \`${given}\``);
	}
	const places = ['build/models', '../shared/models'].map((place) =>
		join(root, place, 'whisper-tiny.en', 'ggml-tiny.en.bin'),
	);
	const found = places.find((place) => existsSync(place));
	if (found !== undefined) return found;
	return refuse(`no model: expected one of ${places.join(', ')}, or --model FILE`);
}
