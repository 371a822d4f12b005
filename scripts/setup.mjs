// Makes a checkout ready to run: dependencies, system libraries, engines, the native addon, the compiled
// TypeScript. Each step is skipped while what it is made from is unchanged; a second run does nothing.
//
//   node scripts/setup.mjs             everything that running needs
//   node scripts/setup.mjs --model     and a model that transcribes English, where there is none yet
//   node scripts/setup.mjs --test      and the test models
//   node scripts/setup.mjs --native    the addon, built for the level of levels.json that this processor has
//   node scripts/setup.mjs --compile   only the dependencies and the TypeScript
//   … --quiet                          speak only of failures and of the long build
//   … --CDEARSHOT_CUDA=ON              an option of CMakeLists.txt; kept for later runs
//
// Node's own modules only: it runs before there are any others.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	chmodSync,
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import process, { argv, exit, platform, stderr } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildTools, installMissing, SetupError, succeeds, testServers } from './build/system-packages.mjs';
import { fill } from './vendor.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const quiet = argv.includes('--quiet');
const log = at('build', 'setup.log');

const report = (line) => stderr.write(`${line}\n`);
const say = (line) => {
	if (!quiet) report(line);
};

// ---- stamps ------------------------------------------------------------------------------------

function* filesUnder(path) {
	if (!statSync(path).isDirectory()) {
		yield path;
		return;
	}
	for (const name of readdirSync(path).sort()) yield* filesUnder(join(path, name));
}

/** One hash of the contents of files and folders, and of other facts that decide the outcome. */
function hashOf(paths, ...facts) {
	const hash = createHash('sha256').update(JSON.stringify(facts));
	for (const path of paths) {
		for (const file of filesUnder(at(path))) {
			hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
		}
	}
	return hash.digest('hex');
}

const readText = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

// ---- running programs --------------------------------------------------------------------------

/** Runs with its output in the log; a failure shows the end of it. */
function run(what, command, args, env = {}) {
	mkdirSync(at('build'), { recursive: true });
	const out = openSync(log, 'a');
	const result = spawnSync(command, args, {
		cwd: root,
		env: { ...process.env, ...env },
		stdio: ['ignore', out, out],
		// npm is a batch file there, which only a shell starts.
		shell: platform === 'win32' && command === 'npm',
	});
	closeSync(out);
	if (result.error === undefined && result.status === 0) return;
	const why = result.error?.message ?? `ended with ${result.status ?? result.signal}`;
	const tail = readText(log).trimEnd().split('\n').slice(-30).join('\n');
	throw new SetupError(`${tail}\n\n${what}: ${why}; the whole log is ${log}`);
}

// ---- steps ---------------------------------------------------------------------------------------
// Each step makes its product from the inputs of `hash`, and is skipped while the product exists and the stamp matches.

/** Whether the installed packages match the lock file; those of other platforms may be missing. */
function dependenciesAgree() {
	if (!existsSync(at('node_modules', '.package-lock.json'))) return false;
	const wanted = JSON.parse(readText(at('package-lock.json'))).packages;
	const installed = JSON.parse(readText(at('node_modules', '.package-lock.json'))).packages;
	return Object.entries(wanted).every(
		([path, { version, optional }]) =>
			path === '' || (installed[path] === undefined ? optional : installed[path].version === version),
	);
}

const dependencies = {
	product: at('node_modules'),
	stamp: at('node_modules', '.earshot-setup'),
	hash: () => hashOf(['package-lock.json']),
	make() {
		if (dependenciesAgree()) return;
		say('setup: dependencies (npm ci)');
		const npm = process.env.npm_execpath;
		const args = ['ci', '--no-audit', '--no-fund'];
		if (npm?.endsWith('.js')) run('npm ci', process.execPath, [npm, ...args]);
		else run('npm ci', 'npm', args);
	},
};

/** Options of CMake given now, or else those of the last time. */
function cmakeOptions() {
	const file = at('build', 'options.json');
	const given = argv.filter((argument) => argument.startsWith('--CD'));
	if (given.length > 0) {
		mkdirSync(at('build'), { recursive: true });
		writeFileSync(file, JSON.stringify(given));
		return given;
	}
	return existsSync(file) ? JSON.parse(readText(file)) : [];
}

