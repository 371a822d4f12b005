// Proves the packed tarball on a clean folder: PATH holds node, npm and sh and nothing else, npm is offline with a
// cache that was filled before, and from there a server transcribes, lists models and stops.
//
//   node scripts/release/verify-pack.mjs [TARBALL] [--only NAME] [--keep]
//   node scripts/release/verify-pack.mjs --arch arm64      on an emulated processor, with Node for it from npm
//
// Needs prebuilds/ (npm run prebuild), the registry once for the cache, and ffmpeg for recordings in more containers.
// Emulation needs qemu-user-static known to the kernel (binfmt_misc), and libstdc++6-arm64-cross.
import { spawn, spawnSync } from 'node:child_process';
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process, { argv, execPath, exit, stderr } from 'node:process';
import { root } from '../build/download.mjs';
import { pack } from './pack.mjs';

const say = (line) => stderr.write(`${line}\n`);
const text = 'zero two zero seven nine four six zero nine five eight';
const work = mkdtempSync(join(tmpdir(), 'earshot-pack-'));
chmodSync(work, 0o755);
const cache = join(work, 'npm-cache');
const arch = valueAfter('--arch') ?? process.arch;
const isEmulated = arch !== process.arch;
/** Processors by qemu's names, and the features of each in Linux's /proc/cpuinfo. */
const processors = {
	'cortex-a72': 'fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid',
	'neoverse-n1':
		'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp',
	max: 'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp i8mm',
};
const emulation = isEmulated ? emulate('max') : {};
/** npm itself runs on this machine, for the other processor: emulated it does not come to an end. */
const npmNode = isEmulated ? `'${execPath}'` : 'node';
const npmTarget = isEmulated
	? { npm_config_cpu: arch, npm_config_os: 'linux', npm_config_libc: 'glibc' }
	: {};
