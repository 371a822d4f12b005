/** The programs Earshot is measured beside, from npm packages alone, put into build/bench once. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const workplace = join(root, 'build', 'bench');
/** Earshot's model folder; what it makes of models is made once for all trials. */
export const modelDir = join(workplace, 'models');

/** Exact versions: a figure is of these. */
const packages = { 'sherpa-onnx-node': '1.13.8', '@fugood/whisper.node': '1.1.3' };

/**
 * Throws what it has said where it fails.
 * @param {string} command @param {readonly string[]} args @param {{ cwd?: string, input?: string }} [options]
 * @returns {string} its output
 */
export function run(command, args, { cwd, input } = {}) {
	const { status, error, stdout, stderr } = spawnSync(command, args, {
		encoding: 'utf8',
		cwd,
		input,
		maxBuffer: 1 << 28,
	});
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
	return stdout;
}

/**
 * whisper.cpp's server and command, built from vendor/.
 * @param {'default' | 'llamafile'} build
 * @returns {{ server: string, cli: string }} paths
 */
export function whisperPrograms(build) {
	const folder = join(workplace, `whisper-${build}`);
	mkdirSync(folder, { recursive: true });
	const options = build === 'llamafile' ? ['-DGGML_LLAMAFILE=ON'] : [];
	run('cmake', ['-S', join(root, 'test', 'bench', 'peers'), '-B', folder, ...options]);
	run('cmake', ['--build', folder, '--parallel', '2']);
	return { server: join(folder, 'whisper-server'), cli: join(folder, 'whisper-cli') };
}

/**
 * Folder with node_modules holding the packages; their install scripts do not run.
 * @returns {string}
 */
export function packageFolder() {
	const folder = join(workplace, 'packages');
	const wanted = `${JSON.stringify({ private: true, dependencies: packages }, undefined, '\t')}\n`;
	const manifest = join(folder, 'package.json');
	if (existsSync(join(folder, 'node_modules')) && readFileSync(manifest, 'utf8') === wanted) return folder;
	mkdirSync(folder, { recursive: true });
	writeFileSync(manifest, wanted);
	run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], {
		cwd: folder,
	});
	return folder;
}
