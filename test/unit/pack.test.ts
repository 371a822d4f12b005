/** What the package's papers say of its binaries, and what its contents may be. */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { prebuiltPlatforms } from '../../src/addon/cpu.js';
import { gpuPackages, platformPackage } from '../../src/addon/packages.js';
import { Scratch } from '../helpers/net/real-server.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (...names: string[]): string => readFileSync(path.join(root, ...names), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
	scripts: Record<string, string>;
	dependencies: Record<string, string>;
	optionalDependencies: Record<string, string>;
};
const pins = JSON.parse(read('vendor', 'pins.json')) as {
	pins: Record<string, string>;
	archives: { ffmpeg: { version: string; urls: string[]; sha256: string } };
};

it('nothing runs when the package is installed', () => {
	expect(Object.keys(manifest.scripts)).not.toEqual(
		expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$|^prepare$/)]),
	);
	const lock = JSON.parse(read('package-lock.json')) as {
		packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
	};
	const scripted = Object.entries(lock.packages).filter(
		([, { dev, hasInstallScript }]) => !dev && hasInstallScript,
	);
	expect(scripted.map(([name]) => name)).toEqual([]);
});

it('the lock file has every optional package of every platform, so that npm ci accepts it anywhere', () => {
	const { packages } = JSON.parse(read('package-lock.json')) as {
		packages: Record<string, { optionalDependencies?: Record<string, string> }>;
	};
	const wanted = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
	expect(wanted.filter((name) => packages[`node_modules/${name}`] === undefined)).toEqual([]);
});

it('the sherpa-onnx packages are optional and of the version that vendor/pins.json has', () => {
	for (const [name, version] of Object.entries(manifest.optionalDependencies)) {
		expect(version).toMatch(/^\d+\.\d+\.\d+$/);
		const pinned = pins.pins[name];
		if (pinned !== undefined) expect(pinned.split(' ')[0]).toBe(version);
	}
	const packages = prebuiltPlatforms.map((tuple) => `sherpa-onnx-${tuple.replace('win32', 'win')}`);
	expect(Object.keys(manifest.optionalDependencies).sort()).toEqual(packages.sort());
});

it('NOTICE has FFmpeg as it is built: version, sources, digest and configure line', () => {
	const notice = read('NOTICE');
	const { version, urls, sha256 } = pins.archives.ffmpeg;
	for (const fact of [`FFmpeg ${version}`, urls[0] ?? '', sha256]) expect(notice).toContain(fact);
	const script = path.join(root, 'scripts', 'build', 'ffmpeg.mjs');
	const { stdout } = spawnSync(process.execPath, [script, '--configure'], { encoding: 'utf8' });
	const line = stdout.trim().replace('--enable-w32threads', '--enable-pthreads');
	expect(notice.replace(/\s+/g, ' ')).toContain(line);
	expect(line).not.toMatch(/enable-(gpl|nonfree|version3)/);
});

interface Packed {
	faultsOf(files: { path: string; size: number }[], size: number): string[];
}

it('a tarball with sources, tests or too much in it is refused', async () => {
	const script = path.join(root, 'scripts', 'release', 'pack.mjs');
	const { faultsOf } = (await import(script)) as Packed;
	const whole = [
		'dist/cli/main.js',
		'dist/index.js',
		'dist/index.d.ts',
		'dist/runner/child/main.js',
		'src/models/catalog/catalog.yaml',
		'src/server/openapi.yaml',
		'binding.d.ts',
		'levels.json',
		'vendor/silero-vad/silero_vad_v6.onnx',
		'native/onnxruntime-cpu.conf',
		'fixtures/demo-digits/model.onnx',
		'fixtures/demo-digits/tokens.txt',
		'fixtures/demo-digits/digits-count.wav',
		'prebuilds/linux-x64/earshot.glibc.node',
		'LICENSE',
		'NOTICE',
		'package.json',
	].map((name) => ({ path: name, size: 1000 }));
	expect(faultsOf(whole, 1e6)).toEqual([]);
	expect(faultsOf(whole.slice(1), 1e6)).toEqual(['dist/cli/main.js is missing']);
	expect(
		faultsOf(
			whole.filter((file) => !file.path.startsWith('prebuilds/')),
			1e6,
		),
	).toEqual(['no binaries are in it']);
	for (const stray of [
		'native/addon/exports.cc',
		'test/a.test.ts',
		'src/index.ts',
		'dist/cli/main.js.map',
		'fixtures/recordings/a.wav',
		'prebuilds/linux-x64/earshot.musl.node',
		'prebuilds/darwin-x64/earshot.node',
	])
		expect(faultsOf([...whole, { path: stray, size: 1 }], 1e6)).toEqual([`${stray} does not belong in it`]);
	const large = { path: 'prebuilds/linux-x64/x86-64-v3/earshot.glibc.node', size: 1e9 };
	expect(faultsOf([...whole, large], 1e6)).toEqual([
		expect.stringContaining('binaries, linux-x64: 1000.00 MB'),
	]);
	expect(faultsOf(whole, 26e6)).toEqual([expect.stringContaining('the tarball: 26.00 MB')]);
});