const npmScript = realpathSync(
	process.env.npm_execpath?.endsWith('.js')
		? process.env.npm_execpath
		: join(dirname(execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
);

class Fault extends Error {}

function valueAfter(flag) {
	return argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined;
}

function expect(claim, what) {
	if (!claim) throw new Fault(what);
}

/**
 * The environment of emulated processes: which processor, and a folder that they take for the root of their
 * libraries. This machine's own /proc/cpuinfo would end ONNX Runtime, which reads it when loaded.
 */
function emulate(model) {
	const folder = join(work, `root of ${model}`);
	mkdirSync(join(folder, 'proc'), { recursive: true });
	if (!existsSync(join(folder, 'lib'))) symlinkSync('/usr/aarch64-linux-gnu/lib', join(folder, 'lib'));
	const core = (index) =>
		`processor\t: ${index}\nFeatures\t: ${processors[model]}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n`;
	writeFileSync(
		join(folder, 'proc', 'cpuinfo'),
		cpus()
			.map((_, index) => core(index))
			.join(''),
	);
	return { QEMU_CPU: model, QEMU_LD_PREFIX: folder };
}

/** A folder for PATH with node, npm and sh. */
function pathWith(node) {
	const bin = mkdtempSync(join(work, 'bin-'));
	chmodSync(bin, 0o755);
	symlinkSync(node, join(bin, 'node'));
	symlinkSync('/bin/sh', join(bin, 'sh'));
	writeFileSync(join(bin, 'npm'), `#!/bin/sh\nexec ${npmNode} '${npmScript}' "$@"\n`, { mode: 0o755 });
	return bin;
}

/** Runs to its end, with nothing of this process's environment. */
function run(place, command, args, options = {}) {
	const result = spawnSync(join(place.bin, 'sh'), ['-c', 'exec "$0" "$@"', command, ...args], {
		cwd: place.folder,
		encoding: 'utf8',
		env: place.env,
		...place.user,
		...options,
	});
	return { status: result.status, stdout: result.stdout, said: `${result.stdout}${result.stderr}` };
}

function place(name, node, { user = {} } = {}) {
	const folder = join(work, name);
	mkdirSync(folder, { recursive: true });
	const home = join(work, `home of ${basename(name)}`);
	mkdirSync(home, { recursive: true });
	chmodSync(home, 0o777);
	const bin = pathWith(node);
	return {
		folder,
		bin,
		user,
		env: {
			...emulation,
			...npmTarget,
			PATH: bin,
			HOME: home,
			npm_config_cache: cache,
			npm_config_update_notifier: 'false',
		},
	};
}

function install(where, tarball, ...flags) {
	const args = ['install', tarball, '--offline', '--no-audit', '--no-fund', ...flags];
	const { status, said } = run({ ...where, user: {} }, 'npm', args);
	expect(status === 0, `npm install ended with ${status}:\n${said}`);
	expect(!/gyp|rebuild|install-scripts/.test(said), `npm install wanted to build or run something:\n${said}`);
}

/** `earshot …` as npm linked it. */
const earshot = (where, ...args) => run(where, join('node_modules', '.bin', 'earshot'), args);

/** The bundled recording as WAV and in two more containers. */
function recordings() {
	const wav = join(root, 'fixtures', 'demo-digits', 'digits-telephone.wav');
	const made = [wav];
	for (const [name, codec] of [
		['digits.mp3', 'libmp3lame'],
		['digits.m4a', 'aac'],
		['digits.webm', 'libopus'],
	]) {
		const file = join(work, name);
		const args = ['-v', 'error', '-i', wav, '-c:a', codec, '-b:a', '96k', '-ac', '1', '-ar', '48000', file];
		if (spawnSync('ffmpeg', args).status === 0) made.push(file);
	}
	expect(made.length >= 3, 'ffmpeg (the program) is needed to make recordings in three containers');
	return made;
}

async function form(url, file) {
	const body = new FormData();
	body.set('file', new Blob([readFileSync(file)]), basename(file));
	body.set('model', 'demo-digits');
	const response = await fetch(`${url}/audio/transcriptions`, { method: 'POST', body });
	const answer = await response.text();
	expect(response.ok, `${basename(file)}: ${response.status} ${answer}`);
	return JSON.parse(answer).text;
}

/** Starts the server, uses it, and stops it. */
async function serveAndUse(where, files) {
	const server = spawn(join(where.folder, 'node_modules', '.bin', 'earshot'), ['serve', '--port', '0'], {
		cwd: where.folder,
		env: where.env,
		stdio: ['ignore', 'pipe', 'pipe'],
		...where.user,
	});
	let said = '';
	const ended = new Promise((resolve) => server.on('close', (code, signal) => resolve(signal ?? code)));
	const url = await new Promise((resolve, reject) => {
		const listen = (data) => {
			said += data;
			const found = /listens on (\S+)/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		};
		server.stdout.on('data', listen);
		server.stderr.on('data', listen);
		server.on('error', reject);
		void ended.then((code) => reject(new Fault(`the server ended with ${code}:\n${said}`)));
	});
	try {
		const models = await (await fetch(`${url}/models`)).json();
		expect(
			models.data.some(({ id }) => id === 'demo-digits'),
			`models: ${JSON.stringify(models)}`,
		);
		for (const file of files) {
			const answer = await form(url, file);
			expect(answer === text, `${basename(file)}: got "${answer}"\n${said}`);
		}
	} finally {
		server.kill('SIGTERM');
	}
	const code = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 15_000, 'nothing'))]);
	if (code === 'nothing') server.kill('SIGKILL');
	expect(code === 0, `the server ended with ${code} after SIGTERM:\n${said}`);
}

