// Checks the prebuilt binaries against their requirements. One sentence for each fault; none means they may be
// released.
//
//   node scripts/release/check-binaries.mjs                     those of this machine, and all others that exist
//   node scripts/release/check-binaries.mjs --only darwin-x64   those of one platform
//   node scripts/release/check-binaries.mjs --all               every platform of a release must be there, whole
//   node scripts/release/check-binaries.mjs --glibc FILE…       only prints the newest glibc symbol version of each file
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { argv, exit, platform, stderr, stdout } from 'node:process';
import { pathToFileURL } from 'node:url';
import { root } from '../build/download.mjs';
import { hostLibc } from '../build/target.mjs';
import { readPe } from './pe.mjs';

/** The oldest glibc promised: what the binaries of Node 20, 22 and 24 themselves ask for. */
export const oldestGlibc = '2.28';

/** Libraries that a process of Node has anyway, or that lie beside the addon. */
const allowedLibraries = [
	/^lib(c|m|dl|pthread|rt)\.so\.\d$/,
	/^libc\.musl-\w+\.so\.1$/,
	/^ld-linux-[\w-]+\.so\.\d$/,
	/^libgcc_s\.so\.1$/,
	/^libearshot-ffmpeg\.(glibc|musl)\.so$/,
];

/** What a release must hold: for Linux once with each C library. */
export const released = [
	'linux-x64',
	'linux-x64 musl',
	'linux-arm64',
	'darwin-x64',
	'darwin-arm64',
	'win32-x64',
];

