/** Detects the processor's instruction sets and the prebuilt binaries that it can run. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { EarshotError } from '../core/errors.js';

/** One of the builds of the addon for a platform. */
export interface Level {
	/** Name of its folder below `prebuilds/<platform>-<arch>/`, and value of CMake's `EARSHOT_LEVEL`. */
	readonly name: string;
	/** Required instruction sets, by the names of Linux's /proc/cpuinfo. */
	readonly needs: readonly string[];
}

interface Levels {
	/** `ggml` and `march` set the compiler's target, for native/levels.cmake. */
	readonly levels: Readonly<Record<string, { readonly needs: readonly string[] }>>;
	/** Best first. The last one is the file that node-gyp-build finds. */
	readonly platforms: Readonly<Record<string, readonly string[]>>;
}

/**
 * There is no level for AVX512-BF16, since no kernel for F16 or quantised weights uses it, and none for AMX and
 * AVX512-FP16, since they change ggml's results. Every Mac with an Apple processor has armv8.4. There is no AVX-512
 * level for Windows, since Microsoft's compiler makes it slower than AVX2.
 */
const { levels, platforms } = JSON.parse(
	readFileSync(new URL('../../levels.json', import.meta.url), 'utf8'),
) as Levels;

/** Best first; the last one is the file that node-gyp-build finds. Empty for platforms without prebuilt binaries. */
export function levelsFor(platform: string, arch: string): readonly Level[] {
	return (platforms[`${platform}-${arch}`] ?? []).map((name) => ({ name, needs: levels[name]?.needs ?? [] }));
}

/** Platforms with prebuilt binaries, e.g. `linux-x64`. */
export const prebuiltPlatforms: readonly string[] = Object.keys(platforms);

/**
 * The level that a build on this machine is for. Undefined if the platform has none, or if several are possible and the
 * system does not report the processor's instruction sets: CMake then detects them.
 */
export function levelToBuild(
	platform: string,
	arch: string,
	flags: ReadonlySet<string> | undefined,
): Level | undefined {
	const possible = levelsFor(platform, arch);
	if (flags === undefined) return possible.length === 1 ? possible[0] : undefined;
	return possible.find((level) => canRun(level, flags));
}

/** `flags` undefined: the system does not report them, so each level counts as possible and is decided by a trial. */
export function canRun({ needs }: Level, flags: ReadonlySet<string> | undefined): boolean {
	return flags === undefined || needs.every((flag) => flags.has(flag));
}

/** The processor's instruction sets by the names of /proc/cpuinfo; undefined if the system does not report them. */
export function processorFlags(): ReadonlySet<string> | undefined {
	try {
		if (process.platform === 'linux')
			return parseCpuInfo(readFileSync('/proc/cpuinfo', 'utf8'), process.arch);
		if (process.platform === 'darwin' && process.arch === 'x64') {
			const names = ['machdep.cpu.features', 'machdep.cpu.leaf7_features'];
			return parseSysctl(execFileSync('/usr/sbin/sysctl', ['-n', ...names], { encoding: 'utf8' }));
		}
	} catch {
		// For example a sandbox without /proc: a trial then asks the processor itself.
	}
	return undefined;
}

/**
 * Listed instruction sets are usable: the kernel omits those whose registers it does not save on context switches.
 * Undefined under an emulator that exposes its host's file, in which the line has another name.
 */
export function parseCpuInfo(text: string, arch: string): ReadonlySet<string> | undefined {
	const line = (arch === 'arm64' ? /^Features\s*:(.*)$/m : /^flags\s*:(.*)$/m).exec(text)?.[1];
	return line === undefined ? undefined : new Set(line.trim().split(/\s+/));
}

/** `AVX1.0`, `SSE4.2` and `AVX512F` become `avx`, `sse4_2` and `avx512f`. */
export function parseSysctl(text: string): ReadonlySet<string> | undefined {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0) return undefined;
	return new Set(words.map((word) => (word === 'avx1.0' ? 'avx' : word.replace('.', '_'))));
}

/** Whether products of 8-bit integers are summed in 16 bits, which may saturate: on x86 without VNNI. Pure. */
export function saturatesInt8(arch: string, flags: readonly string[]): boolean {
	return arch === 'x64' && !flags.includes('avx512_vnni') && !flags.includes('avx_vnni');
}

/** The values of `addon().kernels()`, narrowest first. */
export const kernelNames = ['none', 'avx2', 'avx512', 'vnni', 'amx'] as const;

/** Validates EARSHOT_KERNELS, since the addon ignores unknown values. Throws `config_invalid`. */
export function checkKernels(asked: string | undefined): void {
	if (asked === undefined || kernelNames.some((name) => name === asked)) return;
	throw new EarshotError(
		'config_invalid',
		`Expected \`EARSHOT_KERNELS\` to be one of ${kernelNames.join(', ')}, got \`${asked}\``,
	);
}

const ggmlNames: Readonly<Record<string, string>> = {
	AVX: 'avx',
	AVX2: 'avx2',
	AVX_VNNI: 'avx_vnni',
	BMI2: 'bmi2',
	FMA: 'fma',
	F16C: 'f16c',
	AVX512: 'avx512f',
	AVX512_VBMI: 'avx512vbmi',
	AVX512_VNNI: 'avx512_vnni',
	AVX512_BF16: 'avx512_bf16',
	DOTPROD: 'asimddp',
	FP16_VA: 'asimdhp',
	MATMUL_INT8: 'i8mm',
	SVE: 'sve',
};

/** Of the instruction sets that a build of ggml uses (by ggml's names), those that this processor lacks. */
export function lackingFor(features: readonly string[], flags: ReadonlySet<string> | undefined): string[] {
	if (flags === undefined) return [];
	return features.filter((feature) => {
		const flag = ggmlNames[feature];
		return flag !== undefined && !flags.has(flag);
	});
}

/**
 * The level that a build was made for, from the instruction sets that it reports, by ggml's names: the highest level of
 * the platform whose needs (those that ggml has a name for) the build all uses. Undefined if the platform has no
 * levels. Pure.
 */
export function levelOfBuild(
	platform: string,
	arch: string,
	features: readonly string[],
): string | undefined {
	const used = new Set(features.map((feature) => ggmlNames[feature]));
	const named = new Set(Object.values(ggmlNames));
	return levelsFor(platform, arch).find(({ needs }) =>
		needs.every((flag) => used.has(flag) || !named.has(flag)),
	)?.name;
}