it('what checks the binaries refuses a platform that there is not, and asks for what it needs itself', () => {
	const check = (folder: string, ...args: string[]) =>
		spawnSync(process.execPath, [path.join(folder, 'scripts', 'release', 'check-binaries.mjs'), ...args], {
			encoding: 'utf8',
		});
	for (const args of [['--only', 'win32-arm'], ['--only'], ['--help']])
		expect(check(root, ...args)).toMatchObject({
			status: 2,
			stderr: expect.stringMatching(/^check-binaries: expected .* win32-x64, .* got --/),
		});
	using scratch = new Scratch();
	mkdirSync(path.join(scratch.path, 'vendor'));
	for (const place of ['scripts', 'vendor/pins.json'])
		cpSync(path.join(root, place), path.join(scratch.path, place), { recursive: true });
	expect(check(scratch.path, '--only', 'win32-x64')).toMatchObject({
		status: 1,
		stderr: 'dist/addon/cpu.js is not there; run: npm run compile\n',
	});
});

it('a release must hold the binaries of every platform that the loader looks for', async () => {
	const { released } = (await import(path.join(root, 'scripts', 'release', 'check-binaries.mjs'))) as {
		released: string[];
	};
	expect([...new Set(released.map((name) => name.split(' ')[0]))].sort()).toEqual(
		[...prebuiltPlatforms].sort(),
	);
});

it('every platform has its binaries in the package, or in one of its own that a release adds to the dependencies', () => {
	const script = path.join(root, 'scripts', 'release', 'platform-packages.mjs');
	const { stdout } = spawnSync(process.execPath, [script, '--dependencies'], { encoding: 'utf8' });
	const names = prebuiltPlatforms.flatMap((tuple) => {
		const [platform = '', arch = ''] = tuple.split('-');
		return platform === 'linux' ? [] : [platformPackage(platform, arch, undefined)?.name];
	});
	const wanted = [...names, platformPackage('linux', 'x64', 'musl')?.name];
	expect(
		stdout
			.trim()
			.split(' ')
			.map((each) => each.replace(/^optionalDependencies\.|=.*$/g, ''))
			.sort(),
	).toEqual(wanted.sort());
	expect(platformPackage('linux', 'x64', 'glibc')).toBeUndefined();
});

it('a release builds the GPU packages that doctor names, and no others', () => {
	const workflow = read('.github', 'workflows', 'prebuild.yml');
	const built = [...workflow.matchAll(/\{ backend: (\w+), arch: (\w+),/g)].map(
		([, backend, arch]) => `earshot-${backend}-linux-${arch}`,
	);
	const named = prebuiltPlatforms.flatMap((tuple) => {
		const [platform, arch] = tuple.split('-');
		return gpuPackages(platform, arch).map(({ name }) => name);
	});
	expect(built.sort()).toEqual(named.sort());
});

it('the CUDA that a release builds with is the one whose libraries the docs have users install', () => {
	const [, release] = /cuda-nvcc-(\d+-\d+)/.exec(read('.github', 'workflows', 'prebuild.yml')) ?? [];
	expect(release).toBeDefined();
	expect(read('docs/guides/gpu.md')).toContain(`apt-get install cuda-cudart-${release} libcublas-${release}`);
});

interface Target {
	tuple: string;
	tools: { cc: string };
	cmake: string[];
}

describe('what the binaries are built with', async () => {
	const { targetOf } = (await import(path.join(root, 'scripts', 'build', 'target.mjs'))) as {
		targetOf(asked?: { platform?: string; arch?: string }): Target;
	};

	it('for this machine, its own compiler and no option of CMake', () => {
		expect(targetOf()).toMatchObject({ isCross: false, tools: { strip: 'strip' } });
	});

	it.runIf(process.platform === 'linux' && process.arch === 'x64')(
		"for other targets, a cross compiler's tools and CMake's file for them",
		() => {
			for (const asked of [{ arch: 'arm64' }, { platform: 'win32' }]) {
				const { cmake } = targetOf(asked);
				const file = /^CMAKE_TOOLCHAIN_FILE=(.*)$/.exec(cmake[0] ?? '')?.[1] ?? '';
				expect(existsSync(file), file).toBe(true);
			}
			expect(targetOf({ arch: 'arm64' }).tools.cc).toBe('aarch64-linux-gnu-gcc');
		},
	);

	it('is refused where nothing here builds for it', () => {
		expect(() => targetOf({ platform: 'freebsd', arch: 'x64' })).toThrow(
			/^no way known to build for freebsd-x64 on /,
		);
	});
});