function tool(command, ...args) {
	const { status, stdout: said, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
	if (error || status !== 0)
		throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? status}`);
	return said;
}

const byVersion = (a, b) => a.localeCompare(b, 'en', { numeric: true });

/** The newest glibc version whose symbols a file needs, e.g. `2.28`. */
export function newestGlibc(file) {
	const versions = [...tool('objdump', '-T', file).matchAll(/\(?GLIBC_(\d[\d.]*)\)?/g)].map(
		([, version]) => version,
	);
	return versions.sort(byVersion).at(-1) ?? '0';
}

const addonExports = /^(napi_register_module_v1|node_api_module_get_api_version_v1)$/;
const ffmpegExports = /^(av|avcodec|avformat|avio|avutil|swr|swresample)_/;

function faultsOfElf(file, driver) {
	const faults = [];
	const name = basename(file);
	const isAddon = name.endsWith('.node');
	const glibc = newestGlibc(file);
	if (byVersion(glibc, oldestGlibc) > 0) faults.push(`needs glibc ${glibc}, newer than ${oldestGlibc}`);
	const symbols = tool('objdump', '-T', file).split('\n');
	if (symbols.some((line) => /GLIBCXX_|CXXABI_/.test(line))) faults.push('needs a libstdc++ of the system');
	const exported = symbols
		.filter((line) => /^[0-9a-f]+ [gwu! ]/.test(line) && !line.includes('*UND*'))
		.map((line) => line.trim().split(/\s+/).at(-1));
	const wanted = isAddon ? addonExports : ffmpegExports;
	const stray = exported.filter((symbol) => !wanted.test(symbol));
	if (stray.length > 0)
		faults.push(`shows ${stray.length} symbols of its own: ${stray.slice(0, 5).join(', ')}`);
	if (exported.length === 0) faults.push('shows no symbols');
	const unversioned = symbols
		.filter((line) => line.includes('*UND*') && !/\(\w+[\d.]+\)/.test(line) && !/\sw\s/.test(line))
		.map((line) => line.trim().split(/\s+/).at(-1));
	const unknown = unversioned.filter(
		(symbol) =>
			!/^(napi|node_api)_|^(av|avcodec|avformat|avio|swr)\w*_/.test(symbol) && !driver.symbol.test(symbol),
	);
	if (!name.includes('.musl.') && unknown.length > 0)
		faults.push(`no allowed library has ${unknown.slice(0, 5).join(', ')}`);
	const dynamic = tool('readelf', '-d', file);
	for (const [, library] of dynamic.matchAll(/NEEDED.*\[(.+)\]/g)) {
		if (![...allowedLibraries, driver.library].some((pattern) => pattern.test(library)))
			faults.push(`needs ${library}`);
	}
	const runpath = /(?:RUNPATH|RPATH).*\[(.*)\]/.exec(dynamic)?.[1];
	const expected = isAddon ? '$ORIGIN:$ORIGIN/..' : undefined;
	if (runpath !== expected) faults.push(`looks for libraries in ${runpath}, not ${expected}`);
	if (/\.symtab|\.debug_/.test(tool('readelf', '-SW', file))) faults.push('is not stripped');
	return faults;
}

/** Parts of every Windows, node.exe and what lies beside the addon: no C++ library that a user would have to install. */
const allowedOnWindows =
	/^(kernel32|advapi32|bcrypt|msvcrt|ole32|secur32|user32|earshot-ffmpeg|api-ms-win-crt-[\w-]+)\.dll$|^node\.exe$/i;

function faultsOfPe(file) {
	const { imports, delayed, exports } = readPe(file);
	const wanted = file.endsWith('.node') ? addonExports : ffmpegExports;
	const stray = exports.filter((symbol) => !wanted.test(symbol));
	return [
		...[...imports, ...delayed].filter((name) => !allowedOnWindows.test(name)).map((name) => `needs ${name}`),
		...(stray.length > 0
			? [`shows ${stray.length} symbols of its own: ${stray.slice(0, 5).join(', ')}`]
			: []),
		...(exports.length === 0 ? ['shows no symbols'] : []),
	];
}

const noDriver = { library: /^$/, symbol: /^$/ };

/** What is wrong with one file. `driver` is what it may need, and ask for, besides what Node has anyway. */
export function faultsOf(file, { platform: system, driver = noDriver }) {
	const faults = system === 'linux' ? faultsOfElf(file, driver) : system === 'win32' ? faultsOfPe(file) : [];
	const bytes = readFileSync(file, 'latin1');
	const here = [root, dirname(root), process.env.HOME].filter(
		(path) => path !== undefined && path.length > 4,
	);
	for (const path of here) if (bytes.includes(path)) faults.push(`holds the path ${path}`);
	if (file.endsWith('.node') && bytes.includes('LGPL version'))
		faults.push('holds FFmpeg, which has a file of its own');
	return faults;
}

function filesUnder(folder) {
	return readdirSync(folder).flatMap((name) => {
		const path = join(folder, name);
		return statSync(path).isDirectory() ? filesUnder(path) : [path];
	});
}

/** Files that a platform's folder lacks, or has too many of. */
async function faultsOfSet(name) {
	const compiled = join(root, 'dist', 'addon', 'cpu.js');
	if (!existsSync(compiled)) return [`${relative(root, compiled)} is not there; run: npm run compile`];
	const { levelsFor } = await import(pathToFileURL(compiled).href);
	const lowest = lowestOf(name);
	const folder = dirname(lowest);
	const file = basename(lowest);
	const tuple = basename(folder);
	const library = {
		linux: `libearshot-ffmpeg.${name.endsWith(' musl') ? 'musl' : 'glibc'}.so`,
		darwin: 'libearshot-ffmpeg.dylib',
		win32: 'earshot-ffmpeg.dll',
	};
	const levels = levelsFor(...tuple.split('-')).map((level) => level.name);
	const wanted = [
		library[tuple.split('-')[0]],
		file,
		...levels.slice(0, -1).map((level) => join(level, file)),
	];
	return wanted
		.filter((path) => !existsSync(join(folder, path)))
		.map((path) => `prebuilds/${tuple}/${path} is not there; ${makerOf(name)}`);
}

/** How the binaries of a platform come about, seen from this one. */
function makerOf(name) {
	const [tuple, libc] = name.split(' ');
	const [system, arch] = tuple.split('-');
	if (libc === 'musl' && hostLibc() !== 'musl') return 'run, where the C library is musl: npm run prebuild';
	const isHere = system === platform && arch === process.arch;
	return `run: npm run prebuild${isHere ? '' : ` -- --platform ${system} --arch ${arch}`}`;
}

/** The platforms that a command line requests; undefined if it is invalid. */
function requested([flag, value, ...more]) {
	if (flag === undefined) return present();
	if (flag === '--all' && value === undefined) return released;
	return flag === '--only' && released.includes(value) && more.length === 0 ? [value] : undefined;
}

/** This machine's platform, and every other that has a binary here. */
export function present() {
	const here = `${platform}-${process.arch}${hostLibc() === 'musl' ? ' musl' : ''}`;
	const there = released.filter((name) => existsSync(lowestOf(name)));
	return [...new Set([here, ...there])];
}

/** The file of the lowest level. */
function lowestOf(name) {
	const [tuple, libc = name.startsWith('linux') ? 'glibc' : undefined] = name.split(' ');
	return join(root, 'prebuilds', tuple, libc === undefined ? 'earshot.node' : `earshot.${libc}.node`);
}

/** Every fault of the binaries of some platforms, each `platform-arch` or `platform-arch musl`. */
export async function check(names = released) {
	const faults = [];
	for (const name of names) {
		const missing = await faultsOfSet(name);
		faults.push(...missing);
		const folder = join(root, 'prebuilds', name.split(' ')[0]);
		if (missing.length > 0 && !existsSync(folder)) continue;
		const [system] = name.split('-');
		const canRead = system !== 'linux' || platform === 'linux';
		for (const file of canRead ? filesUnder(folder) : [])
			faults.push(...faultsOf(file, { platform: system }).map((fault) => `${relative(root, file)} ${fault}`));
	}
	return [...new Set(faults)];
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
	const given = argv.slice(2);
	if (given[0] === '--glibc') {
		for (const file of given.slice(1)) stdout.write(`${newestGlibc(file)}  ${file}\n`);
		exit(0);
	}
	const names = requested(given);
	if (names === undefined) {
		stderr.write(
			`check-binaries: expected nothing, --all, --only with one of ${released.join(', ')}, or --glibc with files, got ${given.join(' ')}\n`,
		);
		exit(2);
	}
	const faults = await check(names);
	for (const fault of faults) stderr.write(`${fault}\n`);
	if (faults.length > 0) exit(1);
	stderr.write(`${names.join(', ')}: complete, and none needs more than glibc ${oldestGlibc}\n`);
}
