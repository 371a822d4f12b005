// What builds want of the system, and how to get it: installed where apt-get may, else the command that installs it.
import { spawnSync } from 'node:child_process';
import process, { platform } from 'node:process';

/** What went wrong, said once, without a stack. */
export class SetupError extends Error {
	name = 'SetupError';
}

export const succeeds = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** For C++: each with its name, whether it is installed, and its packages for apt-get, dnf and brew. */
export function buildTools() {
	return [
		{
			name: 'a C++ compiler',
			there: succeeds('c++', '--version'),
			apt: ['g++'],
			dnf: ['gcc-c++'],
			brew: [],
		},
		{ name: 'cmake', there: succeeds('cmake', '--version'), apt: ['cmake'], dnf: ['cmake'], brew: ['cmake'] },
		{
			name: 'ninja or make',
			there: succeeds('ninja', '--version') || succeeds('make', '--version'),
			apt: ['ninja-build'],
			dnf: ['ninja-build'],
			brew: ['ninja'],
		},
	];
}

/** Debian's packages of the cross compilers in target.mjs. */
const crossCompilers = {
	'linux-arm64': 'g++-aarch64-linux-gnu',
	'win32-x64': 'g++-mingw-w64-x86-64-posix',
};

/** For `target`, as target.mjs describes it: what FFmpeg's configure and its archive want. */
export function ffmpegTools({ arch, isCross, platformAndArch, tools }) {
	const [compiler, ...args] = tools.cc.split(' ');
	const cross = isCross ? crossCompilers[platformAndArch] : undefined;
	const needs = [
		{
			name: cross === undefined ? 'a C compiler' : compiler,
			there: succeeds(compiler, ...args, '--version'),
			apt: [cross ?? 'gcc'],
			dnf: cross === undefined ? ['gcc'] : [],
			brew: [],
		},
		{ name: 'make', there: succeeds('make', '--version'), apt: ['make'], dnf: ['make'], brew: ['make'] },
		{ name: 'xz', there: succeeds('xz', '--version'), apt: ['xz-utils'], dnf: ['xz'], brew: ['xz'] },
	];
	if (arch === 'x64')
		needs.push({
			name: 'nasm',
			there: succeeds('nasm', '-v'),
			apt: ['nasm'],
			dnf: ['nasm'],
			brew: ['nasm'],
		});
	return needs;
}

/** Servers that suites start for themselves, and are skipped without. */
export function testServers() {
	const isThere = (name) =>
		succeeds('sh', '-c', `command -v ${name} || ls /usr/lib/postgresql/*/bin/${name}`);
	const server = (name, apt) => ({ name, there: isThere(name), apt: [apt], dnf: [apt], brew: [apt] });
	return [
		{ ...server('redis-server', 'redis-server'), dnf: ['redis'], brew: ['redis'] },
		{ ...server('postgres', 'postgresql'), dnf: ['postgresql-server'] },
	];
}

/**
 * `needs` lists the packages and whether they are installed; `what` needs them, `run` runs a command or throws, and
 * `otherwise` is an alternative if apt-get lacks something. Throws SetupError with the command that a user has to run.
 */
export function installMissing(needs, { what, report, run, otherwise }) {
	const missing = needs().filter(({ there }) => !there);
	if (missing.length === 0) return;
	const names = namesOf(missing);
	const sudo = process.getuid?.() === 0 ? [] : succeeds('sudo', '-n', 'true') ? ['sudo', '-n'] : null;
	if (sudo === null || !succeeds('apt-get', '--version'))
		throw new SetupError(`${what} needs ${names}. Install with:\n${adviceFor(missing)}`);
	report(`installing ${names} (apt-get)`);
	const apt = (...args) => run(...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args);
	const install = ['install', '-y', '--no-install-recommends', ...packagesOf(missing, 'apt')];
	try {
		apt(...install);
	} catch {
		// A fresh image has no package lists, and old lists name packages that are gone.
		apt('update');
		apt(...install);
	}
	const still = needs().filter(({ there }) => !there);
	if (still.length === 0) return;
	const wayOut = otherwise === undefined ? '' : `. ${otherwise}`;
	throw new SetupError(`apt-get ran, and yet there is no ${namesOf(still)}${wayOut}`);
}

const namesOf = (needs) => needs.map(({ name }) => name).join(', ');

const packagesOf = (needs, manager) => [...new Set(needs.flatMap((need) => need[manager]))];

/** The commands that install what is missing, a line each. */
function adviceFor(missing) {
	if (platform === 'win32') {
		const tools =
			'Microsoft.VisualStudio.2022.BuildTools --override "--passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"';
		return ['Kitware.CMake', tools].map((name) => `    winget install ${name}`).join('\n');
	}
	const commands = [
		['apt-get', 'sudo apt-get install -y', 'apt'],
		['dnf', 'sudo dnf install -y', 'dnf'],
		['brew', 'brew install', 'brew'],
	].flatMap(([program, command, manager]) => {
		const packages = packagesOf(missing, manager);
		return packages.length === 0 ? [] : [{ program, line: `    ${command} ${packages.join(' ')}` }];
	});
	const fitting = commands.filter(({ program }) => succeeds(program, '--version'));
	const advice = (fitting.length > 0 ? fitting : commands).map(({ line }) => line);
	const compilers = ['a C compiler', 'a C++ compiler'];
	if (platform === 'darwin' && missing.some(({ name }) => compilers.includes(name)))
		advice.push('    xcode-select --install');
	return advice.join('\n');
}