/** Checks that the command transcribes; returns what `earshot doctor` reports about the addon. */
function tryCommand(where, file) {
	const doctor = earshot(where, 'doctor');
	expect(doctor.status === 0, `earshot doctor ended with ${doctor.status}:\n${doctor.said}`);
	const addon = /^ok +addon +(.*)$/m.exec(doctor.stdout)?.[1] ?? '';
	expect(addon.startsWith('prebuilt'), `the addon is not the prebuilt one:\n${doctor.said}`);
	expect(/LGPL/.test(doctor.stdout), `FFmpeg is not under the LGPL:\n${doctor.said}`);
	const result = earshot(where, 'transcribe', file);
	expect(result.stdout.trim() === text, `earshot transcribe: ${result.said}`);
	return addon;
}

/** Everything a user does first. */
async function use(where, files) {
	const addon = tryCommand(where, files[0]);
	const script = [
		"import { createTranscriber } from 'earshot';",
		"const earshot = await createTranscriber({ model: 'demo-digits' });",
		`console.log((await earshot.transcribe(${JSON.stringify(files[0])})).text);`,
		'await earshot.close();',
	].join('\n');
	const library = run(where, 'node', ['--input-type=module', '-e', script]);
	expect(library.stdout.trim() === text, `the library: ${library.said}`);
	await serveAndUse(where, files);
	return addon;
}

/** Binaries of other Node majors, from npm. */
function nodeOf(major) {
	if (!isEmulated && process.versions.node.startsWith(`${major}.`)) return execPath;
	const folder = join(root, 'build', 'nodes', isEmulated ? `${major}-${arch}` : String(major));
	const name = `node-${process.platform}-${arch}`;
	const node = join(folder, 'node_modules', name, 'bin', 'node');
	if (existsSync(node)) return node;
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, 'package.json'), '{}');
	const args = [
		npmScript,
		'install',
		`${name}@${major}`,
		'--ignore-scripts',
		'--no-audit',
		'--no-fund',
		'--no-save',
		...(isEmulated ? ['--force'] : []),
	];
	const { status, stderr: complaint } = spawnSync(execPath, args, { cwd: folder, encoding: 'utf8' });
	expect(status === 0, `npm install ${name}@${major}: ${complaint}`);
	return node;
}

function ownNode() {
	if (!isEmulated) return execPath;
	const node = nodeOf(22);
	const { status } = spawnSync(node, ['--version'], { env: emulation });
	expect(status === 0, `programs for ${arch} do not run here; the head of this file says what they need`);
	return node;
}

function assertNoScripts(where) {
	const lock = JSON.parse(readFileSync(join(where.folder, 'node_modules', '.package-lock.json'), 'utf8'));
	const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
	expect(scripted.length === 0, `install scripts: ${scripted.map(([path]) => path).join(', ')}`);
}

/** The level in a doctor's line such as `prebuilt, x86-64-v3, prebuilds/…`. */
const levelOf = (addon) => addon.split(', ')[1];

/** Those that say nothing new about a processor, or take too long on an emulated one. */
const emulatedToo = ['clean folder', 'processor levels'];

/** Another user, to whom nothing in the install folder belongs; or, without rights to become one, mode bits. */
const stranger = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

