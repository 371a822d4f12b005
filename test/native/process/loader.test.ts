/** Which of several addons is loaded, and what is said where none is. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { addon as loadedAddon } from '../../../src/addon/addon.js';
import { type Candidate, chooseAddon, type Search, type Trial } from '../../../src/addon/candidates.js';
import { levelsFor, processorFlags } from '../../../src/addon/cpu.js';
import { remembered, tryOut } from '../../../src/addon/trial.js';
import { generated, root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const skylake = new Set(
	'sse4_2 ssse3 popcnt avx avx2 bmi2 fma f16c avx512f avx512cd avx512bw avx512dq avx512vl'.split(' '),
);
const addon = path.join(root, 'build', 'Release', 'earshot.node');
let installs = 0;

/** An install folder with these files, all empty. */
function installed(...files: string[]): string {
	installs += 1;
	const folder = path.join(scratch.path, `install ${installs}`);
	for (const file of ['package.json', ...files]) {
		mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
		writeFileSync(path.join(folder, file), file.endsWith('.json') ? '{}' : '');
	}
	return folder;
}

const plain = { features: [], processor: [], gpus: 0 };

function choose(
	folder: string,
	trial: (file: string) => Trial = () => plain,
	search: Partial<Search> = { flags: skylake },
) {
	const tried: string[] = [];
	const choice = chooseAddon({
		root: folder,
		platform: 'linux',
		arch: 'x64',
		flags: undefined,
		...search,
		tryOut(file) {
			tried.push(path.relative(folder, file));
			return trial(file);
		},
	});
	return { ...choice, tried, name: choice.chosen?.name };
}

const prebuilt = (...levels: string[]): string[] =>
	levels.map((level) => path.join('prebuilds', 'linux-x64', level, 'earshot.glibc.node'));

const isLinuxX64 = process.platform === 'linux' && process.arch === 'x64';

describe.runIf(isLinuxX64)('of several files', () => {
	it('the local build comes before the prebuilt ones', () => {
		const folder = installed('build/Release/earshot.node', ...prebuilt('', 'x86-64-v4'));
		expect(choose(folder)).toMatchObject({ name: 'build/Release', tried: ['build/Release/earshot.node'] });
	});

	it('the highest level that the processor runs is taken, and no other tried', () => {
		const folder = installed(...prebuilt('', 'x86-64-v3', 'x86-64-v4', 'x86-64-v4-vnni'));
		expect(choose(folder)).toMatchObject({ name: 'x86-64-v4', tried: prebuilt('x86-64-v4') });
	});

	it('what does not start is skipped for the next, down to the lowest', () => {
		const folder = installed('build/Release/earshot.node', ...prebuilt('', 'x86-64-v3', 'x86-64-v4'));
		const { name, refused } = choose(folder, (file) =>
			path.dirname(file).endsWith('linux-x64') ? plain : { why: 'SIGILL' },
		);
		expect(name).toBe('x86-64-v2');
		expect(refused.map(({ candidate }) => candidate.name)).toEqual([
			'build/Release',
			'x86-64-v4',
			'x86-64-v3',
		]);
	});

	it('a local build that was made on another processor is skipped', () => {
		const folder = installed('build/Release/earshot.node', ...prebuilt(''));
		const { name, refused } = choose(folder, (file) => ({
			...plain,
			features: file.includes('Release') ? ['AVX2', 'AVX512_BF16'] : ['SSSE3'],
		}));
		expect(name).toBe('x86-64-v2');
		expect(refused[0]?.why).toBe('built for processors with AVX512_BF16, which this one lacks');
	});

	it('without flags from the system, each trial checks the processor itself', () => {
		const folder = installed(...prebuilt('', 'x86-64-v3', 'x86-64-v4'));
		const has = (...processor: string[]) =>
			choose(
				folder,
				(file) => ({
					...plain,
					features: file.includes('v4') ? ['AVX2', 'AVX512'] : file.includes('v3') ? ['AVX2'] : [],
					processor,
				}),
				{ flags: undefined },
			).name;
		expect(has('avx', 'avx2')).toBe('x86-64-v3');
	});

	it('nothing is chosen without a candidate, and nothing by its name alone', () => {
		expect(choose(installed()).chosen).toBeUndefined();
		const folder = installed(...prebuilt('cuda', 'x86-64-v9'));
		expect(choose(folder)).toMatchObject({ chosen: undefined, tried: [] });
	});
});

const own = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string })
	.version;

