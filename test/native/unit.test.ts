/** Unit tests of native/ below the bindings: C++, built over the objects of the addon that is here, and run by CTest. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { root } from '../helpers/fixtures.js';
import { addon } from './addon.js';

const build = path.join(root, 'build');
const isBuiltHere = existsSync(path.join(build, 'CMakeCache.txt')) && process.platform !== 'win32';

describe.runIf(isBuiltHere)('the unit tests of native/', () => {
	beforeAll(() => {
		const args = ['--build', build, '--target', 'earshot-tests'];
		const { status, stdout } = spawnSync('cmake', args, { encoding: 'utf8' });
		expect(status === 0 ? '' : stdout).toBe('');
	}, 300_000);

	/** All of them, with kernels of ours no wider than that. */
	function run(kernels: string) {
		const { status, signal, stdout, stderr } = spawnSync('ctest', ['--verbose', '--no-tests=error'], {
			cwd: build,
			encoding: 'utf8',
			env: { ...process.env, EARSHOT_KERNELS: kernels },
		});
		return { status, signal, said: `${stdout}${stderr}`.replaceAll(/^\d+: /gm, '') };
	}

	const widths = ['none', 'avx2', 'avx512', 'vnni', 'amx'] as const;
	const here = widths.slice(0, widths.indexOf(addon.kernels()) + 1);
	test.each(here)(
		'pass with the kernels of a processor with %s',
		(kernels) => {
			const { status, signal, said } = run(kernels);
			expect(status === 0 ? '' : `${signal ?? status}\n${said}`).toBe('');
			const folder = path.join(root, 'test', 'native-unit');
			const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
				.filter((name) => name.endsWith('.cc'))
				.map((name) => readFileSync(path.join(folder, name), 'utf8'));
			const tests = sources.flatMap((source) =>
				[...source.matchAll(/^TEST\("(.+)"\)/gm)].map((each) => each[1]),
			);
			expect(said.trim().split('\n')).toEqual(expect.arrayContaining(tests));
		},
		120_000,
	);
});