const scenarios = {
	'clean folder': async ({ tarball, files, node }) => {
		const where = place('clean', node);
		install(where, tarball);
		assertNoScripts(where);
		return use(where, files);
	},
	'processor levels': async ({ tarball, files, node }) => {
		const where = place('levels', node);
		install(where, tarball);
		const chosen = [];
		// The emulator's processor with everything, then each level without those above it.
		for (const model of isEmulated ? Object.keys(processors) : []) {
			const emulated = { ...where, env: { ...where.env, ...emulate(model) } };
			chosen.push(`${model}: ${levelOf(tryCommand(emulated, files[0]))}`);
		}
		const folder = join(where.folder, 'node_modules', 'earshot', 'prebuilds', `${process.platform}-${arch}`);
		for (;;) {
			const level = levelOf(tryCommand(where, files[0]));
			chosen.push(level);
			if (!existsSync(join(folder, level))) return chosen.join(', ');
			rmSync(join(folder, level), { recursive: true });
		}
	},
	'--ignore-scripts': async ({ tarball, files }) => {
		const where = place('ignore-scripts', execPath);
		install(where, tarball, '--ignore-scripts');
		return use(where, files);
	},
	'read-only folder': async ({ tarball, files }) => {
		const where = place('read-only', execPath, { user: stranger });
		install(where, tarball);
		spawnSync('chmod', ['-R', 'a-w,a+rX', where.folder]);
		if (stranger.uid !== undefined) {
			const attempt = run(where, 'node', ['-e', "require('fs').writeFileSync('x', '')"]);
			expect(attempt.status !== 0, 'the folder is writable');
		}
		try {
			return await use(where, files);
		} finally {
			spawnSync('chmod', ['-R', 'u+w', where.folder]);
		}
	},
	'spaces and letters': async ({ tarball, files }) => {
		const where = place(join('Ordner mit Leerzeichen', 'größer 語音'), execPath);
		const copy = join(where.folder, '..', basename(tarball));
		cpSync(tarball, copy);
		install(where, copy);
		return use(where, files);
	},
	'no sherpa-onnx': async ({ tarball, files }) => {
		const where = place('without', execPath);
		install(where, tarball, '--omit=optional');
		const doctor = earshot(where, 'doctor');
		expect(doctor.status === 1, `earshot doctor ended with ${doctor.status}`);
		expect(
			/MISSING +sherpa-onnx .*npm install sherpa-onnx-\S+@\d/.test(doctor.stdout),
			`doctor does not say so:\n${doctor.said}`,
		);
		// What finds speech for every engine runs on ONNX Runtime too, which comes with sherpa-onnx.
		const result = earshot(where, 'transcribe', files[0]);
		expect(result.status === 1, `earshot transcribe ended with ${result.status}`);
		expect(
			/sherpa-onnx was not found.*npm install/.test(result.said),
			`transcribe does not say so:\n${result.said}`,
		);
		const models = earshot(where, 'models');
		expect(models.status === 0, `earshot models: ${models.said}`);
		return 'reported absent, with the command that adds it';
	},
	...Object.fromEntries(
		[20, 22, 24].map((major) => [
			`Node ${major}`,
			async ({ tarball, files }) => {
				const node = nodeOf(major);
				const where = place(`node-${major}`, node);
				const version = run(where, 'node', ['--version']).stdout.trim();
				expect(version.startsWith(`v${major}.`), `node is ${version}`);
				install(where, tarball);
				return `${version}: ${await use(where, files)}`;
			},
		]),
	),
};

try {
	const given = argv[2]?.endsWith('.tgz') ? realpathSync(argv[2]) : undefined;
	const tarball = given ?? (await pack({ out: work, say }));
	const files = recordings();
	// What a machine has that installed Earshot before, or a mirror.
	const node = ownNode();
	const filler = place('filler', node);
	const { status, said } = run(filler, 'npm', [
		'install',
		tarball,
		'--no-audit',
		'--no-fund',
		'--ignore-scripts',
	]);
	expect(status === 0, `filling npm's cache ended with ${status}:\n${said}`);
	rmSync(filler.folder, { recursive: true });

	const only = valueAfter('--only');
	let failed = 0;
	for (const [name, scenario] of Object.entries(scenarios)) {
		if (only === undefined ? isEmulated && !emulatedToo.includes(name) : name !== only) continue;
		const start = Date.now();
		try {
			const outcome = await scenario({ tarball, files, node });
			say(`ok    ${name.padEnd(20)} ${((Date.now() - start) / 1000).toFixed(1).padStart(5)} s  ${outcome}`);
		} catch (error) {
			if (!(error instanceof Fault)) throw error;
			failed += 1;
			say(`FAIL  ${name}: ${error.message}`);
		}
	}
	if (failed > 0) exit(1);
} catch (error) {
	say(`verify-pack: ${error instanceof Fault ? error.message : error.stack}`);
	exit(1);
} finally {
	if (argv.includes('--keep')) say(`kept: ${work}`);
	else rmSync(work, { recursive: true, force: true });
}
