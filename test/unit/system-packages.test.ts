/** What a fresh machine lacks is installed, or the command that does it printed. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { root } from '../helpers/fixtures.js';

/** A machine whose programs are `programs`; apt-get, if it has one, adds nasm and notes what it was asked. */
function machine(programs: readonly string[], apt: '' | 'works' | 'needs an update' = '') {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const bin = path.join(folder, 'bin');
	mkdirSync(bin);
	const script = (name: string, text: string) => {
		writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`);
		chmodSync(path.join(bin, name), 0o755);
	};
	for (const name of programs) script(name, 'exit 0');
	for (const name of ['sh', 'env', 'cp', 'chmod', 'touch'])
		symlinkSync(spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim(), path.join(bin, name));
	const log = path.join(folder, 'asked');
	writeFileSync(log, '');
	if (apt !== '')
		script(
			'apt-get',
			`echo "$@" >> ${log}
[ "$1" = update ] && touch ${folder}/lists
[ "$1" = install ] && [ ${apt === 'works' ? 1 : 0} = 0 ] && [ ! -e ${folder}/lists ] && exit 100
[ "$1" = install ] && cp ${bin}/make ${bin}/nasm
exit 0`,
		);
	const code = `
		import { buildTools, ffmpegTools, installMissing } from ${JSON.stringify(path.join(root, 'scripts/build/system-packages.mjs'))};
		import { spawnSync } from 'node:child_process';
		const target = { arch: 'x64', isCross: false, tools: { cc: 'gcc' } };
		const run = (command, ...args) => { if (spawnSync(command, args).status !== 0) throw new Error(command); };
		try {
			installMissing(() => [...buildTools(), ...ffmpegTools(target)], { what: 'the package', report: console.log, run });
			console.log('complete');
		} catch (error) { console.log(error.name, error.message); }
	`;
	const outcome = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
		encoding: 'utf8',
		env: { PATH: bin },
	});
	return { output: outcome.stdout + outcome.stderr, asked: readFileSync(log, 'utf8') };
}

const complete = ['c++', 'gcc', 'cmake', 'ninja', 'make', 'xz', 'nasm'];
const withoutNasm = complete.filter((name) => name !== 'nasm');
const isRoot = process.getuid?.() === 0;

describe.runIf(process.platform === 'linux')('the tools of the package’s binaries', () => {
	test('are not installed if all are present', () => {
		expect(machine(complete, 'works')).toEqual({ output: 'complete\n', asked: '' });
	});

	test.runIf(isRoot)('are installed where apt may', () => {
		const { output, asked } = machine(withoutNasm, 'works');
		expect(output).toBe('installing nasm (apt-get)\ncomplete\n');
		expect(asked).toContain('install -y --no-install-recommends nasm\n');
	});

	test.runIf(isRoot)('are installed on an image without package lists', () => {
		const { output, asked } = machine(withoutNasm, 'needs an update');
		expect(output).toContain('complete');
		expect(asked).toContain('update\n');
	});

	test('are named with the command that installs them where nothing may', () => {
		const { output } = machine(withoutNasm);
		expect(output).toContain('the package needs nasm. Install with:');
		expect(output).toContain('    sudo apt-get install -y nasm');
	});
});