/** FFmpeg 5.1, the first with the channel layouts that audio.cc uses. */
const ffmpegLibraries = [
	['libavformat', '59.27'],
	['libavcodec', '59.37'],
	['libswresample', '4.7'],
	['libavutil', '57.28'],
];

/** The system packages that the native build needs: how to detect each, and its names. */
function systemNeeds() {
	// cmake-js finds Microsoft's compiler in any folder, and reports it if there is none.
	if (platform === 'win32')
		return [{ name: 'cmake', there: succeeds('cmake', '--version'), apt: [], dnf: [], brew: [] }];
	const pkgConfig = succeeds('pkg-config', '--version');
	const needs = buildTools();
	if (cmakeOptions().includes('--CDEARSHOT_FFMPEG=off')) return needs;
	needs.push({
		name: 'pkg-config',
		there: pkgConfig,
		apt: ['pkg-config'],
		dnf: ['pkgconf-pkg-config'],
		brew: ['pkgconf'],
	});
	for (const [library, version] of ffmpegLibraries) {
		needs.push({
			name: `${library} ${version} or newer (FFmpeg 5.1), with headers`,
			there: pkgConfig && succeeds('pkg-config', `--atleast-version=${version}`, library),
			apt: [`${library}-dev`],
			dnf: ['ffmpeg-free-devel'],
			brew: ['ffmpeg'],
		});
	}
	return needs;
}

/**
 * CMake's options, with the level of levels.json that this processor has: on a processor of another level the addon is
 * built again. If the system does not report the processor's instruction sets, CMake detects them. Needs the compiled
 * TypeScript.
 */
async function nativeOptions() {
	const given = cmakeOptions();
	const { canRun, levelsFor, levelToBuild, processorFlags } = await import(
		pathToFileURL(at('dist', 'addon', 'cpu.js')).href
	);
	const flags = processorFlags();
	const level = levelToBuild(platform, process.arch, flags);
	const option = '--CDEARSHOT_LEVEL=';
	const asked = given.find((each) => each.startsWith(option));
	if (asked === undefined) return level === undefined ? given : [...given, `${option}${level.name}`];
	const wanted = levelsFor(platform, process.arch).find(({ name }) => `${option}${name}` === asked);
	if (wanted !== undefined && !canRun(wanted, flags))
		throw new SetupError(
			`Expected EARSHOT_LEVEL to be a level that this processor has, got \`${wanted.name}\`; build with: ` +
				`npm run build:native -- ${option}${level?.name ?? ''}`,
		);
	return given;
}

const native = {
	product: at('build', 'Release', 'earshot.node'),
	stamp: at('build', 'native.stamp'),
	// Windows does not report instruction sets without a program, so the processor's name is used instead.
	hash: async () =>
		hashOf(
			['CMakeLists.txt', 'levels.json', 'native', 'vendor/pins.json'],
			await nativeOptions(),
			process.arch,
			platform === 'win32' ? process.env.PROCESSOR_IDENTIFIER : undefined,
		),
	async make() {
		const options = await nativeOptions();
		installMissing(systemNeeds, {
			what: 'the native build',
			report: (line) => report(`setup: ${line}`),
			run: (command, ...args) => run(`${command} ${args[0]}`, command, args),
			otherwise:
				'An older distribution? Without FFmpeg, only WAV is decoded: npm run build:native -- --CDEARSHOT_FFMPEG=off',
		});
		fill(say);
		report('setup: building the native addon (minutes at first)');
		rmSync(log, { force: true });
		const cmake = (step) =>
			run(
				'the native build',
				process.execPath,
				[at('node_modules', 'cmake-js', 'bin', 'cmake-js'), step, ...options],
				{
					CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()),
				},
			);
		try {
			cmake('configure');
		} catch {
			// The cache is from another folder, generator or compiler: retry without it.
			rmSync(at('build', 'CMakeCache.txt'), { force: true });
			rmSync(at('build', 'CMakeFiles'), { recursive: true, force: true });
			cmake('configure');
		}
		cmake('build');
		run('loading the addon', process.execPath, ['-e', `require(${JSON.stringify(this.product)})`]);
	},
};

