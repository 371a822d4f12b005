// Makes prebuilds/<platform>-<arch>/: the binaries that travel in the npm package.
//
//   node scripts/build/prebuild.mjs                    for this machine
//   node scripts/build/prebuild.mjs --arch arm64       for another target of scripts/build/target.mjs
//                                                (--platform, --arch)
//   node scripts/build/prebuild.mjs --level x86-64-v3  this level alone, for trying out
//
//   prebuilds/linux-x64/earshot.glibc.node                  the lowest level, which node-gyp-build finds
//   prebuilds/linux-x64/x86-64-v3/earshot.glibc.node …      higher levels, in folders where it does not look
//   prebuilds/linux-x64/libearshot-ffmpeg.glibc.so          FFmpeg, for all of them
//
// src/addon/addon.ts chooses among them when it runs.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { argv, exit, stderr } from 'node:process';
import { pathToFileURL } from 'node:url';
import { fill } from '../vendor.mjs';
import { root } from './download.mjs';
import { build as buildFfmpeg, libraryName } from './ffmpeg.mjs';
import { sysroot } from './sysroot.mjs';
import { buildTools, ffmpegTools, installMissing } from './system-packages.mjs';
import { targetAsked } from './target.mjs';

const say = (line) => stderr.write(`prebuild: ${line}\n`);

function valueAfter(flag) {
	return argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined;
}

function run(command, args, options = {}) {
	const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with ${status}`);
}

async function prebuild(target, only) {
	const { platform, arch, libc, tuple, platformAndArch, tools } = target;
	const oldGlibc = libc === 'glibc';
	const name = libc === undefined ? 'earshot.node' : `earshot.${libc}.node`;
	fill(say);
	const ffmpeg = await buildFfmpeg({ target, oldGlibc, say });
	const common = [
		`EARSHOT_FFMPEG=${ffmpeg}`,
		...(oldGlibc ? [`EARSHOT_SYSROOT=${await sysroot(arch, say)}`] : []),
		...(platform === 'darwin' ? ['EARSHOT_METAL=ON', 'CMAKE_OSX_DEPLOYMENT_TARGET=11.0'] : []),
		...target.cmake,
	].map((option) => `--CD${option}`);
	common.push('--arch', arch);
	const work = join(root, 'build', 'prebuild', tuple);
	const artifacts = join(work, 'artifacts');
	rmSync(artifacts, { recursive: true, force: true });
	mkdirSync(artifacts, { recursive: true });
	// Most sources are compiled alike for every level.
	const ccache = spawnSync('ccache', ['--version']).status === 0 ? 'ccache' : undefined;
	const env = {
		...process.env,
		CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()),
		...(ccache && { CMAKE_C_COMPILER_LAUNCHER: ccache, CMAKE_CXX_COMPILER_LAUNCHER: ccache }),
	};

	const { levelsFor } = await import(pathToFileURL(join(root, 'dist', 'addon', 'cpu.js')).href);
	const levels = levelsFor(platform, arch).map(({ name: level }) => level);
	const baseline = levels.at(-1);
	const higher = levels.slice(0, -1);
	const library = join(ffmpeg, libraryName(target));
	for (const level of higher.filter((each) => only === undefined || each === only)) {
		say(`${tuple}: ${level}`);
		const out = join(work, level);
		const cmake = [join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js'), 'build', `--out=${out}`];
		run(process.execPath, [...cmake, `--CDEARSHOT_LEVEL=${level}`, ...common], { env });
		mkdirSync(join(artifacts, level));
		const made = join(artifacts, level, name);
		cpSync(join(out, 'Release', 'earshot.node'), made);
		if (platform === 'linux' || (platform === 'win32' && target.isCross))
			run(tools.strip, ['--strip-all', made]);
		if (platform === 'darwin') run(tools.strip, ['-Sx', made]);
		// Windows finds a library only in the folder of the addon that needs it.
		if (platform === 'win32') cpSync(library, join(artifacts, level, libraryName(target)));
	}
	cpSync(library, join(artifacts, libraryName(target)));

	if (only === undefined || only === baseline) {
		say(`${tuple}: ${baseline}`);
		const folder = join(work, baseline);
		mkdirSync(folder, { recursive: true });
		run(
			process.execPath,
			[
				join(root, 'node_modules', 'prebuildify', 'bin.js'),
				`--cwd=${folder}`,
				`--out=${root}`,
				'--name=earshot',
				'--napi',
				'--strip',
				`--strip-bin=${tools.strip}`,
				...(libc === undefined ? [] : ['--tag-libc', libc]),
				`--platform=${platform}`,
				`--arch=${arch}`,
				`--artifacts=${artifacts}`,
				`--node-gyp=${join(root, 'scripts', 'build', process.platform === 'win32' ? 'prebuildify-cmake.cmd' : 'prebuildify-cmake.cjs')}`,
			],
			{ env: { ...env, EARSHOT_CMAKE: JSON.stringify([`--CDEARSHOT_LEVEL=${baseline}`, ...common]) } },
		);
	} else {
		cpSync(artifacts, join(root, 'prebuilds', platformAndArch), { recursive: true });
	}
	const licences = join(root, 'prebuilds', 'licences-ffmpeg');
	cpSync(join(ffmpeg, 'licences'), licences, { recursive: true });
	list(join(root, 'prebuilds', platformAndArch), '');
}

function list(folder, prefix) {
	for (const entry of readdirSync(folder).sort()) {
		const path = join(folder, entry);
		if (statSync(path).isDirectory()) list(path, `${prefix}${entry}/`);
		else say(`${prefix}${entry}  ${(statSync(path).size / 1e6).toFixed(2)} MB`);
	}
}

try {
	if (!existsSync(join(root, 'node_modules', 'cmake-js'))) throw new Error('run npm ci first');
	const target = targetAsked();
	// On Windows, FFmpeg's tools are those of MSYS2.
	if (process.platform !== 'win32')
		installMissing(() => [...buildTools(), ...ffmpegTools(target)], {
			what: 'building the package',
			report: say,
			run: (command, ...args) => run(command, args),
		});
	await prebuild(target, valueAfter('--level'));
} catch (error) {
	stderr.write(`prebuild: ${error.message}\n`);
	exit(1);
}
