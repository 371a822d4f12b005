/**
 * Builds whisper.cpp as it is in vendor/ (whisper-cli and plain-faults) into build/plain, unless it is there.
 * Needs the addon's own build, whose ggml it links.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const build = join(root, 'build', 'plain');

/** @param {string} command @param {string[]} args */
function run(command, args) {
	const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
}

/** @returns {{ cli: string, faults: string }} the programs */
export function buildPlain() {
	mkdirSync(build, { recursive: true });
	run('cmake', ['-S', join(root, 'test', 'upstream'), '-B', build, '-DCMAKE_BUILD_TYPE=Release']);
	run('cmake', ['--build', build, '--parallel', '2']);
	return { cli: join(build, 'whisper-cli'), faults: join(build, 'plain-faults') };
}