describe('the package of a platform whose binaries are not in our own', () => {
	const name = 'earshot-darwin-x64';
	const prebuilds = path.join('node_modules', name, 'prebuilds', 'darwin-x64');
	const darwin = { platform: 'darwin', arch: 'x64', flags: undefined };

	function withPackage(version: string): string {
		const levels = ['', 'x86-64-v3'].map((level) => path.join(prebuilds, level, 'earshot.node'));
		const folder = installed(...levels);
		writeFileSync(path.join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ name, version }));
		return folder;
	}

	it('has its levels tried as our own would be', () => {
		const {
			tried,
			refused,
			name: level,
		} = choose(withPackage(own), (file) => (file.includes('v3') ? { why: 'SIGILL' } : plain), darwin);
		expect(tried).toEqual(['x86-64-v3', ''].map((each) => path.join(prebuilds, each, 'earshot.node')));
		expect([refused[0]?.why, level]).toEqual(['SIGILL', 'x86-64-v2']);
	});

	it('is not even tried where it is of another version', () => {
		expect(choose(withPackage('0.0.9'), () => plain, darwin)).toMatchObject({ chosen: undefined, tried: [] });
	});
});

describe.runIf(isLinuxX64)('a GPU package', () => {
	const name = 'earshot-cuda-linux-x64';

	function withPackage(version: string): string {
		const folder = installed(...prebuilt(''), `node_modules/${name}/earshot.node`);
		const manifest = { name, version, main: './earshot.node' };
		writeFileSync(path.join(folder, 'node_modules', name, 'package.json'), JSON.stringify(manifest));
		return folder;
	}
	const isPackage = (candidate: Candidate | undefined) => candidate?.kind === 'GPU package';

	it('is taken where it finds a GPU', () => {
		const { chosen } = choose(withPackage(own), (file) => ({
			...plain,
			gpus: file.includes(name) ? 1 : 0,
		}));
		expect(isPackage(chosen)).toBe(true);
	});

	it('is skipped where it finds none', () => {
		const { chosen, refused } = choose(withPackage(own));
		expect([isPackage(chosen), refused[0]?.why]).toEqual([false, 'it finds no GPU here']);
	});

	it('is not even tried where it is of another version', () => {
		expect(choose(withPackage('0.0.9')).tried).toEqual(prebuilt(''));
	});
});

describe('a trial', () => {
	it('reports what the addon uses', () => {
		expect(tryOut(addon, 'local build')).toMatchObject({
			features: expect.arrayContaining([expect.any(String)]),
		});
	});

	it.runIf(process.platform === 'linux')('has the processor say of itself what the system says of it', () => {
		const trial = tryOut(addon, 'prebuilt');
		const known = levelsFor(process.platform, process.arch).flatMap(({ needs }) => needs);
		const said = known.filter((flag) => processorFlags()?.has(flag));
		expect('processor' in trial && known.filter((flag) => trial.processor.includes(flag))).toEqual(said);
		expect(said).not.toEqual([]);
	});

	it('is made once for a file, but at each start for a GPU package, whose driver comes and goes', () => {
		vi.stubEnv('XDG_CACHE_HOME', path.join(scratch.path, 'cache'));
		const [plainFile, gpuFile] = [scratch.file('plain.node', ''), scratch.file('gpu.node', '')];
		const tried: string[] = [];
		const trial = remembered((file) => {
			tried.push(path.basename(file));
			return { features: ['AVX2'], processor: [], gpus: 1 };
		}, skylake);
		for (const file of [plainFile, plainFile]) trial(file, 'prebuilt');
		for (const file of [gpuFile, gpuFile]) trial(file, 'GPU package');
		expect(tried).toEqual(['plain.node', 'gpu.node', 'gpu.node']);
		vi.unstubAllEnvs();
	});

	it('counts the GPUs that work with a GPU package, and of other files those that are present', () => {
		const file = scratch.file(
			'gpu.cjs',
			`exports.devices = () => ['cpu', 'gpu', 'igpu'].map((kind) => ({ kind }));
exports.calculates = (device) => device === 2;
exports.cpuFeatures = exports.processorFlags = () => [];`,
		);
		expect(tryOut(file, 'GPU package')).toMatchObject({ gpus: 1 });
		expect(tryOut(file, 'prebuilt')).toMatchObject({ gpus: 2 });
	});

	it('can have every device here calculate, and none that is not here', () => {
		const devices = loadedAddon().devices();
		expect(devices.map((_, device) => loadedAddon().calculates(device))).toEqual(devices.map(() => true));
		expect(loadedAddon().calculates(devices.length)).toBe(false);
		expect(loadedAddon().calculates(-1)).toBe(false);
	});

	it('reports why a file is not an addon', () => {
		expect(tryOut(scratch.file('text.node', 'text'), 'prebuilt')).toEqual({
			why: expect.stringMatching(/text\.node/),
		});
	});

	it.runIf(process.platform === 'linux')('survives an addon that ends the process', () => {
		const source = '__attribute__((constructor)) static void start(void) { __builtin_trap(); }';
		const file = path.join(scratch.path, 'trap.node');
		const made = spawnSync('cc', ['-shared', '-fPIC', '-o', file, scratch.file('trap.c', source)]);
		expect(made.status).toBe(0);
		expect(tryOut(file, 'prebuilt')).toEqual({
			why: 'it does not start on this processor (SIGILL in a trial)',
		});
		expect(tryOut(file, 'GPU package')).toEqual({
			why: 'it does not start on this GPU (SIGILL in a trial)',
		});
	});
});

