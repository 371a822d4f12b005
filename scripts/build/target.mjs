// The target of a build: a platform, a processor and, on Linux, a C library; and the tools for it on this machine.
//
//   this machine's own          its compiler (CC and CXX as usual)
//   linux-arm64, from Linux     Debian's g++-aarch64-linux-gnu
//   win32-x64, from Linux       Debian's g++-mingw-w64-x86-64-posix; what is released is Microsoft's compiler's
//   darwin, from either Mac     clang makes both
import { join } from 'node:path';
import { argv } from 'node:process';
import { root } from './download.mjs';

/** `glibc` or `musl`: that of the Node that runs this; undefined where there is no choice. */
export const hostLibc = () => {
	if (process.platform !== 'linux') return undefined;
	return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
};

/** Tools with a common prefix, as cross compilers of GCC have them. */
const gcc = (prefix) => ({
	cc: `${prefix}gcc`,
	...Object.fromEntries(['ar', 'ranlib', 'nm', 'strip'].map((name) => [name, `${prefix}${name}`])),
});

/** How to build for what is not this machine: the tools, and CMake's file for them. */
const cross = {
	'linux-arm64': { tools: gcc('aarch64-linux-gnu-'), toolchain: 'aarch64-linux-gnu.cmake' },
	'win32-x64': {
		tools: { ...gcc('x86_64-w64-mingw32-'), cc: 'x86_64-w64-mingw32-gcc-posix' },
		toolchain: 'mingw-w64.cmake',
	},
};

/**
 * The target of a build: `tuple` names its folders, `tools` are commands and `cmake` options of CMake without `-D`.
 * On Linux it has the C library of this machine. Throws where nothing here builds for it.
 */
export function targetOf({ platform = process.platform, arch = process.arch } = {}) {
	const libc = platform === process.platform ? hostLibc() : undefined;
	const platformAndArch = `${platform}-${arch}`;
	const tuple = libc === 'musl' ? `${platformAndArch}-musl` : platformAndArch;
	const isCross = platform !== process.platform || arch !== process.arch;
	const target = { platform, arch, libc, tuple, platformAndArch, isCross };
	const own = { ...gcc(''), cc: process.env.CC ?? (platform === 'darwin' ? 'clang' : 'gcc') };
	if (platform === 'darwin' && process.platform === 'darwin')
		return {
			...target,
			tools: own,
			cmake: [`CMAKE_OSX_ARCHITECTURES=${arch === 'x64' ? 'x86_64' : 'arm64'}`],
		};
	if (!isCross) return { ...target, tools: own, cmake: [] };
	if (cross[tuple] === undefined)
		throw new Error(`no way known to build for ${tuple} on ${process.platform}-${process.arch}`);
	const { tools, toolchain } = cross[tuple];
	return { ...target, tools, cmake: [`CMAKE_TOOLCHAIN_FILE=${join(root, 'scripts', 'build', toolchain)}`] };
}

/** The target of a command line: `--platform` and `--arch`, by default this machine's. */
export function targetAsked() {
	const valueAfter = (flag) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
	return targetOf({ platform: valueAfter('--platform'), arch: valueAfter('--arch') });
}