const compiled = {
	product: at('dist', 'cli', 'main.js'),
	stamp: at('dist', '.stamp'),
	hash: () => hashOf(['src', 'binding.d.ts', 'tsconfig.json', 'package-lock.json']),
	make() {
		say('setup: compiling TypeScript');
		run('tsc', process.execPath, [at('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
		removeLeftOvers();
		chmodSync(this.product, 0o755);
	},
};

/** tsc keeps what it made of sources that have been moved or removed, and the package would carry it. */
function removeLeftOvers() {
	for (const file of filesUnder(at('dist'))) {
		const source = file.slice(at('dist').length).replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
		if (source.endsWith('.ts') && !existsSync(join(at('src'), source))) rmSync(file);
	}
}

async function isDone({ product, stamp, hash }) {
	return existsSync(product) && readText(stamp) === (await hash());
}

async function allDone(steps) {
	for (const step of steps) if (!(await isDone(step))) return false;
	return true;
}

// ---- one at a time -------------------------------------------------------------------------------

const lock = at('build', '.setup-lock');

/** Two runs of npm in one checkout would build into the same folder. Waits for the other, unless it died. */
function acquireLock() {
	mkdirSync(at('build'), { recursive: true });
	for (let waited = false; ; waited = true) {
		try {
			writeFileSync(lock, String(process.pid), { flag: 'wx' });
			process.on('exit', () => rmSync(lock, { force: true }));
			return;
		} catch (error) {
			if (error.code !== 'EEXIST') throw error;
		}
		const owner = Number(readText(lock));
		const alive = () => {
			try {
				process.kill(owner, 0);
				return true;
			} catch (error) {
				return error.code === 'EPERM';
			}
		};
		if (owner > 0 && !alive()) {
			rmSync(lock, { force: true });
			continue;
		}
		if (!waited) say(`setup: waiting for another set-up (process ${owner})`);
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
	}
}

async function setUp() {
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major < 20 || (major === 20 && minor < 19)) {
		throw new SetupError(`Earshot needs Node 20.19 or newer; this is ${process.versions.node}`);
	}
	// The native step gets its level from the compiled TypeScript.
	const steps = [dependencies, compiled];
	if (!argv.includes('--compile')) steps.push(native);
	if (!(await allDone(steps)) || argv.some((argument) => argument.startsWith('--CD'))) {
		acquireLock();
		for (const step of steps) {
			if (await isDone(step)) continue;
			// Computed before the step, so that files edited meanwhile are built the next time.
			const hash = await step.hash();
			await step.make();
			writeFileSync(step.stamp, hash);
		}
	}
	if (argv.includes('--compile')) return;
	fill(say);
	if (argv.includes('--model')) runScript('scripts/model.mjs');
	if (!argv.includes('--test')) return;
	installTestServers();
	runScript('fixtures/make-models.mjs', '--quiet');
	runScript('scripts/model.mjs', '--test');
}

/** Without them some test suites are skipped, which continuous integration does not allow. Elsewhere no servers are
 * installed. */
function installTestServers() {
	if (process.env.EARSHOT_TEST_SERVERS !== 'required') return;
	installMissing(testServers, {
		what: 'testing on Redis and PostgreSQL',
		report: (line) => report(`setup: ${line}`),
		run: (command, ...args) => run(`${command} ${args[0]}`, command, args),
	});
}

/** Runs a script in its own process, since it imports files that earlier steps have made. */
function runScript(file, ...args) {
	const { status } = spawnSync(process.execPath, [at(file), ...args], { cwd: root, stdio: ['ignore', 2, 2] });
	if (status !== 0) throw new SetupError(`${file} ended with ${status}`);
}

try {
	await setUp();
} catch (error) {
	if (!(error instanceof SetupError)) throw error;
	report(`setup: ${error.message}`);
	exit(1);
}
