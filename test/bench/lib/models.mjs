/** Models: of real shapes with made-up weights, written once into build/bench, and one with real weights. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execPath } from 'node:process';
import { refuse } from '../../helpers/flags.mjs';
import { root, workplace } from './peers.mjs';

/** @param {string} out @param {string} script @param {string[]} args */
function made(out, script, args) {
	if (existsSync(out)) return out;
	mkdirSync(workplace, { recursive: true });
	// A run that is stopped half-way leaves nothing that looks whole.
	const { status } = spawnSync(execPath, [join(root, 'fixtures', script), ...args, '--out', `${out}.part`], {
		stdio: ['ignore', 2, 2],
	});
	if (status !== 0) throw new Error(`${script} ended with ${status}`);
	renameSync(`${out}.part`, out);
	return out;
}

/**
 * A Whisper model.
 * @param {string} size
 * @param {number} tokens said in each window: 25 are a clip of 10 s, 75 a dense window of 30 s
 * @param {'f16' | 'q8_0'} [type]
 */
export function whisperShape(size, tokens, type = 'f16') {
	const out = join(workplace, `whisper-${size}-${tokens}-${type}.bin`);
	return made(out, 'make-shape.mjs', ['--size', size, '--type', type, '--tokens', `${tokens}`]);
}

/** @returns {string} path of Whisper tiny.en, OpenAI's own weights in F16 */
export function realWhisper() {
	const folders = [join(root, 'build', 'models'), join(root, '..', 'shared', 'models')];
	const paths = folders.map((folder) => join(folder, 'whisper-tiny.en', 'ggml-tiny.en.bin'));
	const found = paths.find((path) => existsSync(path));
	if (!found)
		throw new Error(`Expected Whisper tiny.en at ${paths[0]}, got no file: \`npm start\` fetches it`);
	return found;
}

/** @param {string} file @returns {string} the beginning of its SHA-256 */
export function shortHash(file) {
	return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
}

/**
 * A sherpa-onnx model.
 * @param {'transformer' | 'zipformer-small' | 'zipformer-medium' | 'streaming-zipformer-small' | 'streaming-zipformer-medium' | 'sense-voice'} shape
 * @param {{ int8?: boolean }} [options] 8-bit weights, as the published files have them
 * @returns {{ model: string, tokens: string }}
 */
export function sherpaShape(shape, { int8 = false } = {}) {
	const folder = made(join(workplace, `${shape}${int8 ? '-int8' : ''}`), 'make-sherpa-shape.mjs', [
		...['--shape', shape],
		...(int8 ? ['--int8'] : []),
	]);
	return {
		model: join(folder, int8 ? 'model.int8.onnx' : 'model.onnx'),
		tokens: join(folder, 'tokens.txt'),
	};
}

/** @param {string | undefined} given `--model` @returns {string} absolute path of a ggml file of Whisper */
export function modelFile(given) {
	if (given !== undefined) {
		if (existsSync(given)) return resolve(given);
		return refuse(`Expected \`--model\` to be a ggml file, got \`${given}\``);
	}
	try {
		return realWhisper();
	} catch (thrown) {
		return refuse(`${thrown instanceof Error ? thrown.message : thrown}; or --model FILE`);
	}
}
