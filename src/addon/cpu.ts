/** What this processor can do, and which prebuilt binaries it can therefore run. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { EarshotError } from '../errors.js';

/** One build of the addon among those for a platform. */
export interface Level {
	/** Its folder below `prebuilds/<platform>-<arch>/`, and what CMake's `EARSHOT_LEVEL` calls it. */
	readonly name: string;
	/** Instruction sets, as Linux calls them in /proc/cpuinfo. */
	readonly needs: readonly string[];
}

interface Levels {
	/** `ggml` and `march` say what the build assumes, for native/levels.cmake. */
	readonly levels: Readonly<Record<string, { readonly needs: readonly string[] }>>;
	/** Best first. The last one is what node-gyp-build finds. */
	readonly platforms: Readonly<Record<string, readonly string[]>>;
}

/**
 * AVX-512 with BF16 is no level: no kernel for F16 or quantised weights uses it. AMX and AVX512-FP16 are none: they
 * change what ggml makes. Every Mac with Apple's own processor has armv8.4. Microsoft's compiler makes AVX-512 code
 * that is slower than its AVX2 code.
 */
const { levels, platforms } = JSON.parse(
	readFileSync(new URL('../../levels.json', import.meta.url), 'utf8'),
) as Levels;

/** Best first; the last one is what node-gyp-build finds. None for a platform without prebuilt binaries. */
export function levelsFor(platform: string, arch: string): readonly Level[] {
	return (platforms[`${platform}-${arch}`] ?? []).map((name) => ({ name, needs: levels[name]?.needs ?? [] }));
}

/** Platforms with prebuilt binaries, e.g. `linux-x64`. */
export const prebuiltPlatforms: readonly string[] = Object.keys(platforms);

/**
 * The level that a build here is for. Undefined where the platform has none, and where more than one is possible and
 * the system does not tell: then CMake asks the processor.
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

/** Where `flags` is undefined, the system does not tell: then each is tried, and the processor asked. */
export function canRun({ needs }: Level, flags: ReadonlySet<string> | undefined): boolean {
	return flags === undefined || needs.every((flag) => flags.has(flag));
}

/** Instruction sets in the words of /proc/cpuinfo; undefined where the system does not tell. */
export function processorFlags(): ReadonlySet<string> | undefined {
	try {
		if (process.platform === 'linux')
			return parseCpuInfo(readFileSync('/proc/cpuinfo', 'utf8'), process.arch);
		if (process.platform === 'darwin' && process.arch === 'x64') {
			const names = ['machdep.cpu.features', 'machdep.cpu.leaf7_features'];
			return parseSysctl(execFileSync('/usr/sbin/sysctl', ['-n', ...names], { encoding: 'utf8' }));
		}
	} catch {
		// A sandbox without /proc, say: then the processor itself is asked, in a trial.
	}
	return undefined;
}

/**
 * The kernel leaves out what it does not save across switches of context, so its word is enough. An emulator may
 * show the file of the machine below it, whose lines have other names.
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

/** Whether products of 8-bit numbers are added up in 16 bits, which saturates: on x86 without VNNI. Pure. */
export function saturatesInt8(arch: string, flags: readonly string[]): boolean {
	return arch === 'x64' && !flags.includes('avx512_vnni') && !flags.includes('avx_vnni');
}

/** What `addon().kernels()` may say, narrowest first. */
export const kernelNames = ['none', 'avx2', 'avx512', 'vnni'] as const;

/** The addon takes whatever it does not know for no bound. Throws `config_invalid`. */
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

/** Instruction sets that a build of ggml uses, in its own words, and this processor lacks. */
export function lackingFor(features: readonly string[], flags: ReadonlySet<string> | undefined): string[] {
	if (flags === undefined) return [];
	return features.filter((feature) => {
		const flag = ggmlNames[feature];
		return flag !== undefined && !flags.has(flag);
	});
}

/**
 * The level that a build is for, by the instruction sets that it says it uses, in ggml's words: the highest of the
 * platform of whose needs it uses all those that ggml has a word for. Undefined where the platform has no levels. Pure.
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