/** A copy of the compiled package without an addon. */
function bare(): string {
	const folder = installed();
	for (const name of ['package.json', 'levels.json'])
		copyFileSync(path.join(root, name), path.join(folder, name));
	for (const name of ['dist', 'node_modules', 'vendor', 'fixtures'])
		symlinkSync(path.join(root, name), path.join(folder, name));
	return folder;
}

function doctorIn(folder: string, env: Readonly<Record<string, string>> = {}) {
	const main = path.join(folder, 'dist', 'cli', 'main.js');
	return spawnSync(process.execPath, ['--preserve-symlinks', '--preserve-symlinks-main', main, 'doctor'], {
		encoding: 'utf8',
		env: { PATH: process.env.PATH, HOME: scratch.path, ...env },
	});
}

describe('where nothing can be loaded', () => {
	it('doctor says what it looked for, what it found, and the command that helps', () => {
		const folder = bare();
		const { status, stdout } = doctorIn(folder);
		expect(status).toBe(1);
		const line = stdout.split('\n').find((each) => each.startsWith('MISSING  addon')) ?? '';
		expect(line).toContain(`${process.platform}-${process.arch}`);
		expect(line).toContain(`Node ${process.versions.node}`);
		expect(line).toContain(folder);
		expect(line).toMatch(/neither exists .*npm install earshot.*npm run build:native/);
		// It is there; that it cannot be tried is not another fault.
		expect(stdout).toMatch(/^ok {7}sherpa-onnx +.+, not tried without the addon$/m);
	});
});

it.runIf(process.arch === 'x64')(
	'kernels are kept to those that EARSHOT_KERNELS names, which must be some',
	() => {
		const model = path.join(generated, 'whisper', 'tones.bin');
		const config = scratch.file('tones.yaml', `models: {t: {type: whisper_cpp, files: {model: ${model}}}}`);
		const doctor = (kernels: string) =>
			doctorIn(root, { EARSHOT_KERNELS: kernels, EARSHOT_CONFIG: config }).stdout;
		expect(doctor('none')).toMatch(/^ok {7}CPU .*; kernels: none$/m);
		expect(doctor('sse')).toMatch(
			/^MISSING {2}addon +Expected `EARSHOT_KERNELS` to be one of none, avx2, avx512, vnni, amx, got `sse`$/m,
		);
		expect(doctor('sse')).toMatch(/^MISSING {2}model +t \(default\): Expected `EARSHOT_KERNELS` to be/m);
	},
);

describe.runIf(isLinuxX64)('where a GPU package lacks a library', () => {
	/** A folder of modules with a package for CUDA 99.0, whose libraries are on no machine. */
	function modulesWithPackage(): string {
		const modules = path.join(scratch.path, 'modules');
		const folder = path.join(modules, 'earshot-cuda-linux-x64');
		mkdirSync(folder, { recursive: true });
		const manifest = { name: path.basename(folder), version: own, main: './earshot.node', cuda: '99.0' };
		writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
		const source = scratch.file('empty.c', '');
		const library = path.join(scratch.path, 'libcudart.so');
		const link = (file: string, ...args: string[]) =>
			expect(spawnSync('cc', ['-shared', '-fPIC', '-o', file, source, ...args]).status).toBe(0);
		link(library, '-Wl,-soname,libcudart.so.99');
		link(path.join(folder, 'earshot.node'), '-Wl,--no-as-needed', library);
		return modules;
	}

	it('the next addon is taken, and doctor names the library and the command that adds it', () => {
		const folder = bare();
		const prebuilds = path.join(folder, 'prebuilds', 'linux-x64');
		mkdirSync(prebuilds, { recursive: true });
		symlinkSync(addon, path.join(prebuilds, 'earshot.glibc.node'));
		const { status, stdout } = doctorIn(folder, { NODE_PATH: modulesWithPackage() });
		expect(status).toBe(1);
		expect(stdout).toMatch(/^ok {7}addon +prebuilt, /m);
		expect(stdout).toMatch(/^ok {7}device +CPU /m);
		expect(stdout).toMatch(
			/^MISSING {2}GPU +earshot-cuda-linux-x64 could not be used: libcudart\.so\.99: .*apt-get install cuda-cudart-99-0 libcublas-99-0$/m,
		);
	});
});
