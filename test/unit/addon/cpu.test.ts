import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
	canRun,
	checkKernels,
	lackingFor,
	levelOfBuild,
	levelsFor,
	levelToBuild,
	parseCpuInfo,
	parseSysctl,
	prebuiltPlatforms,
} from '../../../src/addon/cpu.js';
import { requestedKernels } from '../../../src/core/config/environment.js';

const v3 = 'sse4_2 ssse3 popcnt avx avx2 bmi2 fma f16c';
const v4 = `${v3} avx512f avx512cd avx512bw avx512dq avx512vl`;

/** The level that a processor with these flags gets. */
const bestFor = (tuple: string, flags: string): string | undefined => {
	const [platform = '', arch = ''] = tuple.split('-');
	return levelsFor(platform, arch).find((level) => canRun(level, new Set(flags.split(' '))))?.name;
};

it.each([
	['linux-x64', 'Zen 4, Ice Lake', `${v4} avx512_vnni avx512vbmi avx512_bf16`, 'x86-64-v4-vnni'],
	['linux-x64', 'Skylake-X', v4, 'x86-64-v4'],
	['linux-x64', 'Cascade Lake, which has VNNI but no VBMI', `${v4} avx512_vnni`, 'x86-64-v4'],
	['linux-x64', 'Alder Lake', `${v3} avx_vnni`, 'x86-64-v3-vnni'],
	['linux-x64', 'Haswell', v3, 'x86-64-v3'],
	['linux-x64', 'Ivy Bridge', 'sse4_2 ssse3 popcnt avx f16c', 'x86-64-v2'],
	['linux-arm64', 'Graviton 3', 'fp asimd asimdhp asimddp i8mm sve', 'armv8.6'],
	['linux-arm64', 'Raspberry Pi 5', 'fp asimd asimdhp asimddp', 'armv8.2'],
	['linux-arm64', 'Raspberry Pi 4', 'fp asimd', 'armv8.0'],
	['darwin-arm64', 'any', '', 'armv8.4'],
])('%s: %s gets its level', (tuple, _processor, flags, level) => {
	expect(bestFor(tuple, flags)).toBe(level);
});

it('a level is only for processors that have what it is built for', () => {
	const file = new URL('../../../levels.json', import.meta.url);
	const { levels } = JSON.parse(readFileSync(file, 'utf8')) as {
		levels: Record<string, { needs: string[]; ggml?: string[] }>;
	};
	const plain = (name: string) => name.toLowerCase().replaceAll('_', '');
	const lacking = Object.entries(levels).flatMap(([level, { needs, ggml = [] }]) =>
		ggml
			.flatMap((option) => (option === 'AVX512' ? v4.slice(v3.length + 1).split(' ') : [option]))
			.filter((option) => !needs.map(plain).includes(plain(option)))
			.map((option) => `${level}: ${option}`),
	);
	expect(lacking).toEqual([]);
});

it('a processor with unknown flags may try every level', () => {
	for (const level of levelsFor('win32', 'x64')) expect(canRun(level, undefined)).toBe(true);
});

it('every platform with prebuilt binaries has a lowest level, and others have none', () => {
	for (const tuple of prebuiltPlatforms) {
		const [platform = '', arch = ''] = tuple.split('-');
		expect(levelsFor(platform, arch).length).toBeGreaterThan(0);
	}
	expect(levelsFor('freebsd', 'x64')).toEqual([]);
});

it('a build is for the highest level of the processor, never for more of it', () => {
	const amx = `${v4} avx512_vnni avx512vbmi avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16`;
	const forFlags = (platform: string, arch: string, flags?: string) =>
		levelToBuild(platform, arch, flags === undefined ? undefined : new Set(flags.split(' ')))?.name;
	expect(forFlags('linux', 'x64', amx)).toBe('x86-64-v4-vnni');
	expect(forFlags('linux', 'x64', v3)).toBe('x86-64-v3');
	expect(forFlags('darwin', 'arm64')).toBe('armv8.4');
	// CMake asks the processor.
	expect(forFlags('win32', 'x64')).toBeUndefined();
	expect(forFlags('linux', 'riscv64', 'rv64imafdc')).toBeUndefined();
});

