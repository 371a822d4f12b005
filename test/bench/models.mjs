/** Models of real shapes with made-up weights, written once into build/bench. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
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

/** @param {string} file @returns {string} the beginning of its SHA-256 */
export function shortHash(file) {
	return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
}

/** A CTC transformer of 38 million weights. @returns {{ model: string, tokens: string }} */
export function ctcShape() {
	const folder = made(join(workplace, 'ctc-12-512'), 'make-ctc-shape.mjs', []);
	return { model: join(folder, 'model.onnx'), tokens: join(folder, 'tokens.txt') };
}