it('every level of a platform is described, and none that no platform has', () => {
	const { levels, platforms } = JSON.parse(readFileSync('levels.json', 'utf8')) as {
		levels: Record<string, { ggml?: string[]; march?: string }>;
		platforms: Record<string, string[]>;
	};
	expect(new Set(Object.values(platforms).flat())).toEqual(new Set(Object.keys(levels)));
	for (const [name, { ggml, march }] of Object.entries(levels))
		expect(`${name} ${march ?? ggml?.join()}`).toMatch(/ armv8|SSE42/);
	expect(JSON.stringify(levels)).not.toMatch(/AMX|avx512fp16|BF16/i);
});

it('reads /proc/cpuinfo of Intel, AMD and ARM, and says so where there is nothing to read', () => {
	expect(parseCpuInfo('processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n', 'x64')).toEqual(
		new Set(['fpu', 'avx2', 'avx512_vnni']),
	);
	expect(parseCpuInfo('BogoMIPS\t: 50.00\nFeatures\t: fp asimd i8mm\n', 'arm64')).toEqual(
		new Set(['fp', 'asimd', 'i8mm']),
	);
	expect(parseCpuInfo('', 'x64')).toBeUndefined();
	// An emulator of ARM on x64.
	expect(parseCpuInfo('flags\t\t: fpu avx2\n', 'arm64')).toBeUndefined();
});

it('reads what sysctl says of a Mac', () => {
	const flags = parseSysctl('FPU SSE4.1 SSE4.2 AVX1.0 F16C FMA POPCNT SSSE3\nAVX2 BMI2\n');
	expect(flags && bestFor('darwin-x64', [...flags].join(' '))).toBe('x86-64-v3');
	expect(parseSysctl('\n')).toBeUndefined();
});

it('names what a build uses and the processor lacks', () => {
	const flags = new Set(v3.split(' '));
	expect(lackingFor(['AVX2', 'FMA', 'AVX512', 'AVX512_BF16', 'LLAMAFILE'], flags)).toEqual([
		'AVX512',
		'AVX512_BF16',
	]);
	expect(lackingFor(['AVX512'], undefined)).toEqual([]);
});

it('kernels are chosen by name, and an empty variable chooses none in particular', () => {
	expect(() => checkKernels('sse9')).toThrow(
		'Expected `EARSHOT_KERNELS` to be one of none, avx2, avx512, vnni, amx',
	);
	expect(requestedKernels({ EARSHOT_KERNELS: 'avx2' })).toBe('avx2');
	expect(requestedKernels({ EARSHOT_KERNELS: '' })).toBeUndefined();
	expect(requestedKernels({})).toBeUndefined();
});

it.each([
	[
		'linux',
		'x64',
		'SSE3 SSSE3 AVX AVX2 F16C FMA BMI2 AVX512 AVX512_VBMI AVX512_VNNI REPACK',
		'x86-64-v4-vnni',
	],
	['linux', 'x64', 'SSE3 SSSE3 AVX AVX2 F16C FMA BMI2 AVX512', 'x86-64-v4'],
	['linux', 'x64', 'SSE3 SSSE3 AVX AVX_VNNI AVX2 F16C FMA BMI2', 'x86-64-v3-vnni'],
	['linux', 'x64', 'SSE3 SSSE3 AVX AVX2 F16C FMA BMI2', 'x86-64-v3'],
	['win32', 'x64', 'SSE3 SSSE3 AVX AVX2 F16C FMA BMI2 AVX512 AVX512_VBMI AVX512_VNNI', 'x86-64-v3'],
	['linux', 'x64', 'SSE3 SSSE3', 'x86-64-v2'],
	['linux', 'arm64', 'NEON ARM_FMA FP16_VA MATMUL_INT8 DOTPROD', 'armv8.6'],
	['linux', 'arm64', 'NEON ARM_FMA FP16_VA DOTPROD', 'armv8.2'],
	['linux', 'arm64', 'NEON ARM_FMA', 'armv8.0'],
	['freebsd', 'x64', 'SSE3 SSSE3', undefined],
])('on %s-%s a build that uses %s is of level %s', (platform, arch, features, level) => {
	expect(levelOfBuild(platform, arch, features.split(' '))).toBe(level);
});
